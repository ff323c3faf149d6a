"""MLflow's page opens on a port that is free, or says that it is not."""

import socket
import sys
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from uncrappify.commands import main
from uncrappify.commands.ui import _find_port
from uncrappify.errors import UserError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_that_is_taken_is_told(taken: int) -> None:
    with pytest.raises(UserError, match=f"port {taken} is taken by another program. Give another one"):
        _find_port(taken)


def test_where_the_usual_port_is_taken_another_one_is_found(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["uncrappify.commands.ui"], "USUAL_PORT", taken)
    assert _find_port(None) not in (taken, 0)


def test_the_command_ends_with_a_sentence(taken: int) -> None:
    done = CliRunner().invoke(main, ["ui", "--port", str(taken)])
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: port {taken} is taken by another program.")
