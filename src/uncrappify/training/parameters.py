"""How a model is trained: stages, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from uncrappify.losses.parameters import Loss, check_weights
from uncrappify.models.parameters import Side
from uncrappify.parameters.messages import Location, report, report_missing

Beta = Annotated[float, Field(ge=0, lt=1)]


def _rates(given: Any) -> float | tuple[float, float]:
    # By hand: of a union, Pydantic tells a mistake once for each of its members.
    several = isinstance(given, list | tuple)
    rates = list(given) if several else [given]
    if len(rates) != 1 + several or not all(isinstance(rate, int | float) and rate > 0 for rate in rates):
        raise PydanticCustomError("rates", "expected a number above 0, or two, of encoder and decoder")
    return (float(rates[0]), float(rates[1])) if several else float(given)


_RATE = {"type": "number", "exclusiveMinimum": 0}
Rates = Annotated[
    float | tuple[float, float],
    PlainValidator(_rates),
    WithJsonSchema({"anyOf": [_RATE, {"type": "array", "items": _RATE, "minItems": 2, "maxItems": 2}]}),
]


class Stage(BaseModel):
    """A part of the training with an optimizer of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_size: int = Field(16, ge=1, le=1024, description="Samples a step")
    steps: int | None = Field(None, ge=1, description="Batches to train on; epochs says the same in another way")
    epochs: int | None = Field(None, ge=1, description="Passes over all training pictures, in place of steps")
    lr: Rates = Field(
        1e-3,
        description="Learning rate at its highest; two: of an encoder's shallow half and of the decoder",
    )
    freeze_encoder: bool = Field(False, description="Leave a pretrained encoder as it is, apart from its batch norm")
    freeze_batch_norm: bool = Field(False, description="Leave the frozen encoder's batch norm as it is too")
    schedule: Literal["one_cycle", "constant"] = Field(
        "one_cycle", description="one_cycle: cosine up over pct_start of the steps, cosine down over the rest"
    )
    pct_start: float = Field(0.3, gt=0, lt=1, description="Share of the steps in which one_cycle goes up")

    @model_validator(mode="after")
    def _has_one_length(self) -> Self:
        if self.steps is None and self.epochs is None:
            raise report_missing("steps")
        if self.steps and self.epochs:
            raise report(("epochs",), "there are steps too; give one of both.")
        return self

    @model_validator(mode="after")
    def _only_what_is_frozen_has_a_frozen_batch_norm(self) -> Self:
        if self.freeze_batch_norm and not self.freeze_encoder:
            raise report(("freeze_batch_norm",), "only a frozen encoder has it; set freeze_encoder: true too.")
        return self

    def with_steps(self, samples: int) -> Self:
        """Give the stage with its number of batches.

        Args:
            samples: Of which an epoch consists; a batch may hold the end of one and the beginning of the next.
        """
        if self.epochs is None:
            return self
        return self.model_copy(update={"steps": max(1, self.epochs * samples // self.batch_size), "epochs": None})

    def check(self) -> None:
        """Look for what the stage needs; most need nothing."""


class _Sized(BaseModel):
    """What has a size, which messages and schemas then name first."""

    size: int | tuple[Side, Side] = Field(..., description="Of what is learned from, in pixels")


class RestorationStage(Stage, _Sized):
    """A stage that learns to undo damage."""

    size: int = Field(72, ge=8, le=2048, description="Side of the square crops of the target, in pixels")
    loss: Loss = Field(
        [{"charbonnier": 1.0}], description="Losses and their weights: l1, l1_y, mse, charbonnier, feature"
    )

    def check(self) -> None:
        """Look for the weights that the losses need."""
        check_weights(self.loss)


class CriticStage(Stage, _Sized):
    """A stage that learns to tell good pictures from generated ones."""

    size: int = Field(96, ge=16, le=2048, description="Side of the square crops, in pixels")


class GanStage(RestorationStage):
    """A stage in which generator and critic take turns."""

    lr: Rates = Field(
        2e-4, description="The generator's learning rate; two: of an encoder's shallow half and the decoder"
    )
    critic_lr: float = Field(4e-4, gt=0, description="The critic's learning rate")
    steps: int | None = Field(None, ge=1, description="Batches to train on, each a turn of one of both")
    schedule: Literal["one_cycle", "constant"] = Field("constant", description="Both rates stay as they are")
    adversarial: float = Field(
        0.02, ge=0, description="Weight of what the critic says, beside the losses; 0: the critic has no turns"
    )

    @model_validator(mode="after")
    def _keeps_its_rates(self) -> Self:
        if self.schedule != "constant":
            raise report(
                ("schedule",), "two networks that take turns keep their rates. Take constant, or leave it out."
            )
        return self


class SegmentationStage(Stage, _Sized):
    """A stage that learns which class a pixel belongs to."""

    size: tuple[Side, Side] = Field(
        ..., description="Height and width that a picture, or the part of it that zoom has cut out, is brought to"
    )


class ClassificationStage(Stage):
    """A stage that learns which class a picture belongs to."""

    batch_size: int = Field(128, ge=2, le=4096, description="Pictures a step")


class LanguageStage(Stage):
    """A stage that learns which word follows."""

    batch_size: int = Field(64, ge=2, le=4096, description="Windows a step")
    bptt: int = Field(20, ge=1, le=2000, description="Words of a window, through which the gradient goes back")
    order: Literal["text", "random"] = Field(
        "text",
        description="text: each row of a batch goes on where the last one's ended, for what keeps a state; random: "
        "windows from anywhere",
    )
    swaps: float = Field(
        0.0, ge=0, le=1, description="Share of random windows in which two words change places wherever they stand"
    )

    @model_validator(mode="after")
    def _swap_within_windows(self) -> Self:
        if self.swaps and self.order == "text":
            raise ValueError("swaps is for windows with order: random; what a state remembers would not be swapped")
        return self

    def with_steps(self, samples: int) -> Self:
        """Give the stage with its number of batches.

        Args:
            samples: Words of the text; the last batch of an epoch goes on at its beginning.
        """
        if self.epochs is None:
            return self
        return self.model_copy(update={"steps": self.epochs * self.count_batches(samples), "epochs": None})

    def count_batches(self, samples: int) -> int:
        """Count the batches that a text takes."""
        return -(-samples // (self.batch_size * self.bptt))


class Training(BaseModel):
    """What holds for every stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stages: Sequence[Stage] = Field(
        ...,
        description="One after the other, each starts from the last one's weights; empty: model.weights as they are",
    )
    ema: float = Field(
        0.999, ge=0, lt=1, description="Decay of the weights' moving average, which is delivered; 0: none"
    )
    weight_decay: float = Field(0.01, ge=0, description="AdamW's, on all parameters")
    betas: tuple[Beta, Beta] = Field((0.9, 0.99), description="AdamW's")
    gradient_clip: float = Field(0.0, ge=0, description="Largest norm of the gradient; 0: no limit")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 on GPUs that have it and on CPUs with AMX or AVX512-BF16, else fp32"
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="CPU threads; null: all cores; thin layers are computed sooner by one"
    )
    devices: int = Field(
        1, ge=1, le=64, description="GPUs, or processes where there is no GPU, that share every batch of a stage"
    )
    compile: bool = Field(False, description="Use torch.compile")
    lr_find: bool = Field(False, description="Before the first stage, draw the loss against the learning rate")

    @property
    def processes(self) -> int:
        """How many processes hold the data: those that train, and where they are several, the one that started them."""
        return self.devices + (self.devices > 1)

    def shorten(self) -> Self:
        """Train two batches a stage."""
        stages = [stage.model_copy(update={"steps": 2, "epochs": None}) for stage in self.stages]
        return self.model_copy(update={"stages": stages})

    def check(self) -> None:
        """Look for the devices and for what the stages need.

        Raises:
            UserError: If there are fewer devices, or a loss lacks its weights.
        """
        if self.devices > 1:
            from uncrappify.training.hardware import check_devices

            check_devices(self.devices)
        for stage in self.stages:
            stage.check()

    def check_encoder(self, model: str, choices: str, place: Location = ()) -> None:
        """Check that nothing is said of an encoder, for a model that has none.

        Args:
            model: Its name.
            choices: Models that have one, for the message; empty: there are none.
            place: Of the section that the training is in.

        Raises:
            PydanticCustomError: If a stage freezes it, or has two learning rates.
        """
        for number, stage in enumerate(self.stages):
            given = {"freeze_encoder": stage.freeze_encoder, "lr": isinstance(stage.lr, tuple)}
            for option in (option for option, is_given in given.items() if is_given):
                other = f", or model.name: {choices}" if choices else ""
                raise report(
                    (*place, "training", "stages", number, option),
                    f"the model {model} has no encoder. Take one learning rate and no freezing{other}.",
                )

    @model_validator(mode="after")
    def _can_be_shared(self) -> Self:
        if self.compile and self.devices > 1:
            raise report(("compile",), "a network is not compiled for several devices; set compile: false.")
        for number, stage in enumerate(self.stages):
            if stage.batch_size % self.devices:
                raise report(
                    ("devices",),
                    f"{self.devices} devices cannot share the {stage.batch_size} samples of stages.{number}.batch_size "
                    f"evenly. Take fewer, or batch_size: {stage.batch_size + -stage.batch_size % self.devices}.",
                )
        return self


class PairTraining(Training):
    """How a network learns from good pictures and their degraded twins."""

    augment: list[Literal["flip", "turn", "zoom", "permute_channels", "gamma", "saturation"]] = Field(
        ["flip", "turn", "zoom", "permute_channels", "gamma", "saturation"],
        description="flip and turn happen to every crop, the others to variants of a picture",
    )
    variants: int = Field(
        600,
        ge=0,
        le=100_000,
        description="Copies to augment and degrade before training, in all; a set of more pictures needs none",
    )
    crops_on_text: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the crops that are cut where the recipe has written, if it has; a text is a small part",
    )

    def shorten(self) -> Self:
        """Train two batches a stage, without variants, which would take longer than that."""
        return super().shorten().model_copy(update={"variants": 0})


class RestorationTraining(PairTraining):
    """How a network learns to undo damage."""

    stages: list[RestorationStage] = Field(
        ...,
        description="One after the other, each starts from the last one's weights; empty: model.weights as they are",
    )


class CriticTraining(Training):
    """How a network learns to tell good pictures from generated ones."""

    stages: list[CriticStage] = Field(
        ...,
        description="One after the other, each starts from the last one's weights; empty: model.weights as they are",
    )
    ema: float = Field(
        0.98, ge=0, lt=1, description="Decay of the weights' moving average, which is delivered; 0: none"
    )
    augment: list[Literal["flip", "turn", "permute_channels", "gamma", "saturation"]] = Field(
        ["flip", "turn", "permute_channels", "gamma", "saturation"],
        description="flip and turn happen to every crop, the others to variants of a picture, in the same way to the "
        "generated and to the good one",
    )
    variants: int = Field(
        120, ge=0, le=100_000, description="Pairs to augment before training, in all; a set of more pictures needs none"
    )
    valid_crops: int = Field(
        200,
        ge=1,
        le=100_000,
        description="How many crops of the validation pictures, a quarter of a crop apart, there have to be",
    )

    def shorten(self) -> Self:
        """Train two batches a stage, without variants, and be content with few validation pictures."""
        return super().shorten().model_copy(update={"valid_crops": 1, "variants": 0})


class FixedTurns(BaseModel):
    """The critic has so many turns before each of the generator's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    critic_steps: int = Field(1, ge=1, le=1000, description="Turns of the critic before each of the generator's")


class AdaptiveTurns(BaseModel):
    """The critic goes on until it is good enough; then the generator has one turn. The lesson's switcher."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = Field(0.65, gt=0, description="The critic's loss below which the generator has its turn")
    most_critic_steps: int = Field(20, ge=1, le=1000, description="Turns of the critic in a row at most")


class GanTraining(PairTraining):
    """How a generator and a critic learn from each other."""

    stages: list[GanStage] = Field(
        ...,
        description="One after the other, each starts from the last one's weights; empty: model.weights as they are",
    )
    betas: tuple[Beta, Beta] = Field(
        (0.0, 0.99),
        description="AdamW's, of both; the first is 0: momentum would follow what the other network was before",
    )
    weight_decay: float = Field(0.0, ge=0, description="AdamW's, on all parameters of both")
    strategy: Literal["fixed", "adaptive"] = Field("fixed", description="Who has the next turn")
    fixed: FixedTurns = Field(FixedTurns(), description="Options of the fixed strategy")
    adaptive: AdaptiveTurns = Field(AdaptiveTurns(), description="Options of the adaptive strategy")
    largest_loss: float = Field(
        1.0,
        gt=0,
        description="How far the PSNR of what is delivered may be below the generator's that it starts from, dB",
    )

    @model_validator(mode="after")
    def _takes_turns_in_one_place(self) -> Self:
        if self.devices > 1:
            raise report(("devices",), "networks that take turns stay on one device. Take devices: 1.")
        return self


class SegmentationTraining(Training):
    """How a network learns which class a pixel belongs to."""

    stages: list[SegmentationStage] = Field(
        ...,
        description="One after the other, each starts from the last one's weights; empty: model.weights as they are",
    )
    ema: float = Field(0.0, ge=0, lt=1, description="Decay of the weights' moving average, which is delivered; 0: none")
    augment: list[Literal["flip", "zoom", "rotate", "light"]] = Field(
        ["flip", "zoom", "rotate", "light"],
        description="flip: left and right; zoom: a part of the picture, 0.4 to 1 of its area; rotate: 10 degrees; "
        "light: brightness, contrast and saturation",
    )
    class_weights: Literal["none", "median_frequency"] = Field(
        "none", description="median_frequency: pixels of rare classes count more in the cross entropy"
    )
    dice: float = Field(0.0, ge=0, description="Weight of the Dice loss beside the cross entropy's 1; 0: none")


class Affine(BaseModel):
    """How far a picture is turned, moved, magnified and slanted, each evenly between the extremes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    degrees: float = Field(10.0, ge=0, le=180, description="Turned by up to so many degrees, either way")
    shift: float = Field(0.05, ge=0, le=1, description="Moved by up to this share of its size, each way")
    zoom: float = Field(0.1, ge=0, lt=1, description="Made larger or smaller by up to this share")
    shear: float = Field(5.0, ge=0, le=60, description="Slanted by up to so many degrees, either way")


class ClassificationTraining(Training):
    """How a network learns which class a picture belongs to."""

    stages: list[ClassificationStage] = Field(
        ...,
        description="One after the other, each starts from the last one's weights; empty: model.weights as they are",
    )
    ema: float = Field(0.0, ge=0, lt=1, description="Decay of the weights' moving average, which is delivered; 0: none")
    padding: int = Field(
        3, ge=0, le=64, description="Pixels of black around a picture, of which a part of its size is cut out at random"
    )
    affine: Affine | None = Field(None, description="Turn, move, magnify and slant pictures, such as {degrees: 10}")
    flip: bool = Field(False, description="Mirror half of the pictures, left and right; not for digits or letters")
    snapshots: int = Field(
        0, ge=0, le=1000, description="Keep the weights at so many steps of each stage, for the path of the training"
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share of the target that all classes have alike (Szegedy et al. 2015)"
    )


class LanguageTraining(Training):
    """How a network learns which word follows."""

    stages: list[LanguageStage] = Field(
        ...,
        description="One after the other, each starts from the last one's weights; empty: model.weights as they are",
    )
    ema: float = Field(0.0, ge=0, lt=1, description="Decay of the weights' moving average, which is delivered; 0: none")

    @model_validator(mode="after")
    def _keeps_the_state_in_one_place(self) -> Self:
        if self.devices > 1:
            raise report(("devices",), "what a network remembers of a text stays on one device. Take devices: 1.")
        return self
