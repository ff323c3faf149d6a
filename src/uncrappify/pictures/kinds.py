"""What kind of picture a file holds, by its first bytes; and the suffixes of picture files, read or not."""

from PIL import features

from uncrappify.pictures.unusable import UnusablePicture

SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("jpg", "jpeg", "jpe", "jfif", "jif", "jfi", "pjpeg", "pjp", "mpo"),
        *("png", "apng", "webp", "tif", "tiff", "btf", "tf8", "bmp", "dib", "gif", "avif"),
    )
)
"""Suffixes of picture files that are read, in lower case with their dot."""

UNSUPPORTED = {
    f".{suffix}": kind
    for kind, suffixes in {
        "HEIC": "heic heics heif heifs hif avci avcs",
        "AVIF sequence": "avifs",
        "JPEG XL": "jxl",
        "JPEG 2000": "jp2 j2k j2c jpc jpf jpx jpm",
        "JPEG XR": "jxr wdp hdp",
        "JPEG-LS": "jls",
        "camera raw": "3fr arw cr2 cr3 crw dcr dng erf fff gpr iiq k25 kdc mef mos mrw nef nrw orf pef raf rw2 rwl "
        "sr2 srf srw x3f",
        "Photoshop": "psd psb",
        "Targa": "tga icb vda vst",
        "PNM": "pbm pgm ppm pnm pam pfm",
        "OpenEXR": "exr",
        "Radiance": "hdr",
        "DDS": "dds",
        "icon": "ico cur icns",
        "PCX": "pcx dcx",
        "SGI": "sgi rgba bw",
        "SVG": "svg svgz",
        "EPS": "eps",
        "GIMP": "xcf",
        "Krita": "kra",
        "QOI": "qoi",
        "FLIF": "flif",
        "BPG": "bpg",
        "FITS": "fits fit",
        "DICOM": "dcm",
        "XBM": "xbm xpm",
        "Sun raster": "ras sun",
    }.items()
    for suffix in suffixes.split()
}
"""Suffixes of other pictures, and what such a file is; it is listed, and not read."""

# Pillow's names of the formats that are read. Without this list it would also try formats that start other programs
# (EPS) whatever a file's suffix is.
_READ = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"MM*\0", b"II\0*", b"II+\0", b"MM\0+"), "TIFF"),
}
READ = frozenset({*_READ.values(), "WEBP", "AVIF"})
"""The formats that are read, by Pillow's names; AVIF only where Pillow was built with it."""

_NOT_READ = {
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\xff\xd8\xff\xf7": "JPEG-LS",
    b"II\xbc": "JPEG XR",
    b"8BPS": "Photoshop",
    b"FUJIFILMCCD-RAW": "camera raw",
    b"IIRO": "camera raw",
    b"IIRS": "camera raw",
    b"IIU\0": "camera raw",
    b"II\x1a\0\0\0HEAPCCDR": "camera raw",
    b"FOVb": "camera raw",
    b"\0MRM": "camera raw",
    b"v/1\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance",
    b"#?RGBE": "Radiance",
    b"DDS ": "DDS",
    b"gimp xcf": "GIMP",
    b"qoif": "QOI",
    b"FLIF": "FLIF",
    b"BPG\xfb": "BPG",
    b"SIMPLE  =": "FITS",
    b"\x8aMNG\r\n\x1a\n": "MNG",
    b"\x8bJNG\r\n\x1a\n": "JNG",
    b"P5\n": "PNM",
    b"P6\n": "PNM",
}
# The longest first, because JPEG-LS begins as JPEG does.
_KNOWN = sorted({**_READ, **_NOT_READ}.items(), key=lambda entry: -len(entry[0]))
# Brands of a file of boxes, the first that is there counts: AVIF and HEIC share the brand mif1.
_BRANDS = {
    "AVIF": {b"avif"},
    "AVIF sequence": {b"avis"},
    "HEIC": {
        *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"avci", b"avcs"),
        *(b"mif1", b"msf1", b"mif2", b"miaf"),
    },
    "camera raw": {b"crx "},
}


def recognise(content: bytes) -> str | None:
    """Recognise a picture file by its first bytes.

    Args:
        content: The file's bytes.

    Returns:
        One of :data:`READ`, another kind of picture such as ``HEIC``, or None if it is no picture.
    """
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content[4:8] == b"ftyp":
        return _recognise_brand(content)
    if content[:2] in {b"II", b"MM"} and content[8:10] == b"CR":
        return "camera raw"
    return next((kind for begin, kind in _KNOWN if content.startswith(begin)), None)


def recognise_readable(content: bytes) -> str:
    """Recognise a picture whose kind is read; AVIF depends on how Pillow was built.

    Raises:
        UnusablePicture: It is empty, no picture, or one of another kind.
    """
    if not content:
        raise UnusablePicture("0 bytes")
    kind = recognise(content)
    if kind is None:
        raise UnusablePicture("not a picture")
    if kind not in READ or (kind == "AVIF" and not features.check("avif")):
        raise UnusablePicture(f"not supported: {kind}")
    return kind


def _recognise_brand(content: bytes) -> str | None:
    length = int.from_bytes(content[:4], "big")
    box = content[8 : min(length, 256)]
    brands = {box[:4], *(box[place : place + 4] for place in range(8, len(box), 4))}
    return next((kind for kind, theirs in _BRANDS.items() if brands & theirs), None)
