"""What every model card says (Mitchell et al. 2019, Model cards for model reporting)."""

from __future__ import annotations

from uncrappify.datasets.description import Description
from uncrappify.progress import format_duration

WHERE_IT_STARTED = ("pretrained", "weights")
"""Options that say nothing of weights that are trained."""


def training_of(description: Description) -> str:
    """Say what the model has learned from, and for how long."""
    if description.data is None or not description.metrics.get("train_seconds"):
        return "Not trained here: these are the weights that it started from."
    data, seconds = description.data, description.metrics["train_seconds"]
    amount = f"{data.words:,} words" if data.words else f"{data.pictures} pictures"
    return f"Trained on {amount} (source: {data.source}) for {format_duration(seconds)}."


def origin_of(description: Description) -> str:
    """Say which network, commit and run the model comes from, what it started from, and the licences of its data."""
    options = ", ".join(
        f"{name} {value}" for name, value in description.options.items() if name not in WHERE_IT_STARTED
    )
    ancestor = description.ancestor
    learned_from = [data for data in (description.data, ancestor.data if ancestor else None) if data]
    terms = dict.fromkeys(term for data in learned_from for term in data.licence.split("; "))
    licences = "\n".join(f"- {term}" for term in terms)
    started = (
        f"Started from the weights of MLflow run {ancestor.run_id or 'unknown'} (SHA-256 {ancestor.fingerprint}).\n"
        if ancestor
        else ""
    )
    return f"""Network {description.model}: {options}.
{started}Commit {description.git_commit or "unknown"}, MLflow run {description.run_id or "none"},
uncrappify {description.uncrappify or "unknown"}. Licences of the training data:

{licences}
"""
