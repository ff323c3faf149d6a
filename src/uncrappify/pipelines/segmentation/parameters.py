"""The whole tree of parameters of a segmentation pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from uncrappify.models.parameters import SegmentationModel
from uncrappify.pictures.masks import Labels
from uncrappify.sources import MaskedFolderOptions, MaskedSource
from uncrappify.training.parameters import SegmentationTraining


class Evaluation(BaseModel):
    """How the test pictures are segmented, and what is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sheet_rows: int = Field(6, ge=1, le=24, description="Pictures on the sheet, the worst first")
    flip: bool = Field(False, description="Average over a picture and its mirror image, for twice the time")


class Parameters(BaseModel):
    """Parameters of the template ``segmentation``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: Literal["segmentation"] = Field("segmentation", description="Which template the pipeline is made from")
    seed: int = Field(42, ge=0, lt=2**32, description="Of everything random")
    source: MaskedSource = Field(MaskedSource(), description="Where pictures and masks come from")
    labels: Labels = Field(..., description="The classes, and how masks write them")
    model: SegmentationModel = Field(SegmentationModel(), description="The network")
    training: SegmentationTraining = Field(..., description="How it is trained")
    evaluation: Evaluation = Field(Evaluation(), description="How it is tested")

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

    def smoke(self) -> Self:
        """Train two batches a stage."""
        stages = [stage.model_copy(update={"steps": 2}) for stage in self.training.stages]
        return self.model_copy(update={"training": self.training.model_copy(update={"stages": stages})})
