"""Whatever kind of picture file comes in, an upright 8-bit RGB picture comes out, or the reason why not."""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from uncrappify.errors import UserError
from uncrappify.pictures import UnusablePicture, crop_corner, decode, read_content, read_picture, to_rgb, write_picture
from uncrappify.pictures.budget import count_decoded
from uncrappify.pictures.original import decode_original
from uncrappify.pictures.png import check


def noise(width: int = 30, height: int = 40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def encoded(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, colour: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def colour_of(content: bytes) -> tuple[int, ...]:
    picture = decode(content).picture
    assert picture.mode == "RGB"
    colours = np.asarray(picture).reshape(-1, 3)
    assert (colours == colours[0]).all()
    return tuple(colours[0].tolist())


def pixels(picture: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(picture)


def test_an_empty_file_is_0_bytes() -> None:
    with pytest.raises(UnusablePicture, match=r"^0 bytes$"):
        decode(b"")


def test_a_text_is_not_a_picture() -> None:
    with pytest.raises(UnusablePicture, match=r"^not a picture$"):
        decode(b"Dear diary, this is no picture.")


def test_a_program_for_a_printer_is_never_run() -> None:
    with pytest.raises(UnusablePicture, match=r"^not a picture$"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 30 30\n")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_a_file_that_was_cut_off_is_truncated(format: str) -> None:
    content = encoded(noise(), format)
    for share in (0.5, 0.9):
        with pytest.raises(UnusablePicture, match=r"^truncated"):
            pytest.fail(f"{decode(content[: int(len(content) * share)])} was read of {share} of the file")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_compressed_tiff_that_lost_its_directory_is_truncated() -> None:
    content = encoded(noise(), "TIFF", compression="tiff_lzw")
    with pytest.raises(UnusablePicture, match=r"^truncated"):
        decode(content[: len(content) // 2])


@pytest.mark.parametrize("size", [(1, 1), (15, 400)])
def test_a_tiny_picture_is_decoded_because_the_product_makes_such_itself(size: tuple[int, int]) -> None:
    assert decode(encoded(Image.new("RGB", size), "PNG")).picture.size == size


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_pillows_own_limit_neither_warns_nor_refuses_and_stays_in_place() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(UnusablePicture, match="truncated"):  # so its 190 megapixels were tried
        decode(png(19_000, 10_000, 1, 0, b""))
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_file_without_permission_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UnusablePicture, match=r"^no permission to read it$"):
        read_content(tmp_path / "a.png")


def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnusablePicture, match=r"^cannot be read \(no such file or directory\)$"):
        read_content(tmp_path / "a.png")


@pytest.mark.parametrize(("content", "reason"), [(None, "cannot be read"), (b"", "0 bytes"), (b"x", "not a picture")])
def test_a_picture_that_was_good_when_it_was_listed_says_what_to_do(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "a.png"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_picture(file)
    assert str(caught.value).startswith(f"{file}: {reason}")
    assert "run again from the node list" in str(caught.value)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_a_picture_is_turned_upright_to_the_pixel(format: str) -> None:
    upright = noise()
    # What a camera stores: the inverse of what the orientation asks a viewer to do.
    transposes = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    for orientation in range(1, 9):
        stored = upright.transpose(transposes[orientation]) if orientation > 1 else upright
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        reading = decode(encoded(stored, format, exif=exif))
        np.testing.assert_array_equal(pixels(reading.picture), pixels(upright), f"orientation {orientation}")
        assert reading.notes == (["turned by EXIF"] if orientation > 1 else [])


def test_an_upright_picture_is_not_turned_again_when_it_was_written_and_read(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    once = decode(encoded(noise(), "PNG", exif=exif)).picture
    write_picture(once, tmp_path / "once.png")
    np.testing.assert_array_equal(pixels(read_picture(tmp_path / "once.png")), pixels(once))


def test_broken_exif_does_not_cost_the_picture() -> None:
    reading = decode(encoded(noise(), "JPEG", exif=b"Exif\0\0garbage"))
    assert reading.picture.size == (30, 40)
    assert reading.notes == []


def test_a_palette_is_resolved() -> None:
    picture = Image.new("P", (20, 20), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    content = encoded(picture, "PNG")
    assert colour_of(content) == (10, 20, 30)
    assert decode(content)[1:] == ("P", ["palette"])


def test_grey_becomes_rgb() -> None:
    content = encoded(Image.new("L", (20, 20), 77), "PNG")
    assert colour_of(content) == (77, 77, 77)
    assert decode(content)[1:] == ("L", [])


def test_alpha_is_laid_over_white_exactly() -> None:
    levels = np.arange(256, dtype=np.uint8)
    value, alpha = np.meshgrid(levels, levels)
    picture = decode(encoded(Image.fromarray(np.dstack([value, value, value, alpha])), "PNG")).picture
    expected = (value * (alpha / 255.0)) + 255 * (1 - alpha / 255.0)
    assert np.abs(pixels(picture)[..., 0] - expected).max() <= 0.5


@pytest.mark.parametrize(
    ("picture", "options", "colour"),
    [
        (Image.new("RGBA", (20, 20), (200, 100, 0, 51)), {}, (244, 224, 204)),
        (Image.new("LA", (20, 20), (100, 51)), {}, (224, 224, 224)),
        (Image.new("RGB", (20, 20), (1, 2, 3)), {"transparency": (1, 2, 3)}, (255, 255, 255)),
        (Image.new("RGB", (20, 20), (1, 2, 3)).quantize(2), {"transparency": 0}, (255, 255, 255)),
    ],
)
def test_every_kind_of_transparency_is_laid_over_white(
    picture: Image.Image, options: dict[str, Any], colour: tuple[int, ...]
) -> None:
    content = encoded(picture, "PNG", **options)
    assert colour_of(content) == colour
    assert decode(content).notes[-1] == "alpha over white"


def test_an_alpha_channel_that_hides_nothing_is_not_worth_a_note() -> None:
    content = encoded(Image.new("RGBA", (20, 20), (200, 100, 0, 255)), "PNG")
    assert colour_of(content) == (200, 100, 0)
    assert decode(content)[1:] == ("RGBA", [])


def test_cmyk_keeps_its_colours_in_tiff() -> None:
    content = encoded(Image.new("CMYK", (20, 20), (255, 0, 0, 0)), "TIFF")
    assert colour_of(content) == (0, 255, 255)
    assert decode(content)[1:] == ("CMYK", ["CMYK"])


def test_a_cmyk_jpeg_is_not_shown_as_its_negative() -> None:
    # Like Photoshop's, Pillow's CMYK JPEG is stored inverted with Adobe's marker.
    content = encoded(Image.new("CMYK", (32, 32), (0, 0, 0, 0)), "JPEG")
    assert b"Adobe" in content
    assert colour_of(content) == (255, 255, 255)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_divided_by_257_and_rounded(format: str) -> None:
    values = np.linspace(0, 65535, 1600, dtype=np.uint16).reshape(40, 40)
    reading = decode(encoded(Image.fromarray(values), format))
    expected = (values.astype(int) + 128) // 257
    np.testing.assert_array_equal(pixels(reading.picture)[..., 0], expected)
    assert reading[1:] == ("I;16", ["16 bit to 8"])


def test_big_endian_16_bit_is_read_alike() -> None:
    assert colour_of(encoded(Image.new("I;16B", (20, 20), 257 * 100), "TIFF")) == (100, 100, 100)


def test_16_bit_colour_becomes_8_bit() -> None:
    row = b"\0" + np.full((20, 3), 257 * 100, ">u2").tobytes()
    content = png(20, 20, 16, 2, row * 20)
    assert colour_of(content) == (100, 100, 100)
    assert decode(content).notes == ["16 bit to 8"]


@pytest.mark.parametrize(
    ("mode", "value", "grey"), [("F", 0.4, 102), ("F", 102.0, 102), ("I", 102, 102), ("I", 257 * 102, 102)]
)
def test_32_bit_modes_are_scaled_by_the_white_that_holds_their_peak(mode: str, value: float, grey: int) -> None:
    assert colour_of(encoded(Image.new(mode, (20, 20), value), "TIFF")) == (grey, grey, grey)


@pytest.mark.parametrize("format", ["GIF", "TIFF", "WEBP", "PNG"])
def test_the_first_of_several_frames_is_taken(format: str) -> None:
    first, *others = (Image.new("RGB", (20, 20), colour) for colour in ("black", "white", "red"))
    content = encoded(first, format, save_all=True, append_images=others)
    assert colour_of(content) == (0, 0, 0)
    assert "first frame of 3" in decode(content).notes


def test_a_picture_survives_writing_and_reading_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "Öl auf Holz.png"
    write_picture(noise(), path)
    np.testing.assert_array_equal(pixels(read_picture(path)), pixels(noise()))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_open_picture_becomes_what_its_file_does() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    alpha = noise().convert("RGBA")
    alpha.putalpha(noise().getchannel("R"))
    contents = {
        "phone": encoded(noise(), "JPEG", exif=exif),
        "turned tiff": encoded(noise(), "TIFF", exif=exif),
        "alpha": encoded(alpha, "PNG"),
        "palette": encoded(noise().convert("P"), "GIF"),
        "16 bit": encoded(Image.fromarray(np.arange(0, 65_536, 64, dtype=np.uint16).reshape(32, 32)), "PNG"),
        "grey": encoded(noise().convert("L"), "PNG"),
        "CMYK": encoded(noise().convert("CMYK"), "JPEG"),
    }
    for case, content in contents.items():
        opened, loaded = Image.open(BytesIO(content)), Image.open(BytesIO(content))
        loaded.load()
        for image in (opened, loaded):
            np.testing.assert_array_equal(pixels(to_rgb(image)), pixels(decode(content).picture), case)


def test_the_picture_that_is_converted_is_left_as_it_is() -> None:
    picture = noise()
    picture.info = {"icc_profile": b"x"}
    assert to_rgb(picture).info == {}
    assert picture.info == {"icc_profile": b"x"}


def test_a_path_is_no_picture() -> None:
    with pytest.raises(TypeError, match=r"expected a Pillow picture .* got str: 'a\.png'\. PIL\.Image\.open"):
        to_rgb("a.png")


def test_a_picture_of_190_megapixels_is_read_turned_and_cropped() -> None:
    line = b"\0" + b"\xff" * 2375
    content = png(19_000, 10_000, 1, 0, line * 10_000)
    exif = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\3\0\0\0\0\0\0")
    turned = content[:33] + exif + content[33:]
    picture, _, notes = decode(turned)
    assert (picture.size, notes) == ((19_000, 10_000), ["turned by EXIF"])
    assert crop_corner(picture, 18_999, 9_999).size == (18_999, 9_999)


def test_crop_corner_keeps_the_upper_left_pixels() -> None:
    np.testing.assert_array_equal(pixels(crop_corner(noise(), 20, 31)), pixels(noise())[:31, :20])


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnusablePicture, match=r"^not a file$"):
        read_content(tmp_path / "pipe.png")


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="a file of the system's own is read here")
def test_a_file_of_the_systems_own_is_empty_because_some_are_waited_for_without_end(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("/proc/version")
    assert read_content(tmp_path / "a.jpg") == b""


def test_a_link_that_leads_nowhere_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(UnusablePicture, match=r"^a link that leads nowhere$"):
        read_content(tmp_path / "a.png")


def test_a_late_exif_turns_a_16_bit_picture_whose_transparent_colour_is_white() -> None:
    stored = np.zeros((20, 30, 3), ">u2")
    stored[0, 0] = 51_400
    stored[0, 1] = 51_401
    content = png(30, 20, 16, 2, b"".join(b"\0" + line.tobytes() for line in stored))
    transparent = chunk(b"tRNS", stored[0, 0].tobytes())
    late = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0")
    reading = decode(content[:33] + transparent + content[33:-12] + late + content[-12:])
    assert reading.picture.size == (20, 30)
    assert [reading.picture.getpixel(place) for place in ((19, 0), (19, 1), (0, 0))] == [
        (255, 255, 255),
        (200, 200, 200),
        (0, 0, 0),
    ]
    assert reading.notes == ["16 bit to 8", "turned by EXIF", "alpha over white"]


ROWS = b"".join(b"\0" + row.tobytes() for row in np.asarray(noise()))
LATE_EXIF = chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\1\0\0\0\0\0\0\0")


def with_stream(*parts: bytes, colour: int = 2, interlaced: int = 0, after: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30, 40, 8, colour, 0, 0, interlaced))
    stream = b"".join(chunk(b"IDAT", part) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + header + stream + after + chunk(b"IEND", b"")


@pytest.mark.parametrize("parts", [(), (b"",), (b"", b"")])
def test_a_png_without_pixels_is_truncated(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(UnusablePicture, match=r"^truncated$"):
        check(with_stream(*parts))


def bytewise(stream: bytes) -> list[bytes]:
    return [stream[place : place + 1] for place in range(len(stream))]


@pytest.mark.parametrize("after", [b"", LATE_EXIF])
@pytest.mark.parametrize(
    "parts",
    [
        [zlib.compress(ROWS)[:-1] + b"\0"],
        bytewise(zlib.compress(ROWS)[:-1] + b"\0"),
        [zlib.compress(ROWS, 0)[:2000] + b"\0" + zlib.compress(ROWS, 0)[2001:]],
        [zlib.compress(b"\7" + ROWS[1:])],
        [zlib.compress(ROWS[: len(ROWS) // 2])],
        [zlib.compress(ROWS[:-91])],
        [zlib.compress(ROWS[:-1])],
        [zlib.compress(ROWS)[:-100]],
    ],
    ids=["checksum", "checksum apart", "byte", "filter", "half", "a row less", "a byte less", "cut"],
)
def test_a_png_whose_compressed_pixels_are_damaged_is_refused_although_the_chunks_are_sound(
    parts: list[bytes], after: bytes
) -> None:
    for read in (decode, decode_original):
        with pytest.raises(UnusablePicture, match=r"^truncated( or damaged)?$"):
            read(with_stream(*parts, after=after))


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
def test_an_interlaced_png_that_lacks_a_row_is_truncated(colour: int) -> None:
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    sides = [(4, 5), (4, 5), (8, 5), (7, 10), (15, 10), (15, 20), (30, 20)]
    rows = b"".join((b"\0" + b"\x40" * columns * channels) * lines for columns, lines in sides)
    assert decode(with_stream(zlib.compress(rows), colour=colour, interlaced=1)).picture.size == (30, 40)
    short = zlib.compress(rows[: -1 - 30 * channels])
    with pytest.raises(UnusablePicture, match=r"^truncated$"):
        decode(with_stream(short, colour=colour, interlaced=1))


@pytest.mark.parametrize("parts", [[zlib.compress(bytes(40 * 91))], bytewise(zlib.compress(ROWS + b"more") + b"more")])
def test_a_png_that_is_black_or_stores_too_much_is_whole(parts: list[bytes]) -> None:
    found = decode(with_stream(*parts)).picture
    assert np.array_equal(pixels(found), np.zeros((40, 30, 3)) if len(parts) == 1 else pixels(noise()))


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
@pytest.mark.parametrize("deep", [False, True])
def test_a_tiff_whose_first_page_is_a_thumbnail_is_read_from_its_full_page(options: dict[str, Any], deep: bool) -> None:
    full = pixels(noise(32, 48)).astype(np.uint16) * 257 if deep else pixels(noise(32, 48))
    file = BytesIO()
    with tifffile.TiffWriter(file, **options) as writer:
        writer.write(np.zeros((12, 8, 3), np.uint8), photometric="rgb", subfiletype=1)
        writer.write(full, photometric="rgb")
    reading = decode(file.getvalue())
    assert np.array_equal(pixels(reading.picture), pixels(noise(32, 48)))
    assert reading.notes == (["16 bit to 8"] if deep else [])
    assert np.array_equal(decode_original(file.getvalue()).samples, full)
    file.seek(0)
    assert count_decoded(file) >= 32 * 48 * 3 * full.itemsize


def test_a_thumbnail_that_holds_other_pictures_is_a_cameras_raw_file() -> None:
    file = BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(np.zeros((12, 8, 3), np.uint8), photometric="rgb", subfiletype=1, subifds=1)
        writer.write(np.zeros((48, 32), np.uint16))
        writer.write(pixels(noise()), photometric="rgb")
    with pytest.raises(UnusablePicture, match=r"^not supported: camera raw$"):
        decode(file.getvalue())


def bmp(bits: int, compression: int, masks: tuple[int, ...] = (0, 0, 0), header: int = 40) -> bytes:
    start = struct.pack("<IIII", 54 + 12 + 4000, 0, 54 + 12, header)
    rest = struct.pack("<iiHHIIiiII", 30, 40, 1, bits, compression, 4000, 0, 0, 0, 0) + struct.pack("<III", *masks)
    return b"BM" + start + rest + bytes(30 * 40 * 4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bmp(16, 3, (0xF00, 0xF0, 0xF)), "BMP of 16 bits with the colours at f00-f0-f"),
        (bmp(32, 3, (0x3FF00000, 0xFFC00, 0x3FF)), "BMP of 32 bits with the colours at 3ff00000-ffc00-3ff"),
        (bmp(32, 3, (0xFF, 0xFF00, 0xFF0000)), "BMP of 32 bits with the colours at ff-ff00-ff0000"),
        (bmp(2, 0), "BMP of 2 bits"),
        (bmp(0, 4), "BMP that holds a JPEG"),
        (bmp(0, 5), "BMP that holds a PNG"),
        (bmp(8, 0, header=16), "BMP with a short header of OS/2"),
        (b"\0\0\0\x18ftypavci\0\0\0\0mif1avci", "HEIC"),
        (b"\0\0\0\x14ftypmiaf\0\0\0\0miaf", "HEIC"),
    ],
)
def test_an_intact_picture_that_is_not_read_is_not_called_damaged(content: bytes, reason: str) -> None:
    with pytest.raises(UnusablePicture, match=rf"^not supported: {reason}$"):
        decode(content)


def test_a_bmp_of_bits_that_there_are_not_is_damaged() -> None:
    with pytest.raises(UnusablePicture, match=r"^truncated or damaged$"):
        decode(bmp(7, 0))
    with pytest.raises(UnusablePicture, match=r"^truncated$"):
        decode(bmp(32, 3, (0xFF0000, 0xFF00, 0xFF))[:-1000])


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("premultiplied", [False, True])
def test_a_grey_tiff_of_8_bits_has_its_opacity_however_it_is_stored(planar: bool, premultiplied: bool) -> None:
    opacity = pixels(noise())[..., 0]
    stored = np.stack([np.rint(100 * (opacity / 255)) if premultiplied else np.full((40, 30), 100), opacity])
    file = BytesIO()
    tifffile.imwrite(
        file,
        np.ascontiguousarray(stored if planar else np.moveaxis(stored, 0, -1)).astype(np.uint8),
        photometric="minisblack",
        planarconfig="separate" if planar else "contig",
        extrasamples=["assocalpha" if premultiplied else "unassalpha"],
    )
    expected = 255 - 155 * (opacity / 255)
    reading = decode(file.getvalue())
    assert np.abs(pixels(reading.picture)[..., 0] - expected).max() <= 1
    assert reading.notes == ["alpha over white"]
    assert np.array_equal(decode_original(file.getvalue()).opacity, opacity)


def test_a_tiff_of_luma_and_chroma_apart_is_not_supported() -> None:
    file = BytesIO()
    tifffile.imwrite(
        file, np.zeros((3, 40, 30), np.uint8), photometric="ycbcr", planarconfig="separate", subsampling=(1, 1)
    )
    with pytest.raises(UnusablePicture, match=r"^not supported: YCbCr TIFF with its channels apart$"):
        decode(file.getvalue())
