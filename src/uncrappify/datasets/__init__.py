"""The catalog's own dataset classes, and the values that they hand out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uncrappify.datasets.array import Array
    from uncrappify.datasets.checks import disjoint
    from uncrappify.datasets.description import (
        ClassificationDescription,
        CriticDescription,
        LanguageDescription,
        RestorationDescription,
        SegmentationDescription,
    )
    from uncrappify.datasets.film import Film
    from uncrappify.datasets.folder import Folder
    from uncrappify.datasets.folder_reference import FolderReference
    from uncrappify.datasets.json_file import JsonFile
    from uncrappify.datasets.labelled import LabelledPictures
    from uncrappify.datasets.masked import MaskedPictures
    from uncrappify.datasets.pairs import PicturePairs
    from uncrappify.datasets.picture import Picture
    from uncrappify.datasets.picture_folder import PictureFolder, Pictures
    from uncrappify.datasets.report import Chart, Text
    from uncrappify.datasets.table import Table
    from uncrappify.datasets.training_run import TrainingFolder, TrainingRun
    from uncrappify.datasets.weights import TrainedModel, Weights

__all__ = [
    "Array",
    "Chart",
    "ClassificationDescription",
    "CriticDescription",
    "Film",
    "Folder",
    "FolderReference",
    "JsonFile",
    "LabelledPictures",
    "LanguageDescription",
    "MaskedPictures",
    "Picture",
    "PictureFolder",
    "PicturePairs",
    "Pictures",
    "RestorationDescription",
    "SegmentationDescription",
    "Table",
    "Text",
    "TrainedModel",
    "TrainingFolder",
    "TrainingRun",
    "Weights",
    "disjoint",
]

_MODULES = {
    "Array": "array",
    "Chart": "report",
    "ClassificationDescription": "description",
    "CriticDescription": "description",
    "Film": "film",
    "Folder": "folder",
    "FolderReference": "folder_reference",
    "JsonFile": "json_file",
    "LabelledPictures": "labelled",
    "LanguageDescription": "description",
    "MaskedPictures": "masked",
    "Picture": "picture",
    "PictureFolder": "picture_folder",
    "PicturePairs": "pairs",
    "Pictures": "picture_folder",
    "RestorationDescription": "description",
    "SegmentationDescription": "description",
    "Table": "table",
    "Text": "report",
    "TrainedModel": "weights",
    "TrainingFolder": "training_run",
    "TrainingRun": "training_run",
    "Weights": "weights",
    "disjoint": "checks",
}


def __getattr__(name: str) -> Any:
    """Import a name's module when it is asked for: who only uses weights needs neither pandas nor Kedro."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
