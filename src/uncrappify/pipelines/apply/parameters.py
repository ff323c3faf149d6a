"""The whole tree of parameters of a pipeline that applies a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from uncrappify.names import expand
from uncrappify.parameters.template import TemplateParameters

if TYPE_CHECKING:
    from uncrappify.inference.results import Request


class ApplyOptions(BaseModel):
    """What is asked for, as by the options of ``uncrappify apply``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["jpg", "png", "webp", "tiff", "avif"] | None = Field(
        None, description="Of restored pictures; empty: that of each picture"
    )
    quality: int | None = Field(None, ge=1, le=100, description="Of JPEG, WebP and AVIF")
    scale_to: str | None = Field(None, description="2x, 3000x (wide), x1200 (high) or 1600x1200 (fits into both)")
    tile: Annotated[int, Field(ge=64)] | None = Field(None, description="Side of the tiles in pixels")
    tta: bool = Field(False, description="Average over mirrored and turned copies")
    device: str = Field("auto", description="cpu, cuda, cuda:1, mps; auto: the GPU where there is one")
    overwrite: bool = Field(False, description="Do again what is there")

    @property
    def request(self) -> Request:
        """What the model is asked for.

        Raises:
            UserError: If the size is none.
        """
        from uncrappify.inference.results import Request

        return Request.parse(**self.model_dump(exclude={"device", "overwrite"}))


class Parameters(TemplateParameters):
    """Parameters of the template ``apply``."""

    template: Literal["apply"] = Field("apply", description="Which template the pipeline is made from")
    weights: str = Field(
        "superres", description="A model.safetensors, a pipeline's name, a run's id, or models:/<name>@<alias>"
    )
    pictures: str | None = Field(None, description="A picture, a folder or a glob; the runtime parameter pictures")
    options: ApplyOptions = Field(ApplyOptions(), description="What is asked for")

    @model_validator(mode="after")
    def _delivers_weights(self) -> Self:
        # It uses weights and makes none.
        return self

    @property
    def networks(self) -> dict[str, Any]:
        """None: nothing is trained."""
        return {}

    @property
    def folders(self) -> list[Path]:
        """The user's folder, where it is one."""
        folder = expand(self.pictures or "")
        return [folder] if self.pictures and folder.is_dir() else []

    def with_pictures(self, folder: str) -> Self:
        """Take these pictures."""
        return self.model_copy(update={"pictures": folder})

    def with_weights(self, weights: str) -> Self:
        """Take these weights."""
        return self.model_copy(update={"weights": weights})

    def shorten(self) -> Self:
        """Change nothing: what takes long is the user's pictures."""
        return self

    def find_weights(self, *, smoke: bool) -> Self:
        """Prefer what a smoke run has trained, in a smoke run."""
        from uncrappify.parameters.delivery import SMOKE, find_weights

        if not smoke:
            return self
        file = find_weights(self.weights, smoke=True)
        return self.with_weights(str(file)) if SMOKE in file.as_posix() and file.is_file() else self
