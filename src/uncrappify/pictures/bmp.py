"""What the header of a BMP says of pixels that Pillow does not read, although they are intact."""

import struct

_OS2_SHORT = 16
_HEADERS = frozenset({40, 52, 56, 64, 108, 124})
_BITS_NOT_READ = frozenset({2, 64})
_BITFIELDS, _JPEG, _PNG, _ALPHA_BITFIELDS = 3, 4, 5, 6


def explain_refusal(content: bytes) -> str | None:
    """Say what keeps a BMP that is not cut off from being read, if it is not damage.

    Args:
        content: The file's bytes.

    Returns:
        The reason, or None.
    """
    if len(content) < 66:
        return None
    header, _, _, planes, bits, compression = struct.unpack_from("<IiiHHI", content, 14)
    if planes != 1 or header not in {*_HEADERS, _OS2_SHORT}:
        return None
    if header == _OS2_SHORT:
        return "not supported: BMP with a short header of OS/2"
    if compression in {_JPEG, _PNG}:
        return f"not supported: BMP that holds a {'JPEG' if compression == _JPEG else 'PNG'}"
    if compression in {_BITFIELDS, _ALPHA_BITFIELDS} and bits in {16, 24, 32}:
        masks = "-".join(f"{mask:x}" for mask in struct.unpack_from("<III", content, 54))
        return f"not supported: BMP of {bits} bits with the colours at {masks}"
    return f"not supported: BMP of {bits} bits" if bits in _BITS_NOT_READ else None
