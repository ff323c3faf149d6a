"""The whole tree of parameters of a classification pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from uncrappify.models.parameters import ClassificationModel
from uncrappify.parameters.template import SeveralModels
from uncrappify.sources import LARGEST_SIDE, ClassFoldersOptions, LabelledSource
from uncrappify.training.parameters import ClassificationTraining

Side = Annotated[int, Field(ge=4, le=LARGEST_SIDE)]


class LabelledParameters(SeveralModels):
    """What templates have in common that learn from labelled pictures."""

    source: LabelledSource = Field(LabelledSource(), description="Where the pictures and their classes come from")
    size: tuple[Side, Side] | None = Field(
        None, description="Height and width that pictures are brought to; null: they all have the same"
    )

    @property
    def folders(self) -> list[Path]:
        """The user's own folders."""
        return self.source.folders

    def with_pictures(self, folder: str) -> Self:
        """Take a folder with a folder for each class instead of the source."""
        source = LabelledSource(kind="class_folders", class_folders=ClassFoldersOptions(path=folder))
        return self.model_copy(update={"source": source})

    def with_mirror(self, mirror: str) -> Self:
        """Take the archive from a folder or URL instead of its own address."""
        return self.model_copy(update={"source": self.source.with_mirror(mirror)})


class Evaluation(BaseModel):
    """What is shown of the result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sheet_pictures: int = Field(40, ge=1, le=400, description="Pictures on the sheet, the surest mistakes first")


class OneModel(BaseModel):
    """The section of a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: ClassificationModel = Field(..., description="The network")
    training: ClassificationTraining = Field(..., description="How it is trained")

    @model_validator(mode="after")
    def _an_encoder_is_there(self) -> Self:
        if self.model.name != "timm":
            self.training.check_encoder(self.model.name, "timm")
        return self


class Parameters(LabelledParameters):
    """Parameters of the template ``classification``."""

    each: ClassVar[type[BaseModel]] = OneModel

    template: Literal["classification"] = Field(
        "classification", description="Which template the pipeline is made from"
    )
    evaluation: Evaluation = Field(Evaluation(), description="What is shown of the result")
