"""Which model, and its options: each model's under its own name, of which the chosen one is read."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class UpscalerOptions(BaseModel):
    """Options of :class:`uncrappify.models.upscaler.Upscaler`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: int = Field(3, ge=1, le=8, description="How many times larger the output is than the input")
    channels: int = Field(32, ge=4, le=512, description="Width of the residual blocks")
    blocks: int = Field(4, ge=1, le=64, description="Number of residual blocks")


class Model(BaseModel):
    """The model to train."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["upscaler"] = Field("upscaler", description="Which model")
    upscaler: UpscalerOptions = Field(UpscalerOptions(), description="Options of the upscaler")

    @property
    def options(self) -> UpscalerOptions:
        """Options of the chosen model."""
        options: UpscalerOptions = getattr(self, self.name)
        return options

    @property
    def scale(self) -> int:
        """How many times larger the output is than the input."""
        return self.options.scale
