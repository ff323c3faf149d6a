"""What a user may say about where pictures come from, and the one shape that every source becomes.

A further kind is one options model here, its name in ``kind``, its key in :class:`Source`, and one case in
:func:`uncrappify.sources.fetch`.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class EmbeddedOptions(BaseModel):
    """Which of the photographs that come with installed packages are kept out of training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    valid: list[str] = Field(default=["rocket"], description="Names of the pictures that choices are made on.")
    test: list[str] = Field(
        default=["chelsea", "coffee", "flower"], description="Names of the pictures that the reported scores come from."
    )


class FolderOptions(BaseModel):
    """The user's own pictures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(
        min_length=1,
        description="Folder with pictures (jpg, png, webp, tiff, bmp, gif) at any depth; ~ is the home folder. "
        "Pictures are read there and never changed.",
    )

    @property
    def root(self) -> Path:
        """The folder, absolute."""
        # Path.expanduser raises where there is no such user; this leaves ~nobody as it is, a folder that is not there.
        return Path(os.path.expanduser(self.path)).absolute()  # noqa: PTH111


class Source(BaseModel):
    """Where the good pictures come from. Each kind has its own key, and only the chosen kind's key is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["embedded", "folder"] = Field(
        default="embedded",
        description="embedded: photographs that come with installed packages, nothing is downloaded; "
        "folder: your own pictures.",
    )
    embedded: EmbeddedOptions = Field(default=EmbeddedOptions(), description="Read when kind is embedded.")
    folder: FolderOptions | None = Field(default=None, description="Read when kind is folder: {path: ~/Pictures}.")

    @model_validator(mode="after")
    def _the_chosen_kind_has_its_options(self) -> "Source":
        if getattr(self, self.kind) is None:
            raise ValueError("kind: folder needs a path, for example {kind: folder, folder: {path: ~/Pictures}}")
        return self

    @property
    def chosen(self) -> EmbeddedOptions | FolderOptions:
        """The options of the chosen kind."""
        options: EmbeddedOptions | FolderOptions = getattr(self, self.kind)
        return options


class PictureSource(BaseModel):
    """A folder with good pictures on this machine, wherever they came from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Short name of the source.")
    root: Path = Field(description="Absolute folder that all pictures lie under.")
    licence: str = Field(description="Under which terms the pictures may be used; goes into the trained weights.")
    own_split: dict[str, list[str]] = Field(
        default={}, description="Picture names by split (valid, test) where the source decides; empty: split by hash."
    )
    groups: dict[str, str] = Field(
        default={}, description="Picture name to group, for pictures that must be in the same split as each other."
    )
