"""TIFF files of 8 and 16 bits with opacity and metadata: Pillow writes no colours of 16 bits."""

from __future__ import annotations

import zlib
from io import BytesIO
from itertools import accumulate

import numpy as np
from PIL import Image, TiffImagePlugin

from uncrappify.pictures.exif import EXIF_IFD, GPS_IFD, INTEROP_IFD, ORIENTATION
from uncrappify.pictures.metadata import Metadata
from uncrappify.pictures.original import Samples
from uncrappify.pictures.unusable import UnusablePicture

_STRIP = 1 << 22
"""Bytes that are packed at once."""

_DEFLATE, _DIFFERENCES = 8, 2
_OPACITY = 2  # colours are not multiplied by it
_LARGEST_FILE = 2**32 - 1


def write(samples: Samples, opacity: Samples | None, metadata: Metadata) -> bytes:
    """Write a picture in strips, each sample as the difference to the one on its left, deflated.

    Args:
        samples: (H, W, 1 or 3), uint8 or uint16.
        opacity: (H, W) of the same type, or None.
        metadata: All of it is written but comment and text, which a TIFF does not have.

    Returns:
        The file's bytes.

    Raises:
        UnusablePicture: It would be larger than 4 GB.
    """
    height, width, channels = samples.shape
    channels += opacity is not None
    rows = max(1, _STRIP // (width * channels * samples.itemsize))
    strips = [_pack(samples, opacity, start, rows) for start in range(0, height, rows)]
    if sum(map(len, strips)) > _LARGEST_FILE - (1 << 24):
        raise UnusablePicture("more than 4 GB, which a TIFF can hold")
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    _describe(directory, metadata)
    directory.update(
        {
            TiffImagePlugin.IMAGEWIDTH: width,
            TiffImagePlugin.IMAGELENGTH: height,
            TiffImagePlugin.BITSPERSAMPLE: (8 * samples.itemsize,) * channels,
            TiffImagePlugin.COMPRESSION: _DEFLATE,
            TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: 1 if samples.shape[2] == 1 else 2,
            TiffImagePlugin.SAMPLESPERPIXEL: channels,
            TiffImagePlugin.ROWSPERSTRIP: rows,
            TiffImagePlugin.PLANAR_CONFIGURATION: 1,
            TiffImagePlugin.PREDICTOR: _DIFFERENCES,
            # Pillow adds the directory's own length.
            TiffImagePlugin.STRIPOFFSETS: tuple(accumulate(map(len, strips[:-1]), initial=0)),
            TiffImagePlugin.STRIPBYTECOUNTS: tuple(map(len, strips)),
            **({TiffImagePlugin.EXTRASAMPLES: _OPACITY} if opacity is not None else {}),
        }
    )
    file = BytesIO()
    directory.save(file)
    return file.getvalue() + b"".join(strips)


def _pack(samples: Samples, opacity: Samples | None, start: int, rows: int) -> bytes:
    block = samples[start : start + rows]
    if opacity is not None:
        block = np.concatenate([block, opacity[start : start + rows, :, None]], axis=-1)
    differences = block.copy()
    differences[:, 1:] -= block[:, :-1]
    return zlib.compress(differences.astype(differences.dtype.newbyteorder("<")).tobytes(), 1)


def _describe(directory: TiffImagePlugin.ImageFileDirectory_v2, metadata: Metadata) -> None:
    """Put metadata into a TIFF's directory, where EXIF and GPS have directories of their own."""
    if metadata.exif:
        exif = Image.Exif()
        exif.load(metadata.exif)
        for tag in exif:
            if tag not in (EXIF_IFD, GPS_IFD):
                directory[tag] = exif[tag]
        for tag in (EXIF_IFD, GPS_IFD):
            if tag in exif:
                inner = dict(exif.get_ifd(tag))
                if tag == EXIF_IFD and INTEROP_IFD in inner:
                    inner[INTEROP_IFD] = dict(exif.get_ifd(INTEROP_IFD))
                directory[tag] = inner
        directory[ORIENTATION] = 1
    if metadata.dpi:
        directory[TiffImagePlugin.X_RESOLUTION], directory[TiffImagePlugin.Y_RESOLUTION] = metadata.dpi
        directory[TiffImagePlugin.RESOLUTION_UNIT] = 2
    for tag, value, kind in (
        (TiffImagePlugin.ICCPROFILE, metadata.icc, 7),
        (TiffImagePlugin.XMP, metadata.xmp, 1),
        (TiffImagePlugin.PHOTOSHOP_CHUNK, metadata.iptc, 7),
    ):
        if value:
            directory.tagtype[tag] = kind
            directory[tag] = value
