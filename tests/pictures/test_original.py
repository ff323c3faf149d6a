"""Pictures are read with all that their files brought, upright, in all their bits."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from uncrappify.pictures import decode
from uncrappify.pictures.metadata import Metadata
from uncrappify.pictures.original import Original, decode_original, read_original
from uncrappify.pictures.saving import Finished, encode_finished
from uncrappify.pictures.unusable import UnusablePicture

HEIGHT, WIDTH = 6, 9


def pixels(channels: int = 3, kind: type = np.uint8) -> np.ndarray:
    top = np.iinfo(kind).max
    random = np.random.default_rng(5).integers(0, top, (HEIGHT, WIDTH, channels), endpoint=True)
    return random.astype(kind)


def encode(image: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def write_deep(samples: np.ndarray, format: str, opacity: np.ndarray | None = None) -> bytes:
    return encode_finished(Finished(samples, opacity, Metadata()), format).content


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "JPEG"])
def test_a_picture_is_upright_however_the_camera_was_held(orientation: int, format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lines = np.repeat(np.repeat(pixels(), 8, 0), 8, 1)
    content = encode(Image.fromarray(lines), format, exif=exif, **({"quality": 100} if format == "JPEG" else {}))
    expected = np.asarray(decode_original(content).as_rgb())
    assert np.array_equal(np.asarray(decode(content).picture), expected)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_samples_of_16_bits_are_turned_too(orientation: int) -> None:
    deep = pixels(3, np.uint16)
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = {3: np.rot90(deep, 2), 6: np.rot90(deep, -1), 8: np.rot90(deep)}[orientation]
    png = write_deep(deep, "PNG")
    chunk = exif.tobytes().removeprefix(b"Exif\0\0")
    head = len(chunk).to_bytes(4, "big") + b"eXIf" + chunk
    checked = head + zlib.crc32(head[4:]).to_bytes(4, "big")
    turned = decode_original(png[:33] + checked + png[33:])
    assert np.array_equal(turned.samples, upright)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("transparent", [False, True])
def test_samples_come_back_bit_for_bit(format: str, channels: int, kind: type, transparent: bool) -> None:
    samples = pixels(channels, kind)
    opacity = pixels(1, kind)[..., 0] if transparent else None
    back = decode_original(write_deep(samples, format, opacity))
    assert back.samples.dtype == kind
    assert np.array_equal(back.samples, samples)
    assert (back.opacity is None) == (not transparent)
    if opacity is not None:
        assert np.array_equal(back.opacity, opacity)


@pytest.mark.parametrize(("mode", "channels", "transparent"), [("1", 1, 0), ("L", 1, 0), ("LA", 1, 1), ("P", 3, 0)])
def test_grey_stays_grey(mode: str, channels: int, transparent: int) -> None:
    found = decode_original(encode(Image.fromarray(pixels()).convert(mode), "PNG"))
    assert found.samples.shape == (HEIGHT, WIDTH, channels)
    assert (found.opacity is not None) == bool(transparent)


def test_a_transparent_colour_is_an_opacity() -> None:
    grey = pixels(1)[..., 0]
    found = decode_original(encode(Image.fromarray(grey), "PNG", transparency=int(grey[0, 0])))
    assert found.opacity is not None
    assert np.array_equal(found.opacity == 0, grey == grey[0, 0])
    assert found.samples.shape[2] == 1


def test_ink_becomes_colour_and_its_profile_goes() -> None:
    found = decode_original(encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF", icc_profile=b"of ink"))
    assert found.samples.shape[2] == 3
    assert found.samples[0, 0].tolist() == [255, 0, 0]
    assert found.metadata.icc is None
    assert found.notes == ("CMYK to sRGB",)


def test_the_profile_of_deep_ink_and_of_lab_goes_too(tmp_path: Path) -> None:
    ink = np.broadcast_to(np.array([0, 65535, 65535, 0], np.uint16), (8, 8, 4))
    profile = [(34675, 7, 6, b"of ink", True)]
    tifffile.imwrite(tmp_path / "ink.tif", ink, photometric="separated", extratags=profile)
    Image.new("RGB", (8, 8), (200, 100, 50)).convert("LAB").save(tmp_path / "lab.tif", icc_profile=b"of lab")
    ink_file, lab_file = (read_original(tmp_path / name) for name in ("ink.tif", "lab.tif"))
    assert ink_file.samples[0, 0].tolist() == [255, 0, 0]
    assert np.abs(lab_file.samples[0, 0].astype(int) - (200, 100, 50)).max() <= 2
    assert ink_file.metadata.icc is None
    assert lab_file.metadata.icc is None
    assert ink_file.notes[-1] == "CMYK to sRGB"
    assert lab_file.notes == ("Lab to sRGB",)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_is_refused_with_a_word(format: str) -> None:
    frames = [Image.fromarray(np.repeat(np.repeat(pixels() // (number + 1), 4, 0), 4, 1)) for number in range(3)]
    content = encode(frames[0], format, save_all=True, append_images=frames[1:], duration=100)
    with pytest.raises(UnusablePicture, match="animation of 3 frames"):
        decode_original(content)


def test_pages_are_refused_with_a_word() -> None:
    page = Image.fromarray(pixels())
    with pytest.raises(UnusablePicture, match="2 pages"):
        decode_original(encode(page, "TIFF", save_all=True, append_images=[page]))


def test_floats_become_16_bits_with_a_note() -> None:
    ramp = np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    found = decode_original(encode(Image.fromarray(ramp), "TIFF"))
    assert np.array_equal(found.samples[..., 0], np.rint(ramp * 65535))
    assert found.notes == ("32 bit to 16 (white is 1)",)


def test_what_stands_beside_the_pixels_is_read(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Ä boat")
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    Image.fromarray(pixels()).save(tmp_path / "a.png", pnginfo=info, dpi=(300, 150), icc_profile=b"profile")
    found = read_original(tmp_path / "a.png")
    assert found.suffix == ".png"
    assert found.metadata.text == {"Title": "Ä boat"}
    assert found.metadata.xmp == b"<x:xmpmeta/>"
    assert found.metadata.icc == b"profile"
    assert found.metadata.dpi == pytest.approx((300, 150), abs=0.1)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_pixels_an_inch_turn_with_the_picture(format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = decode_original(encode(Image.fromarray(pixels()), format, exif=exif, dpi=(300, 150)))
    assert found.size == (HEIGHT, WIDTH)
    assert found.metadata.dpi == pytest.approx((150, 300), abs=0.1)


def test_what_imagemagick_puts_into_text_is_read_too() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A maker", 6
    info = PngImagePlugin.PngInfo()
    for name, content in (("exif", exif.tobytes()), ("xmp", b"<x:xmpmeta/>"), ("iptc", b"8BIM")):
        digits = content.hex()
        lines = "\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
        info.add_text(f"Raw profile type {name}", f"\n{name}\n{len(content):8}\n{lines}\n")
    found = decode_original(encode(Image.fromarray(pixels()), "PNG", pnginfo=info))
    assert found.size == (HEIGHT, WIDTH)
    assert found.metadata.exif == exif.tobytes().removeprefix(b"Exif\0\0")
    assert (found.metadata.xmp, found.metadata.iptc, found.metadata.text) == (b"<x:xmpmeta/>", b"8BIM", {})
    info.add_text("Raw profile type xmp", "\nxmp\n 3\nno digits\n")
    assert decode_original(encode(Image.fromarray(pixels()), "PNG", pnginfo=info)).metadata.xmp is None


def test_megabytes_of_text_do_not_keep_a_picture_from_being_read(shared: Path) -> None:
    found = read_original(shared / "cases" / "pictures" / "formats" / "text_of_2MB.png")
    assert found.size == (96, 72)


@pytest.mark.parametrize("name", ["grey12.tif", "int16.tif", "grey16.tif", "float_rgb.tif", "rgb16_trns.png"])
def test_deep_files_look_as_training_reads_them(shared: Path, name: str) -> None:
    content = (shared / "cases" / "pictures" / "formats" / name).read_bytes()
    found = decode_original(content)
    assert found.samples.dtype == np.uint16
    difference = np.asarray(found.as_rgb()).astype(int) - np.asarray(decode(content).picture).astype(int)
    assert np.abs(difference).max() <= 1


def test_a_broken_exif_is_left_out() -> None:
    assert Metadata(exif=b"II*\0\xff\xff\xff\xff").resized(3, 4).exif is None


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    content = encode(Image.fromarray(np.repeat(np.repeat(pixels(), 8, 0), 8, 1)), "JPEG", progressive=True)
    start = content.index(b"\xff\xda")
    scan = content[start : content.index(b"\xff", start + 12)]
    with pytest.raises(UnusablePicture, match="scans"):
        decode_original(content[:start] + scan * 1000 + content[start:])


def test_premultiplied_colours_are_divided(tmp_path: Path) -> None:
    opacity = np.full((8, 8), 128, np.uint8)
    colours = np.full((8, 8, 3), 64, np.uint8)
    file = tmp_path / "a.tif"
    tifffile.imwrite(
        file, np.dstack([colours, opacity]).astype(np.uint16) * 257, photometric="rgb", extrasamples=["assocalpha"]
    )
    found = read_original(file)
    assert np.abs(found.samples.astype(int) - 32768).max() <= 300


def test_as_rgb_lays_over_white() -> None:
    samples, opacity = np.zeros((2, 2, 1), np.uint16), np.array([[0, 65535], [32768, 0]], np.uint16)
    shown = np.asarray(Original(samples, opacity, Metadata(), "PNG").as_rgb())
    assert shown[..., 0].tolist() == [[255, 0], [127, 255]]
