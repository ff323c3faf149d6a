"""Where good pictures come from: every source becomes a folder with a manifest."""

from pathlib import Path

from uncrappify.sources import archive, embedded, folder, masks, pairs, street_scenes
from uncrappify.sources.layout import TEST_PREFIX, find_stems
from uncrappify.sources.manifest import find_good_pictures, list_pictures
from uncrappify.sources.masks import examine_masks
from uncrappify.sources.pairs import GivenPair, check_sizes, find_given_pairs
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
    "find_given_pairs",
    "find_stems",
    "list_pictures",
    "with_test_source",
]


def fetch(source: Source | MaskedSource, raw: Path) -> PictureSource:
    """Fetch a source's pictures to this machine; files that are already there are kept.

    Args:
        source: Which source.
        raw: Folder for raw data; a source that is copied gets a subfolder of its own name.

    Returns:
        Folder, licence, and the source's own split if it has one.

    Raises:
        UserError: The options name a file, folder or picture that does not exist.
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
            return archive.fetch(options, raw)


def with_test_source(source: PictureSource, test: PictureSource) -> PictureSource:
    """Take the test split from another source: all of its pictures, and no others.

    Args:
        source: Pictures for training and validation; its own test split, if any, becomes part of the training.
        test: Pictures for the test.

    Returns:
        The source with its test source.
    """
    names = [TEST_PREFIX + name for name in find_good_pictures(test)]
    return source.model_copy(update={"test": test, "own_split": {**source.own_split, "test": names}})
