"""The manifest: every picture is opened once, and what is wrong with it is written down."""

import hashlib
import logging
import struct
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image

from uncrappify.errors import UserError
from uncrappify.pictures.budget import DECODING
from uncrappify.pictures.jpeg import count_scans
from uncrappify.sources import PictureSource, list_pictures


def noise(seed: int, width: int = 30, height: int = 40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def manifest_of(root: Path) -> pd.DataFrame:
    return list_pictures(PictureSource(name="test", root=root, licence="none")).set_index("name", drop=False)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    (tmp_path / "deep er").mkdir()
    noise(1).save(tmp_path / "good.png")
    noise(2).save(tmp_path / "deep er" / "Übung 1.jpg")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:1000])
    (tmp_path / "cut2.png").write_bytes((tmp_path / "good.png").read_bytes()[:1200])
    noise(3, 1, 1).save(tmp_path / "dot.png")
    (tmp_path / "twin.png").write_bytes((tmp_path / "good.png").read_bytes())
    return tmp_path


def test_every_picture_has_a_row_with_what_is_wrong_with_it(mixed: Path) -> None:
    manifest = manifest_of(mixed)
    assert manifest["reason"].to_dict() == {
        "cut": "truncated",
        "cut2": "truncated",
        "deep er/Übung 1": "",
        "dot": "1x1, smaller than 16x16",
        "empty": "0 bytes",
        "good": "",
        "text": "not a picture",
        "twin": "same content as good",
    }
    assert (manifest["usable"] == (manifest["reason"] == "")).all()
    assert list(manifest["name"]) == sorted(manifest["name"])


def test_a_row_describes_its_file(mixed: Path) -> None:
    row = manifest_of(mixed).loc["good"]
    content = (mixed / "good.png").read_bytes()
    assert row.to_dict() == {
        "name": "good",
        "file": "good.png",
        "width": 30,
        "height": 40,
        "mode": "RGB",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "usable": True,
        "reason": "",
        "notes": "",
    }


def test_the_table_survives_parquet(mixed: Path) -> None:
    manifest = list_pictures(PictureSource(name="test", root=mixed, licence="none"))
    manifest.to_parquet(mixed / "manifest.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(mixed / "manifest.parquet"), manifest)


def test_width_and_height_are_those_of_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    noise(1, width=30, height=40).save(tmp_path / "phone.jpg", exif=exif)
    row = manifest_of(tmp_path).loc["phone"]
    assert (row["width"], row["height"], row["notes"]) == (40, 30, "turned by EXIF")


def test_each_kind_of_reason_is_one_warning_with_count_and_names(mixed: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        manifest_of(mixed)
    assert caplog.messages == [
        "1 picture left out, 0 bytes: empty.jpg",
        "1 picture left out, not a picture: text.jpg",
        "1 picture left out, same content as another: twin.png",
        "1 picture left out, smaller than 16x16: dot.png",
        "2 pictures left out, truncated: cut.png, cut2.png",
    ]


def test_more_than_three_names_are_cut_short(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    noise(1).save(tmp_path / "good.png")
    for number in range(5):
        (tmp_path / f"{number}.png").touch()
    manifest_of(tmp_path)
    assert caplog.messages == ["5 pictures left out, 0 bytes: 0.png, 1.png, 2.png, ..."]


def test_what_was_changed_is_said_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.new("RGBA", (20, 20), (1, 2, 3, 4)).save(tmp_path / "a.png")
    Image.new("RGBA", (20, 20), (5, 6, 7, 8)).save(tmp_path / "b.png")
    Image.new("P", (20, 20), 1).save(tmp_path / "c.png")
    with caplog.at_level(logging.INFO):
        manifest = manifest_of(tmp_path)
    assert caplog.messages == ["read as 8-bit RGB: alpha over white (2 pictures), palette (1 picture)"]
    assert list(manifest["notes"]) == ["alpha over white", "alpha over white", "palette"]


def test_files_that_differ_in_their_suffix_alone_have_different_names(tmp_path: Path) -> None:
    for seed, file in enumerate(["a.jpg", "a.png", "a.png.jpg", "b.png"]):
        noise(seed).save(tmp_path / file)
    assert manifest_of(tmp_path)["file"].to_dict() == {
        "a.jpg": "a.jpg",
        "a.png": "a.png",
        "a.png.jpg": "a.png.jpg",
        "b": "b.png",
    }


def test_a_picture_without_permission_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(1).save(tmp_path / "good.png")
    noise(2).save(tmp_path / "secret.png")
    read = Path.read_bytes

    def refuse_the_secret(path: Path) -> bytes:
        if path.stem == "secret":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse_the_secret)
    assert list(manifest_of(tmp_path)["reason"]) == ["", "no permission to read it"]


def test_a_name_that_is_no_unicode_does_not_break_the_table(tmp_path: Path) -> None:
    noise(1).save(tmp_path / "good.png")
    try:
        (tmp_path / "b\udcffd.png").touch()
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system only takes unicode names")
    manifest = manifest_of(tmp_path)
    assert manifest["reason"].to_dict() == {"b\\udcffd": "name is not valid unicode", "good": ""}
    manifest.to_parquet(tmp_path / "manifest.parquet")


def test_the_manifest_is_the_same_every_time(mixed: Path) -> None:
    pd.testing.assert_frame_equal(manifest_of(mixed), manifest_of(mixed))


def test_a_bar_is_shown_for_many_pictures_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []

    def note_the_total(items: Any, _: str, total: int) -> Any:
        shown.append(total)
        return items

    monkeypatch.setattr("uncrappify.sources.manifest.track", note_the_total)
    for seed in range(51):
        noise(seed, 16, 16).save(tmp_path / f"{seed}.png")
    assert len(manifest_of(tmp_path)) == 51
    (tmp_path / "0.png").unlink()
    manifest_of(tmp_path)
    assert shown == [51]


def test_a_link_to_a_folder_that_is_not_there_is_listed_with_the_reason(tmp_path: Path) -> None:
    noise(1).save(tmp_path / "a.png")
    (tmp_path / "2023").symlink_to("/media/usb/2023")
    manifest = manifest_of(tmp_path).set_index("name")
    assert manifest["usable"].to_dict() == {"2023": False, "a": True}
    assert manifest.loc["2023", "reason"] == "a link that leads nowhere"


def test_no_usable_picture_is_an_error_that_counts_the_reasons(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "c.jpg").write_text("no picture")
    with pytest.raises(UserError, match=r"none of the pictures in .* can be used \(2 0 bytes, 1 not a picture\)"):
        manifest_of(tmp_path)


def test_what_is_intact_and_not_read_is_told_by_its_kind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    noise(1).save(tmp_path / "a.jfif", "JPEG")
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    for file, content in {
        "a.HEIC": heic,
        "b.jpg": heic,
        "c.tga": b"\0\0\2",
        "d.psd": b"8BPS\0\1",
        "e.jxl": b"",
    }.items():
        (tmp_path / file).write_bytes(content)
    noise(2).save(tmp_path / "f.heic", "JPEG")
    (tmp_path / "g.png").symlink_to(tmp_path / "gone.png")
    noise(3).save(tmp_path / "h.png")
    damaged = bytearray((tmp_path / "h.png").read_bytes())
    damaged[60] ^= 1
    (tmp_path / "h.png").write_bytes(damaged)
    assert manifest_of(tmp_path)["reason"].to_dict() == {
        "a.jfif": "",
        "a.HEIC": "not supported: HEIC",
        "b": "not supported: HEIC",
        "c": "not supported: Targa",
        "d": "not supported: Photoshop",
        "e": "0 bytes",
        "f": "",
        "g": "a link that leads nowhere",
        "h": "damaged: a checksum is wrong",
    }
    assert "2 pictures left out, not supported: HEIC: a.HEIC, b.jpg" in caplog.messages


def test_a_folder_of_unsupported_pictures_alone_counts_their_kinds(tmp_path: Path) -> None:
    for file in ("a.heic", "b.heic", "c.psd"):
        (tmp_path / file).write_bytes(b"x")
    with pytest.raises(UserError, match=r"\(2 not supported: HEIC, 1 not supported: Photoshop\)"):
        manifest_of(tmp_path)


def test_no_picture_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are no pictures in"):
        manifest_of(tmp_path)


def progressive(scans: int) -> bytes:
    """A progressive JPEG whose last scan, a refinement of a few bytes, is there again and again."""
    file = BytesIO()
    noise(1).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * (scans - count_scans(content)) + content[-2:]


def test_a_jpeg_of_very_many_scans_is_over_a_limit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    noise(2).save(tmp_path / "good.jpg", progressive=True)
    (tmp_path / "bomb.jpg").write_bytes(progressive(200))
    assert manifest_of(tmp_path)["reason"].to_dict() == {
        "bomb": "over a limit: a JPEG of 200 scans, the limit is 50",
        "good": "",
    }
    assert caplog.messages == ["1 picture left out, over a limit: bomb.jpg"]


def test_scans_are_told_from_bytes_of_metadata_and_pixels(tmp_path: Path) -> None:
    file = BytesIO()
    noise(1).save(file, "JPEG", quality=98, exif=b"Exif\0\0" + b"\xff\xda\0\2" * 90)
    content = file.getvalue()
    assert count_scans(content + b"\xff\xda\0\2" * 90) == 1
    assert count_scans(b"\x89PNG" + b"\xff\xda\0\2") == 0


def test_a_picture_that_needs_more_than_the_budget_is_over_a_limit_with_both_numbers(tmp_path: Path) -> None:
    Image.new("L", (100, 100)).save(tmp_path / "small.png")
    header = struct.pack(">IIBBBBB", 12_000, 9_500, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", b"x"), (b"IEND", b"")]
    framed = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc32(name + data)) for name, data in chunks
    ]
    (tmp_path / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(framed))
    with (tmp_path / "sparse.png").open("wb") as file:
        file.truncate(40 * 10**9)
    assert manifest_of(tmp_path)["reason"].to_dict() == {
        # 114 megapixels, 12 bytes each.
        "large": "over a limit: needs 1.4 GB to decode, the limit is 1.0 GB (parameter memory)",
        "small": "",
        "sparse": "over a limit: needs 40.0 GB to decode, the limit is 1.0 GB (parameter memory)",
    }


def test_the_budget_is_the_parameter_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (1000, 1000)).save(tmp_path / "a.png")
    Image.new("RGB", (400, 400)).save(tmp_path / "b.png")
    monkeypatch.setattr(DECODING, "limit", 5_000_000)
    reasons = manifest_of(tmp_path)["reason"].to_dict()
    assert reasons == {"a": "over a limit: needs 0.1 GB to decode, the limit is 0.005 GB (parameter memory)", "b": ""}


def test_a_smaller_picture_is_usable_where_the_smallest_side_allows_it(tmp_path: Path) -> None:
    noise(1, 8, 8).save(tmp_path / "digit.png")
    noise(2, 8, 3).save(tmp_path / "line.png")
    source = PictureSource(name="test", root=tmp_path, licence="none")
    manifest = list_pictures(source, smallest=4).set_index("name")
    assert manifest["reason"].to_dict() == {"digit": "", "line": "8x3, smaller than 4x4"}
    with pytest.raises(UserError, match=r"\(2 smaller than 9x9\).* at least 9x9 pixels"):
        list_pictures(source, smallest=9)
