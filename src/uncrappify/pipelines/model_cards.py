"""What every model card says (Mitchell et al. 2019, Model cards for model reporting)."""

from __future__ import annotations

from typing import Any

from uncrappify.progress import format_duration

WHERE_IT_STARTED = ("pretrained", "weights")
"""Options that say nothing of weights that are trained."""


def training_of(description: dict[str, Any]) -> str:
    """Say what the model has learned from, and for how long."""
    data, seconds = description["data"], description["metrics"]["train_seconds"]
    return f"Trained on {data['pictures']} pictures (source: {data['source']}) for {format_duration(seconds)}."


def origin_of(description: dict[str, Any]) -> str:
    """Say which network, commit and run the model comes from, and the licences of its training data."""
    options = ", ".join(
        f"{name} {value}" for name, value in description["options"].items() if name not in WHERE_IT_STARTED
    )
    licences = "\n".join(f"- {licence}" for licence in description["data"]["licence"].split("; "))
    return f"""Network {description["model"]}: {options}.
Commit {description.get("git_commit", "unknown")}, MLflow run {description.get("run_id", "none")},
uncrappify {description.get("uncrappify", "unknown")}. Licences of the training data:

{licences}
"""
