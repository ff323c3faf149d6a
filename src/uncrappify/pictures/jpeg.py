"""Which kinds of JPEG are intact, and not read."""

_FRAMES = {
    0xC3: "lossless JPEG",
    0xC5: "hierarchical JPEG",
    0xC6: "hierarchical JPEG",
    0xC7: "hierarchical JPEG",
    0xCB: "lossless JPEG",
    0xCD: "hierarchical JPEG",
    0xCE: "hierarchical JPEG",
    0xCF: "hierarchical JPEG",
}
_SCAN = 0xDA
_OTHERS = frozenset({0xC4, 0xC8, 0xCC})


def explain_refusal(content: bytes) -> str | None:
    """Say what keeps a JPEG from being read, if it is not damage.

    Args:
        content: The file's bytes.

    Returns:
        The reason, or None.
    """
    place = 2
    while place + 10 < len(content) and content[place] == 0xFF and content[place + 1] != _SCAN:
        marker = content[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in _OTHERS:
            bits, channels = content[place + 4], content[place + 9]
            if kind := _FRAMES.get(marker):
                return f"not supported: {kind}"
            if bits in range(9, 17):
                return f"not supported: JPEG of {bits} bits"
            return f"not supported: JPEG of {channels} channels" if channels not in {1, 3, 4} else None
        place += 1 if marker == 0xFF else 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return None
