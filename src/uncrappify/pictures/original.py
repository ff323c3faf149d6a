"""A picture as its file has it: all its bits, its opacity, and what stands beside the pixels, for whom it is kept.

Training needs no more than upright 8-bit RGB (:mod:`uncrappify.pictures.picture`); who brings a picture wants back all
that was in it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from uncrappify.pictures import png, tiff
from uncrappify.pictures.jpeg import MOST_SCANS, count_scans
from uncrappify.pictures.jpeg_quality import estimate_quality
from uncrappify.pictures.kinds import recognise_readable
from uncrappify.pictures.limits import open_picture, open_to_decode, prepare_tiff, read_orientation
from uncrappify.pictures.metadata import Metadata, read_metadata, read_tiff_metadata
from uncrappify.pictures.reading import read_within_limit
from uncrappify.pictures.samples import divide_by_alpha, round_to
from uncrappify.pictures.tiff_layout import CMYK, GREY_INVERTED, PALETTE, Layout, begin_with_picture, describe
from uncrappify.pictures.tiff_samples import read_samples
from uncrappify.pictures.unusable import UnusablePicture, damage_told

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Original:
    """A decoded picture with all that its file brought.

    Attributes:
        samples: (H, W, 1) for grey or (H, W, 3) for RGB, upright, uint8 or uint16, full range.
        opacity: (H, W) of the same type; None where the file has none.
        metadata: As they stand in the file.
        kind: Pillow's name of the file's format.
        suffix: Of the file's name, with its dot.
        quality: Of a JPEG, by its tables.
        notes: What was converted.
    """

    samples: Samples
    opacity: Samples | None
    metadata: Metadata
    kind: str
    suffix: str = ""
    quality: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.samples.shape[1], self.samples.shape[0]

    @property
    def white(self) -> int:
        """The largest sample: 255 or 65535."""
        return int(np.iinfo(self.samples.dtype).max)

    def as_rgb(self) -> Image.Image:
        """Give the picture as training would read it: RGB of 8 bits, over white where it is transparent."""
        colours = round_to(np.uint8, self.samples, 0, self.white)
        picture = Image.fromarray(colours[..., 0] if colours.shape[2] == 1 else colours).convert("RGB")
        if self.opacity is None:
            return picture
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=Image.fromarray(round_to(np.uint8, self.opacity, 0, self.white)))
        return white


def read_original(path: Path) -> Original:
    """Read a picture file with all that it brought.

    Args:
        path: The file.

    Raises:
        UnusablePicture: It cannot be read, is no picture, damaged, not supported, animated, or needs more memory than
            the limit.
    """
    with read_within_limit(path) as content:
        return replace(decode_original(content), suffix=path.suffix)


def decode_original(content: bytes) -> Original:
    """Decode a picture file's bytes, as :func:`read_original` does."""
    kind = recognise_readable(content)
    if (scans := count_scans(content)) > MOST_SCANS:
        raise UnusablePicture(f"over a limit: a JPEG of {scans} scans, the limit is {MOST_SCANS}")
    with damage_told(content, kind):
        return _decode_tiff(content) if kind == "TIFF" else _decode(content, kind)


def _decode(content: bytes, kind: str) -> Original:
    sound = png.check(content) if kind == "PNG" else content
    image = open_to_decode(sound, kind)
    _refuse_animation(image)
    orientation = read_orientation(image)
    metadata = read_metadata(content, image, kind)
    if kind == "PNG" and content[24] == 16 and image.mode != "P":
        original = Original(*_read_deep_png(sound, image), metadata, kind)
    else:
        original = _split(png.read(sound, image) if kind == "PNG" else image, metadata, kind)
    quality = estimate_quality(getattr(image, "quantization", {})) if kind == "JPEG" else None
    return _upright(replace(original, quality=quality), orientation)


def _decode_tiff(content: bytes) -> Original:
    content = begin_with_picture(content)
    layout = describe(content)
    if layout.full_pages > 1:
        raise UnusablePicture(f"not supported: {layout.full_pages} pages, save each as a picture of its own")
    metadata = read_tiff_metadata(content, layout)
    if layout.is_plain:
        # Pillow does not know every combination of channels.
        with suppress(UnidentifiedImageError):
            image = open_picture(BytesIO(content), "TIFF")
            # Before the pixels: Pillow turns a TIFF when it loads it.
            prepare_tiff(image)
            return _split(ImageOps.exif_transpose(image), metadata.turned(layout.orientation), "TIFF")
    if layout.photometric in (PALETTE, CMYK):
        picture, _, notes = tiff.read(content, layout)
        original = _split(picture, metadata, "TIFF")
        return _upright(replace(original, notes=(*notes, *original.notes)), layout.orientation)
    return _upright(_read_deep_tiff(content, layout, metadata), layout.orientation)


def _refuse_animation(image: ImageFile.ImageFile) -> None:
    # The second frame of a phone's JPEG (MPO) is a depth map or a preview, not part of the picture.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise UnusablePicture(f"not supported: animation of {frames} frames, save the frames as pictures of their own")


def _split(image: Image.Image, metadata: Metadata, kind: str) -> Original:
    """Take a picture of 8 bits apart into grey or colour, and opacity; a profile that was applied is of no more use."""
    image.load()
    notes: tuple[str, ...] = ()
    if image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        image = image.convert("RGB")  # as browsers do: many programs leave the fourth byte unset
    if image.mode in ("CMYK", "LAB"):
        notes = (f"{'CMYK' if image.mode == 'CMYK' else 'Lab'} to sRGB",)
        image = _convert_inks(image, metadata.icc) if image.mode == "CMYK" else image.convert("RGB")
        metadata = replace(metadata, icc=None)
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
    elif image.mode in ("1", "L"):
        image = image.convert("L")
    else:
        image = image.convert("RGB")
    pixels = np.array(image)
    samples, opacity = _split_opacity(pixels[..., None] if pixels.ndim == 2 else pixels)
    return Original(samples, opacity, metadata, kind, notes=notes)


def _split_opacity(pixels: Any) -> tuple[Samples, Samples | None]:
    """Take (H, W, 1 to 4) apart; the last of two or four channels is the opacity."""
    if pixels.shape[2] in (2, 4):
        return np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1])
    return pixels, None


def _convert_inks(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Convert CMYK to sRGB by its profile, or as Pillow does without one."""
    from PIL import ImageCms

    if icc:
        with suppress(ImageCms.PyCMSError, OSError):
            srgb = ImageCms.createProfile("sRGB")
            given = ImageCms.ImageCmsProfile(BytesIO(icc))
            if converted := ImageCms.profileToProfile(image, given, srgb, outputMode="RGB"):
                return converted
    return image.convert("RGB")


def _read_deep_png(content: bytes, image: ImageFile.ImageFile) -> tuple[Samples, Samples | None]:
    samples, opacity = _split_opacity(png.read_samples(content, image).astype(np.uint16))
    transparent = image.info.get("transparency")
    if transparent is None or opacity is not None:
        return samples, opacity
    differs = (samples != np.atleast_1d(transparent)).any(-1)
    return samples, np.where(differs, np.uint16(65535), np.uint16(0))


def _read_deep_tiff(content: bytes, layout: Layout, metadata: Metadata) -> Original:
    """Read integers of more than 8 bits, signed ones and floats, as 16 bits; the others as 8."""
    samples = read_samples(content, layout)
    colours = samples[..., : layout.colours]
    notes, (black, white) = tiff.find_range(layout, colours)
    kind: Any = np.uint16 if max(layout.bits) > 8 else np.uint8
    ends = (white, black) if layout.photometric == GREY_INVERTED else (black, white)
    whole = (black, white) == (0, 65535) and colours.dtype == np.uint16 and ends[0] == 0
    pixels = np.ascontiguousarray(colours) if whole else round_to(kind, colours, *ends)
    opacity = None
    if layout.alpha is not None:
        opacity = round_to(kind, samples[..., layout.alpha], black, white)
        if layout.is_premultiplied:
            pixels = divide_by_alpha(pixels, opacity, int(np.iinfo(kind).max))
    # Of 9 to 16 bits nothing is lost, unless samples lie beyond the range that the file gives.
    told = (
        ()
        if layout.has_range and layout.kind == 1 and not layout.given_range
        else tuple(note.replace("to 8", "to 16") for note in notes)
    )
    return Original(pixels, opacity, metadata, "TIFF", notes=told)


def _upright(original: Original, orientation: int) -> Original:
    """Turn a picture as its EXIF says: its samples, its opacity, and its pixels an inch."""
    if orientation == 1:
        return original
    return replace(
        original,
        samples=_turn(original.samples, orientation),
        opacity=None if original.opacity is None else _turn(original.opacity, orientation),
        metadata=original.metadata.turned(orientation),
    )


def _turn(pixels: Any, orientation: int) -> Any:
    turned = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)
