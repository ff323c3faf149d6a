"""A command loads what it needs, and no more."""

from __future__ import annotations

import subprocess
import sys

from uncrappify.commands import COMMANDS, main


def test_help_loads_no_large_library_and_names_every_command() -> None:
    code = (
        "import sys\n"
        "from uncrappify.commands import main\n"
        "heavy = {'torch', 'mlflow', 'pandas', 'kedro.framework.project', 'numpy'} & set(sys.modules)\n"
        "print(sorted(heavy))\n"
        "main(['apply', '--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, *rest = done.stdout.splitlines()
    assert first == "[]"
    assert "INPUT..." in rest[0]
    assert main.list_commands(None) == ["apply", "continue", "count", "show", "sync", "ui"]  # type: ignore[arg-type]
    assert all(main.get_command(None, name) for name in COMMANDS)  # type: ignore[arg-type]


def test_an_unknown_command_is_told() -> None:
    done = subprocess.run([sys.executable, "-m", "uncrappify", "aply"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "No such command 'aply'" in done.stderr


def test_applying_a_model_loads_neither_mlflow_nor_pandas_nor_kedros_framework() -> None:
    code = (
        "import sys\n"
        "import uncrappify.commands.apply, uncrappify.application.apply, uncrappify.application.batch\n"
        "import uncrappify.application.weights, uncrappify.inference.restorer\n"
        "print(sorted({'mlflow', 'pandas', 'kedro.framework.project', 'lightning', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
