"""The source ``class_folders``: the user's own pictures, each in the folder of its class."""

from collections.abc import Iterable
from pathlib import Path

from uncrappify.errors import UserError
from uncrappify.names import shorten_list
from uncrappify.sources.folder import find_folder
from uncrappify.sources.layout import match_globs, name_files
from uncrappify.sources.manifest import with_test_source
from uncrappify.sources.parameters import ClassFoldersOptions, PictureSource
from uncrappify.walking import find_pictures

PARTS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
"""Folder, whatever its case, to split: as torchvision's ``ImageFolder``, ImageNet, and MNIST as PNG files have it."""

IN_CLASS = "*/**/*"
"""Glob of the pictures, from the folder that has the classes' folders; the first wildcard stands for the class."""


def point_at(options: ClassFoldersOptions) -> PictureSource:
    """Check the user's class folders and refer to them where they are.

    Args:
        options: The folders; a relative path counts from the current folder.

    Returns:
        The source; with its own split where its folders are ``train`` and another of :data:`PARTS`, or where there is
        a folder for the test.

    Raises:
        UserError: A folder is missing, has loose pictures or no class folders, or one of these is empty; there is one
            class only; or the test is given twice.
    """
    source = _point_at_path(options.path)
    if options.test is None:
        return source
    if "test" in source.own_split:
        raise UserError(
            f"source.class_folders.test: {source.root} has a folder for the test already. Leave out "
            "source.class_folders.test, or give the folder for the training alone as source.class_folders.path."
        )
    root = find_folder(options.test, "pictures for the test (source.class_folders.test)")
    _find_classes(root, find_pictures(root), "source.class_folders.test")
    test = PictureSource(name=root.name, root=root, licence=source.licence, good=[IN_CLASS])
    return with_test_source(source, test)


def _point_at_path(path: str) -> PictureSource:
    parameter = "source.class_folders.path"
    root = find_folder(path, f"pictures ({parameter})")
    files = find_pictures(root)
    parts = _find_parts(root, files, parameter)
    for part in parts or [""]:
        begin = part and f"{part}/"
        inside = [file.removeprefix(begin) for file in files if file.startswith(begin)]
        classes = _find_classes(root / part, inside, parameter)
        if len(classes) < 2 and not part and classes[0].lower() in PARTS:
            raise UserError(
                f"{parameter}: {root} has {classes[0]} alone. A part of the pictures wants the other beside it: train "
                f"and test, each with the classes' folders; or give {root / classes[0]}, which is split then."
            )
        if len(classes) < 2 and (not part or _get_split(part) == "train"):
            raise UserError(
                f"{parameter}: {classes[0]} is the only class folder in {root / part}, so there is nothing to tell "
                "apart. Give a folder with a folder for each of two classes or more."
            )
    good = [f"{part}/{IN_CLASS}" for part in parts] or [IN_CLASS]
    own_split: dict[str, list[str]] = {}
    for name, file in name_files(match_globs(files, good)).items():
        own_split.setdefault(_get_split(file.split("/")[0]) if parts else "train", []).append(name)
    return PictureSource(
        name=root.name,
        root=root,
        licence="the user's own pictures, no licence stated",
        good=good,
        own_split={part: names for part, names in own_split.items() if part != "train"},
    )


def _find_parts(root: Path, files: Iterable[str], parameter: str) -> list[str]:
    """Find the folders of the splits, which have classes in common; none where the folders are those of the classes.

    Raises:
        UserError: Something else lies beside the folders of the splits.
    """
    paths = [file.split("/") for file in files]
    folders = [folder.name for folder in _find_folders(root)]
    parts = [folder for folder in folders if _get_split(folder)]
    inside = {part: {path[1] for path in paths if path[0] == part and len(path) > 2} for part in parts}
    learned = {name for part in parts if _get_split(part) == "train" for name in inside[part]}
    # What is wrong with a part that has pictures and no classes is told later.
    if len(parts) < 2 or not learned or any(inside[part] and not learned & inside[part] for part in parts):
        return []
    loose = [path[0] for path in paths if len(path) == 1]
    if others := [folder for folder in folders if folder not in parts] + loose:
        raise UserError(
            f"{parameter}: {shorten_list(others)} lies beside {' and '.join(parts)} in {root}. Where these two are the "
            f"parts of the data, move the rest elsewhere, or give one of them, such as {root / parts[-1]}."
        )
    return sorted(parts, key=lambda part: list(PARTS).index(part.casefold()))


def _get_split(folder: str) -> str:
    """Give the split that a folder is for; empty where it is for none."""
    return PARTS.get(folder.casefold(), "")


def _find_folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _find_classes(root: Path, files: Iterable[str], parameter: str) -> list[str]:
    """Find the names of the class folders, and check that all pictures are in one of them."""
    paths = [file.split("/") for file in files]
    folders = [folder.name for folder in _find_folders(root)]
    loose = [path[0] for path in paths if len(path) == 1]
    if not folders:
        raise UserError(
            f"{parameter}: there is no class folder in {root}. Put the pictures of each class into a folder that is "
            "called as the class, such as cat and dog."
        )
    if lost := [name for name in loose if not (root / name).exists()]:
        raise UserError(
            f"{parameter}: in {root}, {shorten_list(lost)} leads nowhere: a link to what is not there. Make it lead to "
            "the folder of a class, or remove it."
        )
    if loose:
        raise UserError(
            f"{parameter}: pictures lie loose beside the class folders of {root}: {shorten_list(loose)}. Put each into "
            f"the folder of its class ({shorten_list(folders)}), or elsewhere."
        )
    full = {path[0] for path in paths}
    if empty := [folder for folder in folders if folder not in full]:
        raise UserError(
            f"{parameter}: in {root}, there is no picture in {shorten_list(empty)}. Each folder is a class: put "
            "pictures of it there, or remove the folder."
        )
    return folders
