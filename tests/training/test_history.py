"""What was measured stands once in the file and once in MLflow, also after a kill."""

import json
import sqlite3
import time
from pathlib import Path

import mlflow
import pytest

from uncrappify.errors import UserError
from uncrappify.training import history
from uncrappify.training.history import History, followed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


def lines(file: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def log(logger: History, steps: range) -> None:
    for step in steps:
        logger.log_metrics({"train_loss": 1 / (step + 1), "lr": 0.1, "epoch": 0}, step)


def rows(store: str, run_id: str) -> list[tuple[str, int, float]]:
    with sqlite3.connect(store.removeprefix("sqlite:///")) as database:
        return database.execute(
            "select key, step, value from metrics where run_uuid = ? order by key, step", (run_id,)
        ).fetchall()


def test_a_row_is_one_json_line_with_step_and_time(file: Path) -> None:
    History(file).log_metrics({"train_loss": 0.031, "epoch": 3}, 120)
    (row,) = lines(file)
    assert set(row) == {"step", "stage", "train_loss", "time"}
    assert (row["step"], row["train_loss"]) == (120, 0.031)
    assert row["time"] > 1e12


def test_steps_of_a_later_stage_count_on(file: Path) -> None:
    logger = History(file)
    log(logger, range(2))
    logger.offset = 100
    log(logger, range(2))
    assert logger.table()["step"].tolist() == [0, 1, 100, 101]


def test_values_that_are_no_numbers_are_left_out(file: Path) -> None:
    logger = History(file)
    logger.log_metrics({"valid_psnr": float("nan"), "lr": 0.1}, 0)
    logger.log_metrics({"valid_psnr": float("inf")}, 1)
    assert [set(row) - {"stage", "time"} for row in lines(file)] == [{"step", "lr"}]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_training_that_diverged_says_so_instead_of_going_on(file: Path, loss: float) -> None:
    logger = History(file)
    logger.offset, logger.stage = 100, 1
    with pytest.raises(UserError, match=r"training.stages.1: .* at step 107, .* lower lr"):
        logger.log_metrics({"train_loss": loss}, 7)


def test_the_table_has_one_row_a_step_and_one_column_a_metric(file: Path) -> None:
    logger = History(file)
    logger.log_metrics({"train_loss": 0.5}, 9)
    logger.log_metrics({"valid_psnr": 30.0}, 9)
    logger.log_metrics({"train_loss": 0.4}, 19)
    table = logger.table()
    assert table.columns.tolist() == ["step", "stage", "train_loss", "valid_psnr"]
    assert table["train_loss"].tolist() == [0.5, 0.4]
    assert table["valid_psnr"].dropna().tolist() == [30.0]


def test_the_table_of_an_empty_history_is_empty(file: Path) -> None:
    table = History(file).table()
    assert (table.columns.tolist(), len(table)) == (["step"], 0)


def test_a_resumed_history_writes_nothing_twice(file: Path) -> None:
    log(History(file), range(6))
    log(History(file), range(3, 8))
    assert [row["step"] for row in lines(file)] == list(range(8))


def test_a_metric_that_was_not_there_yet_is_written_for_a_step_that_was(file: Path) -> None:
    log(History(file), range(6))
    resumed = History(file)
    resumed.log_metrics({"train_loss": 1 / 6, "valid_psnr": 30.0}, 5)
    assert len(resumed.table()) == 6
    assert resumed.table()["valid_psnr"].iloc[-1] == 30.0


@pytest.mark.parametrize("cut", [1, 12])
def test_a_last_line_that_was_cut_short_is_measured_again(file: Path, cut: int) -> None:
    log(History(file), range(3))
    file.write_bytes(file.read_bytes()[:-cut])
    resumed = History(file)
    log(resumed, range(2, 5))
    assert [row["step"] for row in lines(file)] == list(range(5))
    assert resumed.table()["train_loss"].tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])


def test_mlflow_gets_every_row_once_also_after_a_resume(file: Path, experiment: str, sqlite_store: str) -> None:
    with mlflow.start_run(experiment_id=experiment) as run:
        log(History(file), range(4))  # killed: nothing was sent
        assert rows(sqlite_store, run.info.run_id) == []
        for steps in (range(2, 6), range(4, 8)):
            logger = History(file)
            with followed(file):
                log(logger, steps)
            assert len(rows(sqlite_store, run.info.run_id)) == 2 * steps.stop
    stored = rows(sqlite_store, run.info.run_id)
    assert [step for key, step, _ in stored if key == "train_loss"] == list(range(8))
    assert [step for key, step, _ in stored if key == "lr"] == list(range(8))
    assert len(stored) == 16
    assert [value for key, _, value in stored if key == "train_loss"] == pytest.approx([1 / n for n in range(1, 9)])


def test_rows_are_sent_while_training(
    file: Path, experiment: str, sqlite_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SECONDS_BETWEEN_BATCHES", 0.01)
    logger = History(file)
    with mlflow.start_run(experiment_id=experiment) as run, followed(file):
        log(logger, range(50))
        patience = time.monotonic() + 30
        while len(rows(sqlite_store, run.info.run_id)) < 100:
            assert time.monotonic() < patience
            time.sleep(0.01)


def test_without_a_run_there_is_only_the_file(file: Path) -> None:
    logger = History(file)
    with followed(file):
        log(logger, range(3))
    assert len(lines(file)) == 3


def test_a_store_that_takes_nothing_costs_nothing(
    file: Path, experiment: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(points: object, run_id: str) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(history, "log_points", away)
    logger = History(file)
    with mlflow.start_run(experiment_id=experiment), followed(file):
        log(logger, range(3))
    assert len(lines(file)) == 3
    assert "MLflow did not take the metrics (refused); they are kept in" in caplog.text


@pytest.mark.parametrize("broken", ["garbage", '{"step": "x"}', "[1]", '{"step": 1, "stage": 0, "time": 0, "lr": "x"}'])
def test_a_broken_line_loses_its_own_step_alone_which_is_measured_again(file: Path, broken: str) -> None:
    log(History(file), range(5))
    rows = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([*rows[:2], broken, *rows[3:]]) + "\n", encoding="utf-8")
    resumed = History(file)
    assert resumed.table()["step"].tolist() == [0, 1, 3, 4]
    log(resumed, range(2, 6))
    assert resumed.table()["train_loss"].tolist() == pytest.approx([1 / (step + 1) for step in range(6)])
    assert len(lines(file)) == 6
