"""The whole tree of parameters of an adversarial pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from uncrappify.models.parameters import CriticModel, Model
from uncrappify.parameters.messages import report
from uncrappify.parameters.template import SeveralModels
from uncrappify.pipelines.restoration.parameters import PairedParameters, leave_out_variants
from uncrappify.training.parameters import CriticStage, CriticTraining, GanStage, GanTraining, RestorationTraining


class R3Options(BaseModel):
    """Options of :class:`uncrappify.losses.adversarial.R3`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gamma: float = Field(1.0, ge=0, description="Weight of the penalties on the critic's gradient")


class GeneratorSection(BaseModel):
    """The model that undoes damage as well as pixels and features can say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Model = Field(Model(), description="The network")
    training: RestorationTraining = Field(..., description="How it is trained")


class CriticSection(BaseModel):
    """The model that tells good pictures from the generator's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: CriticModel = Field(CriticModel(), description="The network")
    training: CriticTraining = Field(..., description="How it is trained")


class GanSection(BaseModel):
    """The generator that goes on learning, from the critic too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Model = Field(Model(), description="The generator's network; weights: in the place of the generator's own")
    training: GanTraining = Field(..., description="How both learn from each other")


class Parameters(PairedParameters, SeveralModels):
    """Parameters of the template ``adversarial``."""

    template: Literal["adversarial"] = Field("adversarial", description="Which template the pipeline is made from")
    objective: Literal["bce", "r3"] = Field(
        "bce",
        description="What generator and critic want: bce, the lesson's, with spectral norm; r3, pairs of a good and a "
        "generated picture, with penalties on the critic's gradient",
    )
    r3: R3Options = Field(R3Options(), description="Options of the objective r3")
    generator: GeneratorSection = Field(..., description="Undoes damage, by pixels and features")
    critic: CriticSection = Field(..., description="Tells good pictures from the generator's")
    gan: GanSection = Field(..., description="The generator that learns from the critic too")

    @property
    def restorers(self) -> dict[str, Any]:
        """What undoes damage."""
        return {"generator": self.generator, "gan": self.gan}

    def shorten(self) -> Self:
        """Train two batches a stage, of crops as small as the critic can judge."""
        short, side = super().shorten(), self.critic.model.options.smallest
        scale = self.generator.model.scale
        side += -side % scale

        def with_side(network: Any) -> dict[str, Any]:
            stages = [stage.model_copy(update={"size": side}) for stage in network.training.stages]
            return {"training": network.training.model_copy(update={"stages": stages})}

        return short._change_networks(with_side)

    @model_validator(mode="before")
    @classmethod
    def _gan_has_the_generators_network(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        generator, gan = (given.get(name) for name in ("generator", "gan"))
        models = [section.get("model") if isinstance(section, dict) else None for section in (generator, gan)]
        if not all(isinstance(model, dict) for model in models):
            return given
        return {**given, "gan": {**gan, "model": {**models[0], "weights": None, **models[1]}}}  # type: ignore[dict-item]

    @field_validator("generator", "gan")
    @classmethod
    def _pairs_have_no_variants(cls, section: Any, info: ValidationInfo) -> Any:
        return section.model_copy(update={"training": leave_out_variants(section.training, info.data.get("source"))})

    @model_validator(mode="after")
    def _gan_goes_on_with_the_generator(self) -> Self:
        mine, theirs = self.gan.model, self.generator.model
        if (mine.name, mine.options) != (theirs.name, theirs.options):
            raise report(("gan", "model"), "it is the generator's network. Leave its name and options out.")
        for name, section in (("generator", self.generator), ("critic", self.critic)):
            if self.gan.training.stages and not (section.training.stages or section.model.weights):
                raise report(
                    (name, "training", "stages"),
                    f"the gan starts from the {name}, which is not trained. Give it stages, or model.weights.",
                )
        return self

    @model_validator(mode="after")
    def _delivers_a_model(self) -> Self:
        if self.delivers not in ("", *self.restorers):
            raise report(("delivers",), "expected generator or gan, or nothing for the last that is trained.")
        return self

    @model_validator(mode="after")
    def _there_is_something_to_undo(self) -> Self:
        changes = any(step.probability > 0 for step in self.recipe.root)
        if self.gan.training.stages and not changes and not self.source.paired:
            raise report(
                ("recipe",),
                "it changes nothing, so generated pictures are good ones, and a critic has nothing to find. Give it a "
                "step, or the gan no stages.",
            )
        return self

    @model_validator(mode="after")
    def _the_critic_fits(self) -> Self:
        options, name = self.critic.model.options, self.critic.model.name
        if self.objective == "r3" and options.dropout:
            raise report(
                ("critic", "model", name, "dropout"),
                "the objective r3 compares two gradients of one critic, which dropout would make two of. Set it to 0.",
            )
        cropped: dict[str, Sequence[CriticStage | GanStage]] = {
            "critic": self.critic.training.stages,
            "gan": self.gan.training.stages,
        }
        for model, stages in cropped.items():
            for number, stage in enumerate(stages):
                if stage.size < options.smallest:
                    raise report(
                        (model, "training", "stages", number, "size"),
                        f"a critic of {options.blocks} blocks judges crops of {options.smallest} pixels or more, not "
                        f"of {stage.size}. Take larger crops, or fewer blocks (critic.model.{name}.blocks).",
                    )
        return self
