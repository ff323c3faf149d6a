"""How a model is trained: stages, and what holds for all of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from uncrappify.losses.parameters import Loss

Beta = Annotated[float, Field(ge=0, lt=1)]


class Stage(BaseModel):
    """A part of the training with an optimizer of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(72, ge=8, le=2048, description="Side of the square crops of the target, in pixels")
    batch_size: int = Field(16, ge=1, le=1024, description="Crops a step")
    steps: int = Field(..., ge=1, description="Optimizer steps")
    lr: float = Field(1e-3, gt=0, description="Learning rate at its highest")
    loss: Loss = Field(
        [{"charbonnier": 1.0}], description="Losses and their weights: l1, l1_y, mse, charbonnier, feature"
    )
    schedule: Literal["one_cycle", "constant"] = Field(
        "one_cycle", description="one_cycle: cosine up over pct_start of the steps, cosine down over the rest"
    )
    pct_start: float = Field(0.3, gt=0, lt=1, description="Share of the steps in which one_cycle goes up")


class Training(BaseModel):
    """What holds for every stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stages: list[Stage] = Field(
        ..., min_length=1, description="One after the other, each starts from the last one's weights"
    )
    ema: float = Field(
        0.999, ge=0, lt=1, description="Decay of the weights' moving average, which is delivered; 0: none"
    )
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
    weight_decay: float = Field(0.01, ge=0, description="AdamW's, on all parameters")
    betas: tuple[Beta, Beta] = Field((0.9, 0.99), description="AdamW's")
    gradient_clip: float = Field(0.0, ge=0, description="Largest norm of the gradient; 0: no limit")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 on GPUs that have it and on CPUs with AMX, else fp32"
    )
    compile: bool = Field(False, description="Use torch.compile")
    lr_find: bool = Field(False, description="Before the first stage, draw the loss against the learning rate")
