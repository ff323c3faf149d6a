"""The findings that a file cannot be used, and how whatever decoding raises becomes one."""

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import UnidentifiedImageError

from uncrappify.pictures import bmp, jpeg


class UnusablePicture(Exception):  # noqa: N818 - a finding that is tabulated, not an error of the program
    """A file that cannot be used as a picture; the message is the reason, in lower case.

    What differs from file to file stands before a comma (``1x1, smaller than 16x16``), so that reasons can be counted.
    What is intact and only not read here begins with ``not supported:``.
    """


class UnfitMask(Exception):  # noqa: N818 - a finding; the caller says of which file
    """A whole file that is no mask, for a reason that the other masks probably share; the message is a sentence."""


@contextmanager
def damage_told(content: bytes, kind: str) -> Iterator[None]:
    """Turn whatever is raised while a file of a kind (Pillow's name) is decoded into a finding.

    Raises:
        UnusablePicture: It is damaged, or not supported.
    """
    try:
        yield
    except (UnusablePicture, UnfitMask):
        raise
    except MemoryError as error:
        raise UnusablePicture("not enough memory to decode it") from error
    except Exception as error:  # Pillow's exceptions for broken data differ by format and version
        raise UnusablePicture(_explain(error, content, kind)) from error


def _explain(error: Exception, content: bytes, kind: str) -> str:
    """Say why Pillow refuses a picture; two letters alone are no sign of a BMP."""
    if kind == "JPEG" and (reason := jpeg.explain_refusal(content)):
        return reason
    if isinstance(error, UnidentifiedImageError):
        return "not a picture" if kind == "BMP" else "truncated or damaged"
    if "truncated" in str(error).lower():
        return "truncated"
    return (bmp.explain_refusal(content) if kind == "BMP" else None) or "truncated or damaged"
