"""Parameters of the sources of pictures, and the result that every source gives.

A further kind is one options model here, its name in ``kind``, its key in :class:`Source`, and one case in
:func:`uncrappify.sources.fetch`.
"""

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from uncrappify.names import expand
from uncrappify.parameters.messages import report


def make_absolute(given: str) -> Path:
    """Make a path that a user wrote absolute, relative to the current folder; ``~`` is the home folder."""
    return expand(given).absolute()


class EmbeddedOptions(BaseModel):
    """Which of the photographs that come with installed packages are kept out of training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    valid: list[str] = Field(
        default=["rocket"], min_length=1, description="Names of the pictures that choices are made on."
    )
    test: list[str] = Field(
        default=["chelsea", "coffee", "flower"],
        min_length=1,
        description="Names of the pictures that the reported scores come from.",
    )


class StreetsOptions(BaseModel):
    """How many street scenes are drawn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: int = Field(default=240, ge=1, le=100_000, description="Scenes to learn from.")
    valid: int = Field(default=16, ge=1, le=10_000, description="Scenes that choices are made on.")
    test: int = Field(default=40, ge=1, le=10_000, description="Scenes that the reported scores come from.")


class FolderOptions(BaseModel):
    """The user's own pictures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(
        min_length=1,
        description="Folder with pictures (jpg, png, webp, tiff, bmp, gif, avif) at any depth; ~ is the home folder. "
        "Pictures are read there and never changed.",
    )


class MaskedFolderOptions(BaseModel):
    """The user's own pictures, and a mask for each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1, description="Folder that has both; ~ is the home folder. Nothing is changed there.")
    pictures: str = Field(default="images", min_length=1, description="Folder in it with the pictures.")
    masks: str = Field(
        default="masks", min_length=1, description="Folder in it with the masks, PNG files of the pictures' names."
    )


class DigitsOptions(BaseModel):
    """The handwritten digits that come with scikit-learn; there is nothing to choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassFoldersOptions(BaseModel):
    """The user's own pictures, those of a class in a folder of its name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(
        min_length=1,
        description="Folder with a folder for each class; ~ is the home folder. Where it has the folders train and "
        "test (or valid, val) instead, these have the folders of the classes. Nothing is changed there.",
    )
    test: str | None = Field(
        default=None,
        min_length=1,
        description="Another one, whose pictures are the test; without it, they are taken by hash from each class.",
    )


class PairsOptions(BaseModel):
    """Two folders: pictures that are bad already, and what they should become."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    degraded: str = Field(min_length=1, description="Folder with the bad pictures; ~ is the home folder.")
    target: str = Field(
        min_length=1,
        description="Folder with the good pictures, of the same names; a suffix may differ (a.jpg and a.png).",
    )


def _check_glob(glob: str) -> str:
    if not glob or glob.startswith("/") or "\\" in glob or ".." in PurePosixPath(glob).parts:
        raise ValueError('a glob counts from the archive\'s own root, as in "images/*.jpg" or "**/*.png"')
    return glob


Globs = list[Annotated[str, AfterValidator(_check_glob)]]


class Layout(BaseModel):
    """Which files of an archive are what: globs of ``*``, ``?`` (neither crosses a slash) and ``**/`` (any depth)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    good: Globs = Field(default=["**/*"], min_length=1, description="The good pictures.")
    valid: Globs = Field(default=[], description="Those of them that choices are made on; empty: by hash.")
    test: Globs = Field(default=[], description="Those of them that the reported scores come from; empty: by hash.")
    degraded: Globs = Field(
        default=[],
        description="Their degraded twins, where the archive has them: good and degraded are a pair when the wildcards "
        "stand for the same text, as in good: [x3/*_HR.png], degraded: [x3/*_LR.png].",
    )
    masks: Globs = Field(
        default=[],
        description="Their masks, for a segmentation, matched as the degraded twins are: good: [train/*.png], "
        "masks: [trainannot/*.png].",
    )


class ArchiveOptions(BaseModel):
    """A published data set in one file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^\w[\w-]*$", description="Folder in data/01_raw that all pipelines share.")
    file: str = Field(
        pattern=r"^[^/\\]+$", description="File name of the archive (tar, tar.gz, zip), which a mirror has too."
    )
    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="Of the archive, which is refused if it has another; with a mirror, its SHA256SUMS counts instead.",
    )
    size: int = Field(ge=1, description="Of the archive, in bytes.")
    licence: str = Field(min_length=1, description="Under which terms the pictures may be used.")
    url: str | None = Field(
        default=None, pattern=r"^https?://", description="Where it can be downloaded; without it a mirror is needed."
    )
    layout: Layout = Field(default=Layout(), description="Which files are what; default: every picture is a good one.")
    mirror: str | None = Field(
        default=None,
        description="Folder or URL that has the archive and a SHA256SUMS; usually given as --params mirror=<it>.",
    )


class _ByKind(BaseModel):
    """Options of several kinds, each under its own key, of which only the chosen kind's is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    archive: ArchiveOptions | None = Field(default=None, description="Read when kind is archive.")

    @model_validator(mode="after")
    def _check_chosen_options(self) -> Self:
        if getattr(self, self.kind) is None:
            raise ValueError(_MISSING[self.kind])
        return self

    def with_mirror(self, mirror: str) -> Self:
        """Take the archive, if it is one, from a mirror."""
        archive = self.archive and self.archive.model_copy(update={"mirror": mirror})
        return self.model_copy(update={"archive": archive})


class Source(_ByKind):
    """Where the good pictures come from."""

    kind: Literal["embedded", "folder", "pairs", "archive"] = Field(
        default="embedded",
        description="embedded: photographs that come with installed packages, nothing is downloaded; "
        "folder: your own pictures; pairs: your own pictures that are degraded already, with their targets; "
        "archive: a data set that is downloaded.",
    )
    embedded: EmbeddedOptions = Field(default=EmbeddedOptions(), description="Read when kind is embedded.")
    folder: FolderOptions | None = Field(default=None, description="Read when kind is folder: {path: ~/Pictures}.")
    pairs: PairsOptions | None = Field(
        default=None, description="Read when kind is pairs: {degraded: ~/bad, target: ~/good}."
    )

    @property
    def chosen(self) -> EmbeddedOptions | FolderOptions | PairsOptions | ArchiveOptions:
        """The options of the chosen kind."""
        options: EmbeddedOptions | FolderOptions | PairsOptions | ArchiveOptions = getattr(self, self.kind)
        return options

    @property
    def paired(self) -> bool:
        """Whether the source has its own degraded pictures, so that there is nothing left for a recipe to do."""
        options = self.chosen
        return isinstance(options, PairsOptions) or (
            isinstance(options, ArchiveOptions) and bool(options.layout.degraded)
        )

    @property
    def folders(self) -> list[Path]:
        """The user's own folders, absolute, which are read in place."""
        match self.chosen:
            case FolderOptions(path=path):
                return [make_absolute(path)]
            case PairsOptions(degraded=degraded, target=target):
                return [make_absolute(degraded), make_absolute(target)]
            case _:
                return []


class MaskedSource(_ByKind):
    """Where pictures with masks come from."""

    kind: Literal["streets", "masked_folder", "archive"] = Field(
        default="streets",
        description="streets: street scenes that are drawn here; masked_folder: your own pictures and masks; "
        "archive: a data set that is downloaded, whose layout has masks.",
    )
    streets: StreetsOptions = Field(default=StreetsOptions(), description="Read when kind is streets.")
    masked_folder: MaskedFolderOptions | None = Field(
        default=None, description="Read when kind is masked_folder: {path: ~/streets}."
    )

    @model_validator(mode="after")
    def _check_archive_masks(self) -> Self:
        if self.kind == "archive" and self.archive and not self.archive.layout.masks:
            raise report(("archive", "layout", "masks"), "it is empty; say which files are the masks, as globs.")
        return self

    @property
    def chosen(self) -> StreetsOptions | MaskedFolderOptions | ArchiveOptions:
        """The options of the chosen kind."""
        options: StreetsOptions | MaskedFolderOptions | ArchiveOptions = getattr(self, self.kind)
        return options

    @property
    def folders(self) -> list[Path]:
        """The user's own folder, absolute, which is read in place."""
        return [make_absolute(self.masked_folder.path)] if self.kind == "masked_folder" and self.masked_folder else []


class LabelledSource(_ByKind):
    """Where pictures of known classes come from: a class is what the first wildcard of the glob ``good`` stands for."""

    kind: Literal["digits", "class_folders", "archive"] = Field(
        default="digits",
        description="digits: handwritten digits that come with scikit-learn, nothing is downloaded; class_folders: "
        "your own pictures, a folder for each class; archive: a data set that is downloaded, in whose layout the first "
        "wildcard of good stands for the class.",
    )
    digits: DigitsOptions = Field(default=DigitsOptions(), description="Read when kind is digits.")
    class_folders: ClassFoldersOptions | None = Field(
        default=None, description="Read when kind is class_folders: {path: ~/pets}."
    )

    @model_validator(mode="after")
    def _check_archive_classes(self) -> Self:
        globs = self.archive.layout.good if self.kind == "archive" and self.archive else []
        for place, glob in enumerate(globs):
            *folders, _ = glob.split("/")
            wildcard = next((folder for folder in folders if set("*?") & set(folder)), "**")
            if "**" in wildcard:
                raise report(
                    ("archive", "layout", "good", place),
                    f"{glob} does not say which folder a picture's class is: the first wildcard stands for it, as in "
                    "train/*/*.png.",
                )
        return self

    @property
    def chosen(self) -> DigitsOptions | ClassFoldersOptions | ArchiveOptions:
        """The options of the chosen kind."""
        options: DigitsOptions | ClassFoldersOptions | ArchiveOptions = getattr(self, self.kind)
        return options

    @property
    def folders(self) -> list[Path]:
        """The user's own folders, absolute, which are read in place."""
        match self.chosen:
            case ClassFoldersOptions(path=path, test=test):
                return [make_absolute(given) for given in (path, test) if given]
            case _:
                return []


class TextFolderOptions(BaseModel):
    """The user's own texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1, description="Folder with .txt files in UTF-8, at any depth; ~ is the home folder.")


class TextSource(BaseModel):
    """Where a text comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["numbers", "folder"] = Field(
        default="numbers", description="numbers: those to 9,999 in English words, written here; folder: your own texts."
    )
    folder: TextFolderOptions | None = Field(default=None, description="Read when kind is folder: {path: ~/texts}.")

    @model_validator(mode="after")
    def _check_chosen_options(self) -> Self:
        if self.kind == "folder" and self.folder is None:
            raise ValueError("kind: folder needs a path, for example {kind: folder, folder: {path: ~/texts}}")
        return self

    @property
    def name(self) -> str:
        """Short name of the source."""
        return self.folders[0].name if self.folders else self.kind

    @property
    def licence(self) -> str:
        """Under which terms the text may be used."""
        return "the user's own texts, no licence stated" if self.folders else "CC0: numbers in words"

    @property
    def folders(self) -> list[Path]:
        """The user's own folder, absolute, which is read in place."""
        return [make_absolute(self.folder.path)] if self.kind == "folder" and self.folder else []


_MISSING = {
    "class_folders": "kind: class_folders needs a path, for example "
    "{kind: class_folders, class_folders: {path: ~/pets}}",
    "masked_folder": "kind: masked_folder needs a path, for example "
    "{kind: masked_folder, masked_folder: {path: ~/streets}}",
    "folder": "kind: folder needs a path, for example {kind: folder, folder: {path: ~/Pictures}}",
    "pairs": "kind: pairs needs two folders, for example {kind: pairs, pairs: {degraded: ~/bad, target: ~/good}}",
    "archive": "kind: archive needs to know which, "
    "{kind: archive, archive: {name: ..., file: ..., url: ..., sha256: ..., size: ..., licence: ..., layout: ...}}",
}


class PictureSource(BaseModel):
    """A folder with good pictures on this machine, wherever they came from.

    Files are named by their path relative to ``root``, or by an absolute one where they lie elsewhere: ``root / file``
    is right for both.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Short name of the source.")
    root: Path = Field(description="Absolute folder that all good pictures lie under.")
    licence: str = Field(description="Under which terms the pictures may be used; goes into the trained weights.")
    good: list[str] = Field(
        default=Layout().good, description="Globs of the files under root that are good pictures, as in Layout."
    )
    own_split: dict[str, list[str]] = Field(
        default={},
        description="Picture names by split (valid, test) where the source decides; a split that is not named here is "
        "taken from the other pictures by hash.",
    )
    groups: dict[str, str] = Field(
        default={}, description="Picture name to group, for pictures that must be in the same split as each other."
    )
    degraded: dict[str, str] = Field(
        default={}, description="Picture name to the file of its degraded twin, for pictures that have one."
    )
    masks: dict[str, str] = Field(
        default={}, description="Picture name to the file of its mask, for pictures that have one."
    )
    test: "PictureSource | None" = Field(default=None, description="Another source, whose pictures are the test split.")
