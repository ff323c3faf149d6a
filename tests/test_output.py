"""Printing fails nothing, whatever lies behind the output."""

import os
import subprocess
import sys

import pytest

PRINTS = """
import os, sys
from uncrappify.output import check_nothing_lost, forgive
forgive()
import rich
print("✓ Süden \\udcff")
rich.print("─ ✓")
first = os.open(os.devnull, os.O_RDONLY)
assert first > 2, first
for _ in range(3):
    print("x" * 100_000, flush=True)
try:
    check_nothing_lost()
except Exception as error:
    print(error, file=sys.stderr)
print("done", file=sys.stderr)
"""


def run(shell: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {shell}', sys.executable, PRINTS],
        env=os.environ | environment,
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252:strict", "utf-8"])
def test_signs_that_an_output_does_not_have_are_replaced(encoding: str) -> None:
    done = run("", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"done\n")
    name, wanted = encoding.partition(":")[0], "Süden \\udcff"
    assert done.stdout.splitlines()[0].decode(name).endswith(wanted if name != "ascii" else "S\\xfcden \\udcff")


def test_an_output_that_goes_away_or_is_full_or_never_was_does_not_fail() -> None:
    assert run("| head -c 1; exit ${PIPESTATUS[0]}").stderr == b"done\n"
    full = run("> /dev/full")
    assert (full.returncode, full.stderr) == (0, b"the output could not be written (No space left on device).\ndone\n")
    for closed in (">&-", "<&- >&-"):
        assert (run(closed).returncode, run(closed).stderr) == (0, b"done\n")
    assert run(">&- 2>&-").returncode == 0
