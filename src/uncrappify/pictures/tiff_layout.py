"""What the directory of a TIFF says of its pixels, and which of them this project reads itself."""

import math
import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

from PIL import ExifTags, Image, TiffImagePlugin, TiffTags

from uncrappify.pictures.limits import read_orientation
from uncrappify.pictures.unusable import UnusablePicture

GREY_INVERTED, GREY, RGB, PALETTE, CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {GREY_INVERTED: 1, GREY: 1, RGB: 3, PALETTE: 1, CMYK: 4}
UNSIGNED, SIGNED, FLOAT, _VOID = 1, 2, 3, 4
_BITS = {UNSIGNED: (*range(1, 17), 32, 64), SIGNED: (8, 16, 32, 64), FLOAT: (16, 32, 64)}
NOT_COMPRESSED = 1
DEFLATE = frozenset({8, 32946})
# What libtiff unpacks to bytes without a look at the picture: LZW, PackBits, LZMA, ZSTD.
_BYTEWISE = frozenset({5, 32773, 34925, 50000})
_UNPACKED = frozenset({NOT_COMPRESSED, *DEFLATE, *_BYTEWISE})
_ASSOCIATED, _UNASSOCIATED = 1, 2
_PHOTOMETRIC = TiffImagePlugin.PHOTOMETRIC_INTERPRETATION
_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION, _SUBSAMPLING, _INK_SET, _GDAL_NODATA = 254, 330, 50706, 530, 332, 42113
_LOWEST, _HIGHEST = 340, 341
_COPY, _TRANSPARENCY = 1, 4
_MOST_PAGES = 10_000

Order = Literal["<", ">"]


@dataclass(frozen=True)
class Layout:
    """What a TIFF's first directory says of its pixels.

    Attributes:
        tags: All tags of the directory.
        order: ``<`` or ``>``.
        width: Pixels, as stored.
        height: Pixels, as stored.
        photometric: What the samples mean, TIFF's number.
        bits: Of each sample.
        kind: Unsigned, signed or float, TIFF's number.
        samples: Of each pixel.
        planar: Each channel is stored on its own.
        compression: TIFF's number.
        pages: Of each picture in the file, TIFF's NewSubfileType.
    """

    tags: TiffImagePlugin.ImageFileDirectory_v2
    order: Order
    width: int
    height: int
    photometric: int
    bits: tuple[int, ...]
    kind: int
    samples: int
    planar: bool
    compression: int
    pages: tuple[int, ...]

    @property
    def is_plain(self) -> bool:
        """Whether Pillow shows it right, if it reads it at all: at most 8 bits, unsigned, a sound palette, no gaps."""
        if max(self.bits) > 8 or self.kind != UNSIGNED:
            return False
        if self.photometric in {GREY_INVERTED, GREY} and self.samples > 1 and (self.planar or self.is_premultiplied):
            return False  # Pillow opens it, and then fails
        return (self.photometric != PALETTE and 0 not in self.offsets) or self.compression not in _UNPACKED

    @property
    def is_tiled(self) -> bool:
        """Whether it is stored in tiles, not in strips."""
        return TiffImagePlugin.TILEWIDTH in self.tags

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each strip or tile begins in the file; none if that is not told."""
        return self.tags.get(TiffImagePlugin.TILEOFFSETS if self.is_tiled else TiffImagePlugin.STRIPOFFSETS) or ()

    @property
    def counts(self) -> tuple[int, ...]:
        """Bytes of each strip or tile in the file; none if that is not told."""
        return self.tags.get(TiffImagePlugin.TILEBYTECOUNTS if self.is_tiled else TiffImagePlugin.STRIPBYTECOUNTS) or ()

    @property
    def gaps(self) -> frozenset[int]:
        """Numbers of the strips or tiles that GDAL has left out of a sparse file: offset and byte count are both 0."""
        return frozenset(n for n, place in enumerate(zip(self.offsets, self.counts, strict=False)) if place == (0, 0))

    @property
    def filling(self) -> float:
        """The sample that gaps stand for: what GDAL calls the value for no data, or 0."""
        return float(self.tags.get(_GDAL_NODATA, 0))

    @property
    def has_range(self) -> bool:
        """Whether the samples' range is that of their type, as the format says of integers of up to 16 bits."""
        return self.photometric == PALETTE or (self.bits[0] <= 16 and self.kind != FLOAT)

    @property
    def given_range(self) -> tuple[float, float] | None:
        """The samples that are black and white, where the file gives them: SMinSampleValue and SMaxSampleValue.

        MinSampleValue and MaxSampleValue count for nothing: they are the extremes of the picture.
        """
        values = {*self.tags.get(_LOWEST, (0,))}, {*self.tags.get(_HIGHEST, ())}
        if self.photometric == PALETTE or any(len(each) != 1 for each in values):
            return None
        lowest, highest = (each.pop() for each in values)
        sound = all(isinstance(value, int | float) and math.isfinite(value) for value in (lowest, highest))
        whole = self.kind == UNSIGNED and (lowest, highest) == (0, (1 << self.bits[0]) - 1)
        return (lowest, highest) if sound and lowest < highest and not whole else None

    @property
    def colours(self) -> int:
        """Samples of a pixel that are its grey, colour or place in the palette; the others follow them."""
        return _COLOURS[self.photometric]

    @property
    def alpha(self) -> int | None:
        """The sample that is the opacity; a fourth one of RGB that is not described is, as Pillow takes it."""
        extra = self._extra
        return next((n for n, meaning in enumerate(extra, self.colours) if meaning in {1, 2}), None)

    @property
    def is_premultiplied(self) -> bool:
        """Whether the colours were multiplied by the opacity."""
        return self.alpha is not None and self._extra[self.alpha - self.colours] == _ASSOCIATED

    @property
    def _extra(self) -> tuple[int, ...]:
        beyond = self.samples - self.colours
        undescribed = (_UNASSOCIATED,) if self.photometric == RGB and beyond == 1 else ()
        return tuple(self.tags.get(TiffImagePlugin.EXTRASAMPLES, undescribed))[:beyond]

    @property
    def orientation(self) -> int:
        """How it is turned, from 1 (upright) to 8, by its tag, or by its XMP where it has none."""
        header = Image.new("1", (1, 1))
        header.info["xmp"] = self.tags.get(TiffImagePlugin.XMP)
        header.getexif().update({tag: self.tags[tag] for tag in (ExifTags.Base.Orientation,) if tag in self.tags})
        return read_orientation(header)

    @property
    def full_pages(self) -> int:
        """How many pictures the file has that are no smaller copy, nor the transparency, of another one."""
        return sum(map(_is_full, self.pages))


def begin_with_picture(content: bytes) -> bytes:
    """Let a TIFF begin with its first page that is no smaller copy, nor the transparency, of another one.

    Args:
        content: The file's bytes.

    Returns:
        The same bytes where the first page is such a one, or no page is; else with another page as the first.
    """
    place, order, big = _read_header(content)
    kinds = _list_pages(content, order, big)
    full = next((page for page, kind in kinds.items() if _is_full(kind)), place)
    if full == place or _SUB_IFDS in _read_directory(content)[0]:  # a camera's raw file
        return content
    start, form = (8, "Q") if big else (4, "I")
    return content[:start] + struct.pack(order + form, full) + content[start + struct.calcsize(form) :]


def describe(content: bytes) -> Layout:
    """Read the first directory of a TIFF.

    Args:
        content: The file's bytes.

    Returns:
        What it says of the pixels.

    Raises:
        UnusablePicture: It is truncated or damaged, a camera's raw file, or of a kind that neither Pillow nor this
            project gets right.
    """
    tags, order, pages = _read_directory(content)
    try:
        layout = Layout(
            tags,
            order,
            width=int(tags[TiffImagePlugin.IMAGEWIDTH]),
            height=int(tags[TiffImagePlugin.IMAGELENGTH]),
            photometric=int(tags.get(_PHOTOMETRIC, GREY_INVERTED)),
            bits=tuple(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))),
            kind=_only(tags.get(TiffImagePlugin.SAMPLEFORMAT, (UNSIGNED,))),
            samples=int(tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)),
            planar=tags.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1) == 2,
            compression=int(tags.get(TiffImagePlugin.COMPRESSION, NOT_COMPRESSED)),
            pages=pages,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnusablePicture("truncated or damaged") from error
    _refuse_what_pillow_gets_wrong(layout)
    if layout.width < 1 or layout.height < 1:
        raise UnusablePicture("truncated or damaged")
    return layout


def explain_refusal(layout: Layout) -> str | None:
    """Say what keeps :func:`~uncrappify.pictures.tiff_samples.read_samples` from reading a TIFF.

    Args:
        layout: What its directory says.

    Returns:
        The reason, or None.
    """
    bits, compression = layout.bits[0], layout.compression
    if len(set(layout.bits)) > 1:
        return "not supported: TIFF of several sample sizes"
    if layout.photometric not in _COLOURS:
        names = {number: name for name, number in TiffTags.lookup(_PHOTOMETRIC).enum.items()}
        meaning = names.get(layout.photometric, f"photometric {layout.photometric}")
        return f"not supported: {meaning} TIFF of {bits} bits"
    if not layout.colours <= layout.samples <= 64:
        return f"not supported: TIFF of {layout.samples} channels"
    if compression not in _UNPACKED:
        name = TiffImagePlugin.COMPRESSION_INFO.get(compression, str(compression))
        return f"not supported: TIFF of {bits} bits compressed by {name}"
    if bits not in _BITS.get(layout.kind, ()):
        return f"not supported: TIFF of {bits} bits (sample format {layout.kind})"
    return None


def _is_full(kind: int) -> bool:
    return not kind & (_COPY | _TRANSPARENCY)


def _read_header(content: bytes) -> tuple[int, Order, bool]:
    """Read where the first directory is, the byte order, and whether it is a BigTIFF."""
    order: Order = "<" if content[:2] == b"II" else ">"
    big = 43 in content[2:4]
    try:
        return struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)[0], order, big
    except struct.error as error:
        raise UnusablePicture("truncated or damaged") from error


def _read_directory(content: bytes) -> tuple[TiffImagePlugin.ImageFileDirectory_v2, Order, tuple[int, ...]]:
    """Read the tags of the first directory; also return the byte order and what each directory is."""
    _, order, big = _read_header(content)
    try:
        # Pillow knows a BigTIFF by the third byte, where a big-endian one has a 0.
        header = b"II+\0" + content[4:16] if big else content[:8]
        tags = TiffImagePlugin.ImageFileDirectory_v2(header, prefix=content[:2])
        file = BytesIO(content)
        file.seek(tags.next)
        tags.load(file)
        return tags, order, tuple(_list_pages(content, order, big).values())
    except Exception as error:  # Pillow's exceptions for broken directories differ
        raise UnusablePicture("truncated or damaged") from error


def _list_pages(content: bytes, order: str, big: bool) -> dict[int, int]:
    """Follow the directories from one to the next, as far as they go, and never in a circle; give places and kinds."""
    count, offset, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    place = _read_header(content)[0]
    kinds: dict[int, int] = {}
    while place and place not in kinds and len(kinds) < _MOST_PAGES:
        try:
            entries, tag, type_, _ = struct.unpack_from(f"{order}{count}HH{offset}", content, place)
            kinds[place] = 0
            first = place + struct.calcsize(f"={count}")
            if tag == _SUBFILE_TYPE:  # by the format the first, as it has the smallest number
                form = "H" if type_ == TiffTags.SHORT else "I"
                kinds[place] = struct.unpack_from(order + form, content, first + entry - struct.calcsize(offset))[0]
            place = struct.unpack_from(order + offset, content, first + entries * entry)[0]
        except (struct.error, OverflowError):
            break
    return kinds


def _only(formats: Any) -> int:
    if len(set(formats)) > 1:
        raise UnusablePicture("not supported: TIFF of several sample formats")
    return UNSIGNED if formats[0] == _VOID else int(formats[0])


def _refuse_what_pillow_gets_wrong(layout: Layout) -> None:
    """Refuse raw files, whose first picture is a thumbnail, and what Pillow would decode to wrong pixels."""
    thumbnail = int(layout.tags.get(_SUBFILE_TYPE, 0)) & _COPY
    raw = layout.photometric in {32803, 34892} or _DNG_VERSION in layout.tags
    if raw or (thumbnail and _SUB_IFDS in layout.tags):
        raise UnusablePicture("not supported: camera raw")
    subsampled = layout.photometric == _YCBCR and tuple(layout.tags.get(_SUBSAMPLING, (2, 2))) != (1, 1)
    if subsampled and layout.compression == NOT_COMPRESSED and layout.samples > 1:
        raise UnusablePicture("not supported: uncompressed TIFF with subsampled colours")
    if layout.photometric == _YCBCR and layout.planar:
        raise UnusablePicture("not supported: YCbCr TIFF with its channels apart")
    if layout.photometric == CMYK and int(layout.tags.get(_INK_SET, 1)) != 1:
        raise UnusablePicture("not supported: TIFF of other inks than CMYK")
