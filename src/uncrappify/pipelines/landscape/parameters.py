"""The whole tree of parameters of a landscape pipeline."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from uncrappify.evaluation.grids import GridPoints
from uncrappify.parameters.messages import nearest, report
from uncrappify.pipelines.classification.parameters import LabelledParameters, OneModel

SNAPSHOTS = 2
"""Weights that have to be kept of a training, for there to be a path."""


class Survey(BaseModel):
    """Around which weights the loss is measured, and where."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plain: str = Field(..., description="The model without additions")
    residual: str = Field(..., description="The same with additions")
    points: GridPoints = Field(31, description="Points on each axis of the grid, from -1 to 1; an odd number")
    samples: int = Field(256, ge=1, description="Training pictures that the loss is measured on, drawn by the seed")


class Parameters(LabelledParameters):
    """Parameters of the template ``landscape``."""

    each: ClassVar[type[BaseModel]] = OneModel

    template: Literal["landscape"] = Field("landscape", description="Which template the pipeline is made from")
    survey: Survey = Field(..., description="Where the loss is measured")

    @model_validator(mode="after")
    def _surveys_two_nets_alike(self) -> Self:
        for role in ("plain", "residual"):
            name = getattr(self.survey, role)
            if name not in self.networks:
                raise report(("survey", role), nearest("model", name, list(self.networks)))
        if self.survey.plain == self.survey.residual:
            raise report(("survey", "residual"), "it is the plain one too; name another model.")
        plain, residual = (self.networks[name] for name in (self.survey.plain, self.survey.residual))
        if plain.model.name == residual.model.name == "deep":
            mine, theirs = (network.model.deep.model_dump() for network in (plain, residual))
            if different := [key for key in mine if key != "residual" and mine[key] != theirs[key]]:
                raise report(
                    ("survey", "residual"),
                    f"{self.survey.plain} and {self.survey.residual} differ in {' and '.join(different)}: one draw of "
                    "directions fits both only where they differ by the additions alone.",
                )
        for name, network in self.networks.items():
            if name in (self.survey.plain, self.survey.residual) and network.training.snapshots < SNAPSHOTS:
                raise report((name, "training", "snapshots"), f"the path needs {SNAPSHOTS} or more.")
        return self

    def shorten(self) -> Self:
        """Train two batches a stage, and measure few points."""
        survey = self.survey.model_copy(update={"points": 3, "samples": min(self.survey.samples, 16)})
        return super().shorten().model_copy(update={"survey": survey})
