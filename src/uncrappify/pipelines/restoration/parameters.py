"""The whole tree of parameters of a restoration pipeline."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from uncrappify.degradations import Recipe
from uncrappify.models.parameters import Model
from uncrappify.parameters import located
from uncrappify.sources import FolderOptions, Source
from uncrappify.training.parameters import Training


class Evaluation(BaseModel):
    """What the evaluation shows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sheet_rows: int = Field(6, ge=1, le=24, description="Pictures on the sheet")


class Parameters(BaseModel):
    """Parameters of the template ``restoration``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: Literal["restoration"] = Field("restoration", description="Which template the pipeline is made from")
    seed: int = Field(42, ge=0, lt=2**32, description="Of everything random")
    source: Source = Field(Source(), description="Where the good pictures come from")
    recipe: Recipe = Field(..., description="What happens to a picture, in order")
    model: Model = Field(Model(), description="The network")
    training: Training = Field(..., description="How it is trained")
    evaluation: Evaluation = Field(Evaluation(), description="What is shown of the result")

    @model_validator(mode="after")
    def _scales_agree(self) -> Self:
        scale, factor = self.model.scale, self.recipe.scale
        if scale > 1 and scale != factor:
            made = "does not make pictures smaller by a fixed factor" if factor is None else f"has factor {factor}"
            raise located(
                ("model", self.model.name, "scale"),
                f"the scale is {scale}, but the recipe {made}. A model that enlarges needs one resize by its own "
                f"scale, such as resize: {{factor: {scale}}}; with scale: 1 the degraded picture is first enlarged to "
                "the size of the good one.",
            )
        for number, stage in enumerate(self.training.stages):
            if stage.size % scale:
                raise located(
                    ("training", "stages", number, "size"),
                    f"{stage.size} is no multiple of the model's scale {scale}. "
                    f"Take {stage.size + -stage.size % scale}.",
                )
        return self

    def with_pictures(self, folder: str) -> Self:
        """Take the pictures of a folder instead of the source's."""
        return self.model_copy(update={"source": Source(kind="folder", folder=FolderOptions(path=folder))})

    def smoke(self) -> Self:
        """Train two batches a stage."""
        stages = [stage.model_copy(update={"steps": 2}) for stage in self.training.stages]
        return self.model_copy(update={"training": self.training.model_copy(update={"stages": stages})})
