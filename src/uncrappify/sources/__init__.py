"""Where good pictures come from: every source becomes a folder with a manifest."""

from pathlib import Path

from uncrappify.sources import archive, class_folders, digits, embedded, folder, masks, pairs, street_scenes
from uncrappify.sources.decoded import LARGEST_SIDE, decode_pictures
from uncrappify.sources.labels import check_classes, count_classes, label_pictures
from uncrappify.sources.layout import find_stems
from uncrappify.sources.manifest import list_pictures, with_test_source
from uncrappify.sources.masks import examine_masks
from uncrappify.sources.pairs import GivenPair, check_sizes, find_given_pairs
from uncrappify.sources.parameters import (
    ArchiveOptions,
    ClassFoldersOptions,
    DigitsOptions,
    EmbeddedOptions,
    FolderOptions,
    LabelledSource,
    Layout,
    MaskedFolderOptions,
    MaskedSource,
    PairsOptions,
    PictureSource,
    Source,
    StreetsOptions,
    TextFolderOptions,
    TextSource,
)
from uncrappify.sources.split import assign_splits
from uncrappify.sources.texts import read_texts

__all__ = [
    "LARGEST_SIDE",
    "ArchiveOptions",
    "ClassFoldersOptions",
    "DigitsOptions",
    "EmbeddedOptions",
    "FolderOptions",
    "GivenPair",
    "LabelledSource",
    "Layout",
    "MaskedFolderOptions",
    "MaskedSource",
    "PairsOptions",
    "PictureSource",
    "Source",
    "StreetsOptions",
    "TextFolderOptions",
    "TextSource",
    "assign_splits",
    "check_classes",
    "check_sizes",
    "count_classes",
    "decode_pictures",
    "examine_masks",
    "fetch",
    "find_given_pairs",
    "find_stems",
    "label_pictures",
    "list_pictures",
    "read_texts",
    "with_test_source",
]


def fetch(source: Source | MaskedSource | LabelledSource, raw: Path) -> PictureSource:
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
        case DigitsOptions():
            return digits.collect(raw)
        case ClassFoldersOptions() as options:
            return class_folders.point_at(options)
        case ArchiveOptions() as options:
            return archive.fetch(options, raw)
