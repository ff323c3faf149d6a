"""What the markers of a JPEG say before it is decoded: kinds that are intact and not read, and the number of scans."""

import re

MOST_SCANS = 50
"""A progressive JPEG has about ten, one that was optimised for every byte twenty; each is decoded over the whole
picture, so that a small file of many takes minutes."""

# Within a scan, 0xFF stands before 0x00 or a restart marker; before a marker it may be repeated.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
_END, _SCAN = 0xD9, 0xDA
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


def count_scans(content: bytes) -> int:
    """Count the scans of a JPEG, without those of pictures that its metadata hold.

    Args:
        content: All bytes of a file.

    Returns:
        0 for any other kind of file.
    """
    scans, place = 0, 2
    while content.startswith(b"\xff\xd8\xff") and (marker := _MARKER.search(content, place)) and marker[1][0] != _END:
        scans += marker[1][0] == _SCAN
        # Every segment says how long it is; the pixels of a scan come after it.
        place = marker.end() + max(2, int.from_bytes(content[marker.end() : marker.end() + 2], "big"))
    return scans
