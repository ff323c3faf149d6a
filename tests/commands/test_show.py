"""The command that runs a run again."""

import pytest

from uncrappify.commands.show import _command_again


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
    ],
)
def test_the_same_nodes_run_again_with_the_runs_own_parameters(command: str, again: str) -> None:
    assert _command_again(command, "superres") == again
