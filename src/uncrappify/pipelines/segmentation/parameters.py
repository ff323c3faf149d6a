"""The whole tree of parameters of a segmentation pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from unicodedata import normalize

from pydantic import BaseModel, ConfigDict, Field, model_validator

from uncrappify.models.parameters import SegmentationModel
from uncrappify.parameters.messages import report, report_missing
from uncrappify.parameters.template import TemplateParameters
from uncrappify.pictures.masks import Labels
from uncrappify.sources import MaskedFolderOptions, MaskedSource
from uncrappify.training.parameters import SegmentationTraining

LONGEST_CLASS = 100
"""Letters of a class's name, which goes into the names of metrics and into tables and figures."""


class Evaluation(BaseModel):
    """How the test pictures are segmented, and what is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sheet_rows: int = Field(6, ge=1, le=24, description="Pictures on the sheet, the worst first")
    flip: bool = Field(False, description="Average over a picture and its mirror image, for twice the time")


class Parameters(TemplateParameters):
    """Parameters of the template ``segmentation``."""

    template: Literal["segmentation"] = Field("segmentation", description="Which template the pipeline is made from")
    source: MaskedSource = Field(MaskedSource(), description="Where pictures and masks come from")
    labels: Labels = Field(..., description="The classes, and how masks write them")
    model: SegmentationModel = Field(SegmentationModel(), description="The network")
    training: SegmentationTraining = Field(..., description="How it is trained")
    evaluation: Evaluation = Field(Evaluation(), description="How it is tested")

    @model_validator(mode="after")
    def _has_classes_that_can_be_told_apart(self) -> Self:
        # Not a matter of the labels themselves, which weights of an earlier version have, too.
        seen: dict[str, str] = {}
        for place, name in enumerate(self.labels.classes):
            where = ("labels", "classes", place)
            same = seen.setdefault("".join(normalize("NFKC", name).casefold().split()), name)
            if same != name:
                raise report(where, f'"{name}" and "{same}" differ in nothing but case or spaces. Rename one of them.')
            if len(name) > LONGEST_CLASS:
                raise report(where, f"a class's name has at most {LONGEST_CLASS} characters, this one {len(name)}.")
            if name == "name":
                raise report(where, '"name" is the column of the pictures\' names in a table. Rename the class.')
        return self

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        if self.model.size is None and not self.training.stages:
            raise report_missing("model", "size")
        return self

    @property
    def folders(self) -> list[Path]:
        """The user's own folders."""
        return self.source.folders

    def with_pictures(self, folder: str) -> Self:
        """Take the pictures and masks of a folder instead of the source's."""
        source = MaskedSource(kind="masked_folder", masked_folder=MaskedFolderOptions(path=folder))
        return self.model_copy(update={"source": source})

    def with_mirror(self, mirror: str) -> Self:
        """Take the archive from a folder or URL instead of its own address."""
        return self.model_copy(update={"source": self.source.with_mirror(mirror)})
