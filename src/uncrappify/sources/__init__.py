"""Where good pictures come from: every source becomes a folder with a manifest."""

from pathlib import Path

from uncrappify.sources import archive, embedded, folder, masks, pairs, street_scenes
from uncrappify.sources.manifest import TEST_PREFIX, list_pictures, pictures_of
from uncrappify.sources.masks import examine_masks
from uncrappify.sources.pairs import GivenPair, check_sizes, given_pairs
from uncrappify.sources.parameters import (
    ArchiveOptions,
    EmbeddedOptions,
    FolderOptions,
    Layout,
    MaskedFolderOptions,
    MaskedSource,
    PairsOptions,
    PictureSource,
    Source,
    StreetsOptions,
)
from uncrappify.sources.split import assign_splits

__all__ = [
    "ArchiveOptions",
    "EmbeddedOptions",
    "FolderOptions",
    "GivenPair",
    "Layout",
    "MaskedFolderOptions",
    "MaskedSource",
    "PairsOptions",
    "PictureSource",
    "Source",
    "StreetsOptions",
    "assign_splits",
    "check_sizes",
    "examine_masks",
    "fetch",
    "given_pairs",
    "list_pictures",
    "with_test_source",
]


def fetch(source: Source | MaskedSource, raw: Path) -> PictureSource:
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
        case StreetsOptions() as options:
            return street_scenes.collect(options, raw)
        case MaskedFolderOptions() as options:
            return masks.point_at(options)
        case PairsOptions() as options:
            return pairs.point_at(options)
        case ArchiveOptions() as options:
            return archive.bring(options, raw)


def with_test_source(source: PictureSource, test: PictureSource) -> PictureSource:
    """Take the test split from another source: all of its pictures, and no others.

    Args:
        source: Pictures for training and validation; what it keeps for a test of its own is trained on.
        test: Pictures for the test.

    Returns:
        The source with its test source.
    """
    names = [TEST_PREFIX + name for name in pictures_of(test)]
    return source.model_copy(update={"test": test, "own_split": {**source.own_split, "test": names}})
