"""A training's folder says whose it is, also where its note is gone, and is not taken for another's."""

from pathlib import Path
from typing import Any

import pytest
import torch

from uncrappify.datasets import TrainingRun
from uncrappify.datasets.checkpoint import read_checkpoint, write_checkpoint
from uncrappify.errors import UserError

CLOCK = {"position": 3, "seconds": 1.0, "step_seconds": [0.1], "seconds_waited": 0.0, "peak_memory_mb": 1.0}


def checkpoint(fingerprint: str = "mine") -> dict[str, Any]:
    return {
        "pytorch-lightning_version": "2.6.6",
        "state_dict": {"weight": torch.arange(1000.0)},
        "callbacks": {"Clock": CLOCK, "Saver": {"ended": True, "fingerprint": fingerprint}},
        "loops": {},
        "optimizer_states": [],
        "lr_schedulers": [],
    }


@pytest.fixture
def run(tmp_path: Path) -> TrainingRun:
    made = TrainingRun(tmp_path / "toy", tmp_path / "snapshots")
    made.claim("mine", 1, {"version": "1"})
    write_checkpoint(checkpoint(), made.checkpoint(0))
    return made


def test_a_checkpoint_comes_back_and_nothing_lies_beside_it(run: TrainingRun) -> None:
    found = run.read_checkpoint(0)
    assert found is not None
    assert torch.equal(found.state_dict["weight"], torch.arange(1000.0))
    assert (found.callbacks.clock.position, found.callbacks.saver.ended) == (3, True)
    assert [file.name for file in run.checkpoints.iterdir()] == ["stage0.ckpt"]


def test_a_full_disk_is_told_and_keeps_the_checkpoint_before(small_disk: Path) -> None:
    file = small_disk / "stage0.ckpt"
    write_checkpoint(checkpoint(), file)
    with pytest.raises(UserError, match=r"the disk is full: stage0\.ckpt was not written"):
        write_checkpoint(checkpoint() | {"more": torch.zeros(2 << 20)}, file)
    assert list(small_disk.iterdir()) == [file]
    assert read_checkpoint(file).callbacks.clock.position == 3


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_one_flipped_bit_of_a_weight_is_noticed(
    run: TrainingRun, place: float, caplog: pytest.LogCaptureFixture
) -> None:
    content = bytearray(run.checkpoint(0).read_bytes())
    start = content.index(torch.arange(1000.0).numpy().tobytes())
    content[start + int(4000 * place)] ^= 1
    run.checkpoint(0).write_bytes(content)
    assert run.read_checkpoint(0) is None
    assert "stage0.ckpt is damaged: stage 0 starts from its beginning" in caplog.text
    assert not run.checkpoint(0).exists()


def test_a_checkpoint_of_another_training_is_not_gone_on_with(
    run: TrainingRun, caplog: pytest.LogCaptureFixture
) -> None:
    write_checkpoint(checkpoint("other"), run.checkpoint(0))
    assert run.read_checkpoint(0) is None
    assert "stage0.ckpt belongs to another training: stage 0 starts" in caplog.text


def test_a_checkpoint_of_version_0_1_says_not_whose_it_is_and_is_read(run: TrainingRun) -> None:
    old = checkpoint()
    old["callbacks"]["Saver"] = {"ended": False}
    write_checkpoint(old, run.checkpoint(0))
    assert run.read_checkpoint(0) is not None


class Opened:
    """Unpickling this writes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def test_reading_a_checkpoint_runs_no_code(run: TrainingRun, tmp_path: Path) -> None:
    torch.save(checkpoint() | {"more": Opened(tmp_path / "run")}, run.checkpoint(0))
    with pytest.raises(UserError, match="cannot be read"):
        read_checkpoint(run.checkpoint(0))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"fingerprint": 1}', b"\xff"])
def test_a_broken_note_is_had_from_the_checkpoints(run: TrainingRun, content: bytes) -> None:
    (run.folder / "training.json").write_bytes(content)
    assert run.claim("mine", 1, {}).fingerprint == "mine"
    assert run.read_checkpoint(0) is not None


def test_what_another_training_has_left_is_removed_with_a_word(
    run: TrainingRun, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "uncrappify"):
        run.claim("other", 1, {})
    assert not run.checkpoint(0).exists()
    assert "code of the network; the training starts anew" in caplog.text


def test_what_a_kill_has_left_of_a_checkpoint_is_removed(run: TrainingRun) -> None:
    (run.checkpoints / ".abc.partial.ckpt").write_bytes(b"half")
    run.claim("mine", 1, {})
    assert [file.name for file in run.checkpoints.iterdir()] == ["stage0.ckpt"]


def test_a_file_in_the_folders_place_is_told(run: TrainingRun, tmp_path: Path) -> None:
    other = TrainingRun(tmp_path / "other", tmp_path)
    other.folder.mkdir()
    other.checkpoints.touch()
    with pytest.raises(UserError, match=r"checkpoints: a file lies where a training has a folder\. Move it away"):
        other.claim("mine", 1, {})
