"""The catalog's own dataset classes, and the values that they hand out."""

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
