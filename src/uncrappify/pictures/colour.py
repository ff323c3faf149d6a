"""Colour profiles: samples of a picture as sRGB, which networks know, and back, in floats and without clipping.

LittleCMS, as Pillow has it, converts 8 bits alone, and cuts off what sRGB cannot show. Profiles of cameras, screens and
the usual working spaces are a curve a channel and a matrix (ICC.1:2022, 8.4.3), which is done here in both directions.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# sRGB's primaries as profiles have them, adapted to D50 (IEC 61966-2-1).
_SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
_STEPS = 4096
_SAME = 0.01
"""A profile that moves no colour by more is sRGB under another name."""


@dataclass(frozen=True)
class Profile:
    """How the samples of a picture become sRGB.

    Attributes:
        curves: Linear light of equally spaced samples from 0 to 1; one row for grey, three for RGB.
        matrix: From linear light of the profile to that of sRGB; None for grey.
    """

    curves: npt.NDArray[np.float64]
    matrix: npt.NDArray[np.float64] | None

    def to_srgb(self, samples: Floats) -> Floats:
        """Convert samples (h, w, channels) in 0..1; colours that sRGB does not have lie beyond 0..1."""
        places = np.linspace(0, 1, self.curves.shape[1])
        linear = _by_channel(samples, [(places, curve) for curve in self.curves])
        if self.matrix is not None:
            linear = linear @ self.matrix.T
        return _encode(linear).astype(np.float32)

    def from_srgb(self, samples: Floats) -> Floats:
        """Convert back; what the profile does not have is cut off."""
        linear = _decode(samples.astype(np.float64))
        if self.matrix is not None:
            linear = linear @ np.linalg.inv(self.matrix).T
        places = np.linspace(0, 1, self.curves.shape[1])
        return _by_channel(linear, [(curve, places) for curve in self.curves]).astype(np.float32)


@lru_cache(maxsize=8)
def read_profile(content: bytes, channels: int) -> Profile | None:
    """Read a profile that is made of curves, and for RGB a matrix.

    Args:
        content: An ICC profile.
        channels: Of the picture: 1 for grey, 3 for RGB.

    Returns:
        None where there is nothing to convert, or no way: the profile is sRGB's, of another number of channels,
        damaged, or made of tables. The samples are taken as they are then.
    """
    try:
        if content[16:20] != {1: b"GRAY", 3: b"RGB "}[channels]:
            return None
        tags = _list_tags(content)
        names = [b"kTRC"] if channels == 1 else [b"rTRC", b"gTRC", b"bTRC"]
        curves = np.stack([_read_curve(tags[name]) for name in names])
        # What goes up can be undone.
        if not np.isfinite(curves).all() or (np.diff(curves) < 0).any() or (curves[:, -1] <= curves[:, 0]).any():
            return None
        matrix = None
        if channels == 3:
            columns = np.stack([_read_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
            matrix = np.linalg.inv(_SRGB) @ columns
            if abs(np.linalg.det(matrix)) < 1e-3:
                return None
    except (KeyError, struct.error, ValueError, IndexError, np.linalg.LinAlgError):
        return None
    profile = Profile(curves, matrix)
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * channels), axis=-1).reshape(1, -1, channels)
    return None if np.abs(profile.to_srgb(grid.astype(np.float32)) - grid).max() < _SAME else profile


def _list_tags(content: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", content, 128)
    entries = [struct.unpack_from(">4sII", content, 132 + 12 * number) for number in range(min(count, 200))]
    return {name: content[start : start + size] for name, start, size in entries}


def _read_xyz(tag: bytes) -> npt.NDArray[np.float64]:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _read_curve(tag: bytes) -> npt.NDArray[np.float64]:
    """Give a tone curve at equally spaced samples: a gamma, a table or a formula (ICC.1:2022, 10.6 and 10.18)."""
    x = np.linspace(0, 1, _STEPS)
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return x
        values = np.array(struct.unpack_from(f">{count}H", tag, 12), np.float64)
        if count == 1:
            return np.asarray(x ** (values[0] / 256))
        return np.asarray(np.interp(x, np.linspace(0, 1, count), values / 65535))
    if tag[:4] != b"para":
        raise ValueError("no curve")
    (form,) = struct.unpack_from(">H", tag, 8)
    g, *rest = (value / 65536 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[form]}i", tag, 12))
    usual = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    a, b, c, d, e, f = rest + usual[len(rest) :]
    if form == 0:
        return np.asarray(x**g)
    if form in (1, 2):
        offset = c if form == 2 else 0
        return np.asarray(np.where(x >= -b / a, np.maximum(a * x + b, 0) ** g + offset, offset))
    return np.asarray(np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f))


def _by_channel(samples: Any, curves: list[tuple[Any, Any]]) -> npt.NDArray[np.float64]:
    channels = [np.interp(samples[..., number], *curve) for number, curve in enumerate(curves)]
    return np.stack(channels, axis=-1)


def _encode(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give linear light as sRGB has it; below black the curve is mirrored, above white it goes on."""
    size = np.abs(linear)
    return np.sign(linear) * np.where(size <= 0.0031308, 12.92 * size, 1.055 * size ** (1 / 2.4) - 0.055)


def _decode(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    size = np.abs(samples)
    return np.sign(samples) * np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
