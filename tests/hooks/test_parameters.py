"""Before anything runs, a project that cannot work where it lies is told."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from uncrappify.errors import UserError
from uncrappify.hooks import ParameterHook


@pytest.mark.parametrize("name", ["{a}", "a{", "}"])
def test_a_project_in_a_folder_with_braces_is_told(name: str) -> None:
    context = SimpleNamespace(project_path=Path("/home/me") / name / "project")
    with pytest.raises(UserError, match="or move the project"):
        ParameterHook().after_context_created(context)
