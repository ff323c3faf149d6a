"""Where results come from: the run, the commit and the version that are at work."""

from __future__ import annotations

import subprocess


def find_provenance() -> dict[str, str]:
    """Say which run, commit and version of the project are at work."""
    import mlflow

    import uncrappify

    run = mlflow.active_run()
    commit = git("rev-parse", "HEAD")
    return {
        "uncrappify": uncrappify.__version__,
        **({"run_id": run.info.run_id} if run else {}),
        **({"git_commit": commit} if commit else {}),
    }


def git(*arguments: str) -> str | None:
    """Ask git about the working directory; None where it is no checkout or git is missing."""
    try:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
