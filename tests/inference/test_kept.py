"""A restored picture has all that its original brought: twelve kinds, read back by Pillow and by exiftool."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from uncrappify.datasets import RestorationDescription
from uncrappify.inference import Restorer
from uncrappify.inference.results import Request, ScaleTo
from uncrappify.models import build
from uncrappify.pictures.metadata import Metadata
from uncrappify.pictures.original import Original, read_original
from uncrappify.pictures.saving import Finished, encode_finished

pytestmark = pytest.mark.usefixtures("one_thread")
WIDTH, HEIGHT = 40, 24
XMP_OF_6 = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


@dataclass(frozen=True)
class Kind:
    """A picture file.

    Attributes:
        suffix: Of the file.
        mode: ``L``, ``LA``, ``RGB``, ``RGBA``, followed by 16 for so many bits.
        profile: ``adobe``, ``grey`` or none.
        orientation: In the EXIF; 0 for a file without EXIF.
        dpi: Whether the file says it.
    """

    suffix: str
    mode: str
    profile: str = ""
    orientation: int = 1
    dpi: bool = True


KINDS = [
    Kind(".jpg", "RGB", "adobe", 6),
    Kind(".jpg", "L", "grey", 3),
    Kind(".jpeg", "RGB", "", 8),
    Kind(".png", "RGBA", "adobe", 1),
    Kind(".png", "RGB16", "adobe", 6),
    Kind(".png", "LA16", "grey", 1),
    Kind(".png", "L", "", 0),
    Kind(".tif", "RGB16", "adobe", 1),
    Kind(".tif", "RGBA16", "", 8),
    Kind(".tiff", "L", "grey", 3),
    Kind(".webp", "RGBA", "adobe", 6, dpi=False),
    Kind(".avif", "RGB", "adobe", 1, dpi=False),
]


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    """An untrained upscaler: bicubic enlargement, which keeps a flat colour as it is."""
    network = build("restoration", "upscaler", {"scale": 2, "channels": 4, "blocks": 1})
    description = RestorationDescription(
        model="upscaler", options={"scale": 2, "channels": 4, "blocks": 1}, scale=2, recipe=[]
    )
    return Restorer(network, description)


def describe(kind: Kind) -> bytes:
    """XMP, which says what EXIF says."""
    return XMP_OF_6.replace(b'Orientation="6"', b'Orientation="%d"' % (kind.orientation or 1))


def make(kind: Kind, profiles: dict[str, bytes], path: Path) -> Original:
    """Write a picture of two flat halves, as it lies in the file, with everything that it may bring."""
    deep = kind.mode.endswith("16")
    mode, top = kind.mode.removesuffix("16"), 65535 if deep else 255
    channels = 1 if mode.startswith("L") else 3
    samples = np.empty((HEIGHT, WIDTH, channels), np.uint16 if deep else np.uint8)
    samples[:, : WIDTH // 2] = np.array([0.1, 0.9, 0.2][:channels]) * top
    samples[:, WIDTH // 2 :] = np.array([0.8, 0.3, 0.5][:channels]) * top
    opacity = None
    if mode.endswith("A"):
        opacity = np.full((HEIGHT, WIDTH), top, samples.dtype)
        opacity[: HEIGHT // 2] = top // 3
    exif = Image.Exif()
    exif[0x010F], exif[0x0132], exif[0x0112] = "A maker", "2024:05:01 10:11:12", kind.orientation
    exif[0x8769] = {0x9003: "2024:05:01 10:11:12", 0x8827: 400, 0xA002: WIDTH, 0xA003: HEIGHT, 0x927C: b"\x01note\xff"}
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 30.0), 3: "E", 4: (11.0, 34.0, 0.0)}
    metadata = Metadata(
        exif=exif.tobytes().removeprefix(b"Exif\0\0") if kind.orientation else None,
        icc=profiles.get(kind.profile),
        xmp=describe(kind),
        dpi=(300.0, 300.0) if kind.dpi else None,
        text={"Title": "A boat"} if kind.suffix == ".png" else {},
        comment=b"by hand" if kind.suffix == ".jpg" else None,
    )
    path.write_bytes(write(Finished(samples, opacity, metadata), kind))
    return Original(samples, opacity, metadata, kind.suffix)


def write(picture: Finished, kind: Kind) -> bytes:
    """Write by Pillow, not by what is tested, wherever Pillow can."""
    metadata, deep = picture.metadata, picture.samples.dtype == np.uint16
    if deep:
        content = encode_finished(picture, {".png": "PNG", ".tif": "TIFF"}[kind.suffix]).content
        # That has turned it upright already.
        return set_orientation(content, kind.orientation)
    planes = picture.samples if picture.opacity is None else np.dstack([picture.samples, picture.opacity])
    image = Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)
    options: dict[str, Any] = {"icc_profile": metadata.icc} if metadata.icc else {}
    if metadata.exif:
        options["exif"] = b"Exif\0\0" + metadata.exif
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    if kind.suffix == ".png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Title", "A boat")
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", describe(kind).decode())
    elif kind.suffix in (".tif", ".tiff"):
        exif = Image.Exif()
        exif.load(metadata.exif or b"")
        exif[700] = describe(kind)
        options["exif"] = exif
    else:
        options["xmp"] = describe(kind)
    if kind.suffix in (".jpg", ".jpeg"):
        options |= {"quality": 100, "comment": metadata.comment}
    if kind.suffix in (".webp", ".avif"):
        options["quality"] = 100
    file = BytesIO()
    image.save(file, Image.registered_extensions()[kind.suffix], **options)
    return file.getvalue()


def set_orientation(content: bytes, orientation: int) -> bytes:
    """Say that a file is turned after all: the one entry 0x0112 in it, in either order of bytes."""
    import zlib

    for order in ("little", "big"):
        mark = (0x0112).to_bytes(2, order) + (3).to_bytes(2, order) + (1).to_bytes(4, order)
        content = content.replace(mark + (1).to_bytes(2, order), mark + orientation.to_bytes(2, order))
    place = content.find(b"eXIf")
    if content.startswith(b"\x89PNG") and place > 0:
        end = place + 4 + int.from_bytes(content[place - 4 : place], "big")
        content = content[:end] + zlib.crc32(content[place:end]).to_bytes(4, "big") + content[end + 4 :]
    return content


@pytest.fixture
def profiles(adobe_profile: bytes, grey_profile: bytes) -> dict[str, bytes]:
    return {"adobe": adobe_profile, "grey": grey_profile}


def restore(restorer: Restorer, path: Path, **request: Any) -> Path:
    target = path.with_name(f"restored{path.suffix}")
    result = restorer.process(read_original(path), Request(quality=100, **request))
    target.write_bytes(result.files[0]().content)
    return target


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.suffix}-{kind.mode}-{kind.profile}-{kind.orientation}")
def test_all_that_a_picture_brought_is_kept(
    kind: Kind, restorer: Restorer, profiles: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / f"brought{kind.suffix}"
    brought = make(kind, profiles, path)
    restored = restore(restorer, path)
    before, after = read_original(path), read_original(restored)
    turned = kind.orientation in (6, 8)
    assert after.size == ((2 * HEIGHT, 2 * WIDTH) if turned else (2 * WIDTH, 2 * HEIGHT))
    # 16 bit stays, grey stays, opacity stays. WebP has colours alone.
    assert after.samples.dtype == brought.samples.dtype
    assert after.samples.shape[2] == brought.samples.shape[2]
    assert (after.opacity is None) == (brought.opacity is None)
    check_pixels(before, after)
    # Bytes of the profile; EXIF with orientation 1; XMP; pixels an inch; text and comment.
    assert after.metadata.icc == brought.metadata.icc
    check_exif(kind, after)
    assert b'xmp:Rating="4"' in (after.metadata.xmp or b"")
    assert b'tiff:Orientation="1"' in (after.metadata.xmp or b"")
    if kind.dpi:
        assert after.metadata.dpi == pytest.approx((300, 300), rel=1e-3)
    assert after.metadata.text == brought.metadata.text
    assert after.metadata.comment == brought.metadata.comment
    check_by_exiftool(kind, path, restored)


def check_pixels(before: Original, after: Original) -> None:
    """Flat colours are where they were, in the file's own numbers: nothing was converted one way alone."""
    exact = before.kind in ("PNG", "TIFF")
    near = (40 if before.white > 255 else 1) if exact else 4
    for share in (0.25, 0.75):
        places = [tuple(round(share * side) for side in one.samples.shape[:2]) for one in (before, after)]
        first, second = (one.samples[place].astype(int) for one, place in zip((before, after), places, strict=True))
        assert np.abs(first - second).max() <= near
        if before.opacity is not None and after.opacity is not None:
            difference = int(before.opacity[places[0]]) - int(after.opacity[places[1]])
            assert abs(difference) <= (2 if before.white > 255 else 1)


def check_exif(kind: Kind, after: Original) -> None:
    if not kind.orientation:
        assert after.metadata.exif is None or kind.suffix == ".webp"
        return
    exif = Image.Exif()
    exif.load(after.metadata.exif or b"")
    assert exif.get(0x0112, 1) == 1
    assert exif[0x0132] == "2024:05:01 10:11:12"
    assert exif.get_ifd(0x8769)[0x8827] == 400
    assert exif.get_ifd(0x8769)[0x927C] == b"\x01note\xff"
    assert exif.get_ifd(0x8769)[0xA002] == after.size[0]
    assert [float(value) for value in exif.get_ifd(0x8825)[2]] == [48.0, 8.0, 30.0]


def check_by_exiftool(kind: Kind, before: Path, after: Path) -> None:
    if not shutil.which("exiftool"):
        return
    done = subprocess.run(
        ["exiftool", "-json", "-n", "-G0", str(before), str(after)], capture_output=True, text=True, check=True
    )
    first, second = json.loads(done.stdout)
    for name in ("ExifTool:Warning", "ExifTool:Error"):
        assert second.get(name) == first.get(name)
    assert second["XMP:Rating"] == 4
    assert second["XMP:Orientation"] == 1
    assert second.get("ICC_Profile:ProfileDescription") == ("Test" if kind.profile else None)
    if kind.orientation:
        for name in ("Make", "ModifyDate", "DateTimeOriginal", "ISO", "GPSLatitude", "GPSLongitudeRef"):
            assert second[f"EXIF:{name}"] == first[f"EXIF:{name}"], name
        assert second["EXIF:ExifImageWidth"] == find_width(second)
        assert second.get("EXIF:Orientation", 1) == 1


def find_width(told: dict[str, Any]) -> Any:
    return next(value for name, value in told.items() if name.endswith(":ImageWidth"))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_metadata_go_into_another_format_too(
    format: str, restorer: Restorer, profiles: dict[str, bytes], tmp_path: Path
) -> None:
    for number, kind in enumerate((KINDS[0], KINDS[7])):
        path = tmp_path / f"{number}{kind.suffix}"
        make(kind, profiles, path)
        target = tmp_path / f"{number}-restored.{format.lower()}"
        result = restorer.process(read_original(path), Request(format=format))
        target.write_bytes(result.files[0]().content)
        after = read_original(target)
        assert after.metadata.icc == profiles["adobe"]
        assert b'xmp:Rating="4"' in (after.metadata.xmp or b"")
        check_exif(Kind(target.suffix, kind.mode), after)


def test_a_thumbnail_of_the_turned_picture_is_dropped(restorer: Restorer, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "small.jpg")
    thumbnail = (tmp_path / "small.jpg").read_bytes()
    directory = (
        b"\x02\0"
        + b"\x01\x02\x04\0\x01\0\0\0\x38\0\0\0"
        + b"\x02\x02\x04\0\x01\0\0\0"
        + len(thumbnail).to_bytes(4, "little")
        + bytes(4)
    )
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x1a\0\0\0" + directory + thumbnail
    Image.new("RGB", (WIDTH, HEIGHT)).save(path, exif=exif)
    assert thumbnail in path.read_bytes()
    restored = restore(restorer, path)
    assert thumbnail not in restored.read_bytes()
    assert Image.open(restored).getexif().get_ifd(1) == {}


def test_colours_look_the_same_to_a_program_that_knows_profiles(
    restorer: Restorer, adobe_profile: bytes, tmp_path: Path
) -> None:
    colours = np.random.default_rng(3).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(colours.repeat(16, 0).repeat(16, 1)).save(path, icc_profile=adobe_profile)

    def look(file: Path) -> np.ndarray:
        image = Image.open(file)
        given = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
        shown = ImageCms.profileToProfile(image, given, ImageCms.createProfile("LAB"), outputMode="LAB")
        lab = np.asarray(shown).astype(int)
        lab[..., 1:] = (lab[..., 1:] + 128) % 256
        step = image.width // 6
        return lab[step // 2 :: step, step // 2 :: step]

    assert np.abs(look(path) - look(restore(restorer, path))).max() <= 2


@pytest.mark.parametrize(
    ("text", "size"), [("2x", (80, 48)), ("1x", (40, 24)), ("1.5x", (60, 36)), ("100x", (100, 60)), ("x12", (20, 12))]
)
def test_any_size_by_a_last_resize(text: str, size: tuple[int, int], restorer: Restorer, tmp_path: Path) -> None:
    for mode in ("RGBA", "LA16"):
        path = tmp_path / f"{mode}.png"
        make(Kind(".png", mode, "", 0), {}, path)
        after = read_original(restore(restorer, path, scale_to=ScaleTo.parse(text)))
        assert after.size == size
        assert after.opacity is not None
        assert after.opacity.shape == size[::-1]


def test_what_a_format_cannot_hold_is_said(restorer: Restorer, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    make(Kind(".png", "RGBA16", "", 0), {}, path)
    encoded = restorer.process(read_original(path), Request(format="JPEG")).files[0]()
    assert encoded.notes == ("16 bit to 8, as JPEG has no more", "alpha over white, as JPEG has none")
    assert Image.open(BytesIO(encoded.content)).mode == "RGB"


def test_invisible_colours_do_not_bleed_into_what_is_seen(restorer: Restorer, tmp_path: Path) -> None:
    picture = np.zeros((24, 24, 4), np.uint8)
    picture[8:16, 8:16] = (255, 255, 255, 255)
    Image.fromarray(picture).save(tmp_path / "a.png")
    after = np.asarray(Image.open(restore(restorer, tmp_path / "a.png")))
    assert (after[after[..., 3] > 0][:, :3] == 255).all()
