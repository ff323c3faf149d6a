"""What of an exception is for a person, and which names are known."""

import errno
import logging
import os
from pathlib import Path

import pytest

from uncrappify import run_options
from uncrappify.cli import explain
from uncrappify.errors import UserError
from uncrappify.logs import leave_out_unwritable
from uncrappify.pipeline_registry import register_pipelines

OPTIONS = {"from_nodes": [], "to_nodes": [], "node_names": [], "tags": []}


def chained(cause: BaseException) -> RuntimeError:
    """Wrap an exception as Kedro does with those of nodes and datasets."""
    try:
        raise RuntimeError("failed while saving") from cause
    except RuntimeError as error:
        return error


def test_a_users_mistake_is_found_below_the_wrappings_of_libraries():
    assert explain(chained(chained(UserError("no folder x")))) == "no folder x"


def test_a_full_disk_and_a_missing_permission_are_told_wherever_they_happen():
    full = explain(chained(OSError(errno.ENOSPC, "No space left on device", "/data/a.parquet")))
    assert full == "the disk is full (/data/a.parquet). Free space and run again; what is done is kept."
    forbidden = explain(chained(PermissionError(errno.EACCES, "Permission denied", "/data")))
    assert forbidden == "/data: no permission to write. Allow it and run again; what is done is kept."


def test_a_file_that_stands_where_a_folder_has_to_be_is_named(tmp_path: Path):
    file = tmp_path / "mlartifacts"
    file.write_text("x")
    told = f"{file} is a file, and a folder has to be there. Move it away and run again; what is done is kept."
    for folder in (file, file / "run" / "artifacts"):
        with pytest.raises((FileExistsError, NotADirectoryError)) as caught:
            folder.mkdir()
        assert explain(chained(caught.value)) == told


def test_a_file_that_cannot_be_read_is_told_apart_from_one_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "parameters.yml"
    file.write_text("{}")
    denied = PermissionError(errno.EACCES, "Permission denied", str(file))
    assert "no permission to write" in str(explain(denied))
    monkeypatch.setattr(os, "access", lambda _, mode: mode == os.F_OK)
    assert "no permission to read" in str(explain(denied))


def test_a_log_that_cannot_be_written_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    handler = logging.FileHandler(tmp_path, delay=True)
    logging.getLogger().addHandler(handler)
    leave_out_unwritable()
    assert handler not in logging.getLogger().handlers
    assert capsys.readouterr().err == f"{tmp_path}: nothing is logged, the file cannot be written (Is a directory).\n"


def test_a_fault_of_the_program_is_not_explained_away():
    assert explain(chained(KeyError("psnr"))) is None


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        (["supperres"], {}, 'There is no pipeline "supperres"; did you mean "superres"?'),
        (["superres", "x"], {}, 'There is no pipeline "x"'),
        (
            ["superres"],
            {"from_nodes": ["superres.evaluat"]},
            'no node "superres.evaluat"; did you mean "superres.evaluate"?',
        ),
        (["superres"], {"tags": ["evaluate"]}, 'There is no tag "evaluate"; did you mean "evaluation"?'),
        (
            ["superres"],
            {"from_inputs": ["superres.modl"]},
            'no dataset "superres.modl"; did you mean "superres.model"?',
        ),
        (["superres"], {"to_outputs": ["superres.modl"]}, 'no dataset "superres.modl"; did you mean "superres.model"?'),
        (["superres"], {"load_versions": {"superres.modl": "x"}}, 'There is no dataset "superres.modl"'),
        (["superres"], {"namespaces": ["supperres"]}, 'There is no namespace "supperres"; did you mean "superres"?'),
        (["superres"], {"runner": "ThreadRuner"}, 'There is no runner "ThreadRuner"; did you mean "ThreadRunner"?'),
        (["superres"], {"runner_params": {"max": 1}}, "--runner-params: SequentialRunner does not take them"),
        (
            ["superres"],
            {"from_nodes": ["superres.evaluate"], "to_nodes": ["superres.list"]},
            "nothing of the pipeline superres is left to run: --from-nodes, --to-nodes have no node in common.",
        ),
    ],
)
def test_unknown_names_are_told_with_the_nearest(
    names: list[str], options: dict[str, list[str]], said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(Path(__file__).parents[1])
    monkeypatch.setattr(run_options, "pipelines", register_pipelines())
    with pytest.raises(UserError) as caught:
        run_options.check_options(names, OPTIONS | options)
    assert said in str(caught.value)
    run_options.check_options(["superres"], OPTIONS | {"tags": ["training"], "from_nodes": ["superres.train"]})
