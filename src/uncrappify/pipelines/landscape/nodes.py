"""The nodes of a landscape pipeline, beside those of a classification."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from plotly.graph_objects import Figure

from uncrappify.datasets import LabelledPictures, TrainedModel, TrainingRun
from uncrappify.errors import UserError
from uncrappify.pipelines import nodes as shared
from uncrappify.pipelines.classification.nodes import hash_pictures, select
from uncrappify.pipelines.landscape.parameters import Survey

log = logging.getLogger(__name__)


def survey(
    pixels: npt.NDArray[np.uint8],
    split: pd.DataFrame,
    classes: pd.DataFrame,
    options: Survey,
    seed: int,
    folder: Path,
    **trained: Any,
) -> tuple[Any, ...]:
    """Measure the loss around the plain and the residual net's weights, and on the plane of the latter's training.

    Args:
        pixels: The pictures, decoded.
        split: Which picture is for what, and its class.
        classes: The classes, in order.
        options: Where.
        seed: Of the directions, and of the pictures that the loss is measured on.
        folder: For journals, by which a killed survey goes on at the missing points.
        trained: ``<model>_model`` and ``<model>_run`` of each model.

    Returns:
        What each model has reached on all training pictures; the losses of their trainings; the losses around the two;
        the path of the residual net's training on its principal plane, with the shares of its variance; the losses on
        that plane; then the metrics of each model, ``fit_loss`` and ``fit_error`` on all training pictures, empty where
        it is not trained on these.

    Raises:
        UserError: If one of the models is not trained on these pictures.
    """
    from uncrappify.evaluation import landscape
    from uncrappify.evaluation.grids import place
    from uncrappify.evaluation.planes import Plane, cosine, draw_directions, project_path, read_parameters
    from uncrappify.inference.classifier import Classifier
    from uncrappify.training.history import History
    from uncrappify.training.trajectory import read_trajectory

    learned = select(pixels, split, classes, "train")
    models: dict[str, TrainedModel | None] = {
        key.removesuffix("_model"): value for key, value in trained.items() if key.endswith("_model")
    }
    usable = shared.leave_out_others(models, hash_pictures(split, pixels))
    for name in (options.plain, options.residual):
        if name not in usable:
            raise UserError(f"{name} is not trained on these pictures, and the survey needs it. Train it first.")
    networks = {name: Classifier.from_trained(model).network for name, model in usable.items()}
    fits = pd.DataFrame([_measure_fit(name, model, learned) for name, model in usable.items()])
    chosen = np.random.default_rng(seed).permutation(len(learned))[: options.samples]
    samples = _as_tensors(learned.pixels[chosen], learned.labels[chosen])
    axes = place(options.points), place(options.points)
    surfaces = []
    for name in (options.plain, options.residual):
        weights = read_parameters(networks[name])
        plane = Plane(weights, *draw_directions(weights, seed))
        log.info("%s: the cosine between the two directions is %.4f", name, cosine(plane.first, plane.second))
        journal = folder / f"{name}.jsonl"
        found = landscape.survey(networks[name], plane, axes, samples, journal, f"surveying {name}")
        surfaces.append(found.assign(model=name))
    run: TrainingRun = trained[f"{options.residual}_run"]
    kept, final = read_trajectory(run), networks[options.residual]
    path = project_path(list(kept.values()), read_parameters(final))
    table = pd.DataFrame(path.coordinates, columns=["a", "b"]).assign(step=list(kept))
    table[["share_a", "share_b"]] = path.shares
    around = landscape.survey(
        final, path.plane, path.axes(options.points), samples, folder / "path.jsonl", "surveying the path"
    )
    histories = [History(trained[f"{name}_run"].history).table().assign(model=name) for name in usable]
    losses = pd.concat(histories, ignore_index=True)[["model", "step", "train_loss"]].dropna()
    reached = fits.set_index("model")[["fit_loss", "fit_error"]].to_dict(orient="index")
    metrics = [reached.get(name, {}) for name in models]
    return fits, losses, pd.concat(surfaces, ignore_index=True), table, around, *metrics


def draw(
    fits: pd.DataFrame,
    losses: pd.DataFrame,
    surface: pd.DataFrame,
    path: pd.DataFrame,
    plane: pd.DataFrame,
    options: Survey,
) -> tuple[pd.DataFrame, Figure, Figure, Figure, Figure, dict[str, float]]:
    """Draw what was measured.

    Args:
        fits: What each model has reached on all training pictures.
        losses: Of the trainings.
        surface: Losses around the plain and the residual net.
        path: Of the residual net's training.
        plane: Losses on the plane of that path.
        options: Which model is the plain one, and which the residual.

    Returns:
        The table of models; surfaces; contours; the path over its plane; the losses of all trainings; and the metrics
        ``roughness_plain``, ``roughness_residual`` (as :func:`~uncrappify.evaluation.grids.roughness` defines them)
        and ``fit_loss_<model>``.
    """
    from uncrappify.evaluation.grids import arrange, roughness
    from uncrappify.evaluation.surfaces import draw_contours, draw_path, draw_surfaces
    from uncrappify.training.curves import draw_training_losses

    surfaces = {name: surface[surface["model"] == name] for name in (options.plain, options.residual)}
    rough = pd.Series({name: roughness(arrange(table)[2]) for name, table in surfaces.items()}, name="roughness")
    metrics = {"roughness_plain": float(rough[options.plain]), "roughness_residual": float(rough[options.residual])}
    metrics |= {f"fit_loss_{name}": loss for name, loss in zip(fits["model"], fits["fit_loss"], strict=True)}
    share_a, share_b = path[["share_a", "share_b"]].iloc[0]
    return (
        fits.join(rough, on="model"),
        draw_surfaces(surfaces),
        draw_contours(surfaces),
        draw_path(plane, path[["a", "b"]].to_numpy(), (share_a, share_b), path["step"].tolist()),
        draw_training_losses({str(name): table for name, table in losses.groupby("model", sort=False)}),
        metrics,
    )


def _measure_fit(name: str, model: TrainedModel, learned: LabelledPictures) -> dict[str, Any]:
    """Say what a model has reached on all the pictures that it has learned from, as they are (He et al. 2015)."""
    from uncrappify.evaluation.classification import score

    scores = score(model, learned)
    return {
        "model": name,
        "parameters": scores.parameters,
        "fit_loss": scores.loss,
        "fit_error": 1 - scores.accuracy,
        "seconds": scores.training_metrics.get("train_seconds"),
    }


def _as_tensors(pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> Any:
    """Give pictures in 0..1 and their classes where networks are: on the GPU, if there is one."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.from_numpy(pixels).to(device).float() / 255, torch.from_numpy(labels).to(device)
