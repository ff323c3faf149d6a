"""What every model card says (Mitchell et al. 2019, Model cards for model reporting)."""

from __future__ import annotations

from typing import Any

WHERE_IT_STARTED = ("pretrained", "weights")
"""Options that say nothing of weights that are trained."""


def training_of(description: dict[str, Any]) -> str:
    """Say what the model is and what it was trained on."""
    options = ", ".join(
        f"{name} {value}" for name, value in description["options"].items() if name not in WHERE_IT_STARTED
    )
    data = description["data"]
    return (
        f"{options}; trained {description['metrics']['train_seconds']:.0f} s on {data['pictures']} pictures\n"
        f"(source: {data['source']})."
    )


def origin_of(description: dict[str, Any]) -> str:
    """Say which commit and run the model comes from, and the licences of its training data."""
    licences = "\n".join(f"- {licence}" for licence in description["data"]["licence"].split("; "))
    return f"""Commit {description.get("git_commit", "unknown")}, MLflow run {description.get("run_id", "none")},
uncrappify {description.get("uncrappify", "unknown")}. Licences of the training data:

{licences}
"""
