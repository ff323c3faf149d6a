"""Where good pictures come from: every source becomes a folder with a manifest."""

from pathlib import Path

from uncrappify.sources import embedded, folder
from uncrappify.sources.manifest import list_pictures
from uncrappify.sources.parameters import EmbeddedOptions, FolderOptions, PictureSource, Source
from uncrappify.sources.split import assign_splits

__all__ = ["EmbeddedOptions", "FolderOptions", "PictureSource", "Source", "assign_splits", "fetch", "list_pictures"]


def fetch(source: Source, raw: Path) -> PictureSource:
    """Bring a source's pictures to this machine; what is already there is kept.

    Args:
        source: Which source.
        raw: Folder for raw data; a source that is copied lies in a folder of its own name in it.

    Returns:
        Where the pictures are, their licence, and what the source says about the split.

    Raises:
        UserError: The source's options ask for something that is not there.
    """
    match source.chosen:
        case EmbeddedOptions() as options:
            return embedded.collect(options, raw / "embedded")
        case FolderOptions() as options:
            return folder.point_at(options)
