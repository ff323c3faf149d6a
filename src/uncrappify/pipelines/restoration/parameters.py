"""The whole tree of parameters of a restoration pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from uncrappify.degradations import Recipe
from uncrappify.errors import UserError
from uncrappify.models.parameters import Model
from uncrappify.parameters.messages import report
from uncrappify.parameters.template import TemplateParameters
from uncrappify.sources import FolderOptions, Source
from uncrappify.training.parameters import PairTraining, RestorationTraining

T = TypeVar("T", bound=PairTraining)


class Evaluation(BaseModel):
    """How pictures are judged, and what is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repeats: int = Field(
        1, ge=1, le=1000, description="How often each test picture is damaged, anew each time but the first"
    )
    sheet_rows: int = Field(6, ge=1, le=24, description="Pictures on the sheet")

    def check_pairs(self, source: Source, test_source: Source | None) -> None:
        """Check that test pictures which have to be damaged anew can be.

        Args:
            source: Of the pictures.
            test_source: Of those of the test split, if another.

        Raises:
            ValidationError: They have degraded pictures of their own, and so no recipe.
        """
        tested = test_source or source
        if self.repeats > 1 and tested.paired:
            place = "test_source" if test_source else "source"
            raise report(
                ("evaluation", "repeats"),
                f"the pictures of {place} (kind: {tested.kind}) have their own degraded pictures, each of which can be "
                f"judged once, not {self.repeats} times. Take repeats: 1, or good pictures alone, which the recipe "
                "degrades.",
            )


class PairedParameters(TemplateParameters):
    """What templates have in common that undo damage."""

    source: Source = Field(Source(), description="Where the good pictures come from")
    test_source: Source | None = Field(
        None, description="Where the pictures of the test split come from instead: all of that source's pictures"
    )
    recipe: Recipe = Field(
        default=None,
        validate_default=True,
        description="What happens to a picture, in order; not read where the source has pairs",
    )
    evaluation: Evaluation = Field(Evaluation(), description="How the result is judged, and what is shown of it")

    @property
    def restorers(self) -> dict[str, Any]:
        """What undoes damage, as :attr:`networks`."""
        return self.networks

    @field_validator("recipe", mode="before")
    @classmethod
    def _pairs_need_no_recipe(cls, recipe: object, info: ValidationInfo) -> object:
        # What another environment left here must neither hurt nor stand in the description of the model.
        source = info.data.get("source")
        if source and source.paired:
            return []
        if recipe is None:
            raise PydanticCustomError("missing", "Field required")
        return recipe

    @model_validator(mode="after")
    def _a_test_of_pairs_is_paired(self) -> Self:
        if self.source.paired and self.test_source and not self.test_source.paired:
            raise report(
                ("test_source", "kind"),
                "the source has pairs, so there is no recipe that could degrade the pictures of the test source. Give "
                "one with pairs too: kind: pairs, or an archive with layout.degraded.",
            )
        return self

    @model_validator(mode="after")
    def _given_pairs_are_judged_once(self) -> Self:
        self.evaluation.check_pairs(self.source, self.test_source)
        return self

    @model_validator(mode="after")
    def _scales_agree(self) -> Self:
        factor = self.recipe.scale
        for name, network in self.restorers.items():
            place, scale = (name,) if name else (), network.model.scale
            if scale > 1 and scale != factor and not self.source.paired:
                made = "does not make pictures smaller by a fixed factor" if factor is None else f"has factor {factor}"
                raise report(
                    (*place, "model", network.model.name, "scale"),
                    f"the scale is {scale}, but the recipe {made}. A model that enlarges needs one resize by its own "
                    f"scale, such as resize: {{factor: {scale}}}; with scale: 1 the degraded picture is first enlarged "
                    "to the size of the good one.",
                )
            for number, stage in enumerate(network.training.stages):
                if stage.size % scale:
                    raise report(
                        (*place, "training", "stages", number, "size"),
                        f"{stage.size} is no multiple of the model's scale {scale}. "
                        f"Take {stage.size + -stage.size % scale}.",
                    )
        return self

    @model_validator(mode="after")
    def _an_encoder_is_there(self) -> Self:
        for name, network in self.restorers.items():
            if network.model.name != "unet":
                network.training.check_encoder(network.model.name, "unet", (name,) if name else ())
        return self

    @property
    def folders(self) -> list[Path]:
        """The user's own folders."""
        given = self.source, self.test_source
        return [folder for source in given if source for folder in source.folders]

    def with_pictures(self, folder: str) -> Self:
        """Take the pictures of a folder instead of the source's and the test source's.

        Raises:
            UserError: If the pipeline has pairs, and so no recipe for them.
        """
        if self.source.paired:
            raise UserError(
                f"pictures: this pipeline's source (kind: {self.source.kind}) has its own degraded pictures and no "
                "recipe that could degrade yours. Give a source of kind pairs with your degraded and good pictures."
            )
        source = Source(kind="folder", folder=FolderOptions(path=folder))
        return self.model_copy(update={"source": source, "test_source": None})

    def with_mirror(self, mirror: str) -> Self:
        """Take archives from a folder or URL instead of their own addresses."""
        test_source = self.test_source and self.test_source.with_mirror(mirror)
        return self.model_copy(update={"source": self.source.with_mirror(mirror), "test_source": test_source})


class Parameters(PairedParameters):
    """Parameters of the template ``restoration``."""

    template: Literal["restoration"] = Field("restoration", description="Which template the pipeline is made from")
    model: Model = Field(Model(), description="The network")
    training: RestorationTraining = Field(..., description="How it is trained")

    @field_validator("training")
    @classmethod
    def _pairs_have_no_variants(cls, training: RestorationTraining, info: ValidationInfo) -> RestorationTraining:
        return leave_out_variants(training, info.data.get("source"))


def leave_out_variants(training: T, source: Source | None) -> T:
    """Leave out variants where a source has pairs: a variant of a good picture would have to be degraded anew."""
    return training.model_copy(update={"variants": 0}) if source and source.paired else training
