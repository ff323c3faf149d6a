"""A network learns classes, and what is watched is what the evaluation measures."""

from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from uncrappify.datasets import MaskedPictures
from uncrappify.evaluation.segmentation import compare
from uncrappify.pictures.masks import Labels
from uncrappify.training.fit import fit
from uncrappify.training.parameters import SegmentationTraining
from uncrappify.training.segmentation import SegmentationTask

pytestmark = pytest.mark.usefixtures("one_thread")
LABELS = Labels(classes=["dark", "light"])


@pytest.fixture
def pictures(tmp_path: Path) -> MaskedPictures:
    """Patches of light and dark, whose class is their brightness."""
    found, masks = {}, {}
    for number, name in enumerate("abcd"):
        mask = np.random.default_rng(number).integers(0, 2, (6, 8), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
        found[name] = Image.fromarray(np.where(mask[..., None] == 1, 170, 80).astype(np.uint8).repeat(3, axis=2))
        masks[name] = tmp_path / f"{name}.png"
        Image.fromarray(mask).save(masks[name])
    return MaskedPictures(found, masks, list(found), LABELS, 4 * 48 * 64)


def task(pictures: MaskedPictures, **changes: object) -> SegmentationTask:
    stage = {"size": [48, 64], "batch_size": 2, "steps": 40, "lr": 0.3}
    training = SegmentationTraining.model_validate(
        {"stages": [stage], "augment": ["flip"], "precision": "fp32"} | changes
    )
    torch.manual_seed(0)
    return SegmentationTask(
        "streets", nn.Conv2d(3, 2, 1), pictures, pictures, torch.tensor([[300, 100]]), (48, 64), training
    )


def test_a_network_learns_to_tell_light_from_dark(pictures: MaskedPictures, tmp_path: Path) -> None:
    made = task(pictures, dice=0.5, class_weights="median_frequency")
    fitted = fit(made, made.training, seed=0, checkpoints=tmp_path / "checkpoints", fingerprint="1")
    assert fitted.metrics["valid_miou"] > 0.99
    assert fitted.metrics["valid_accuracy"] > 0.99
    terms = fitted.history[["train_cross_entropy", "train_dice", "train_loss"]].dropna()
    assert (terms["train_cross_entropy"] + terms["train_dice"]).to_numpy() == pytest.approx(
        terms["train_loss"].to_numpy(), rel=1e-5
    )


def test_two_processes_train_as_one_does(pictures: MaskedPictures, tmp_path: Path) -> None:
    alone, together = (
        fit(made, made.training, seed=0, checkpoints=tmp_path / str(devices), fingerprint="1")
        for devices, made in ((devices, task(pictures, devices=devices, class_weights="none")) for devices in (1, 2))
    )
    # The same crops in the same steps; the gradients of the halves are averaged, which rounds otherwise.
    losses = [fitted.history["train_loss"].dropna().tolist() for fitted in (alone, together)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    for metric in ("valid_miou", "valid_accuracy"):
        watched = [fitted.history[metric].dropna().tolist() for fitted in (alone, together)]
        assert watched[1] == pytest.approx(watched[0], abs=0.01)
        assert watched[0][0] < 0.9 < watched[0][-1]


def test_what_is_watched_is_what_the_evaluation_measures(pictures: MaskedPictures) -> None:
    made = task(pictures)
    module = made.module(made.training.stages[0])
    trainer = pl.Trainer(logger=False, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False)
    (watched,) = trainer.validate(module, made.validation(), verbose=False)
    matrices = []
    for name in pictures.names:
        picture, mask = pictures[name]
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
        matrices.append(compare(module.network(pixels)[0].argmax(0).numpy().astype(np.uint8), mask, 2).matrix)
    matrix = sum(matrices)
    assert watched["valid_accuracy"] == pytest.approx(np.trace(matrix) / matrix.sum(), abs=1e-5)


def test_rare_classes_count_more_where_that_is_asked_for(pictures: MaskedPictures) -> None:
    assert task(pictures).class_weights is None
    weights = task(pictures, class_weights="median_frequency").class_weights
    assert weights is not None
    assert weights.tolist() == pytest.approx([1 / 3, 1.0])


def test_validation_sees_pictures_in_the_size_of_the_prediction(pictures: MaskedPictures) -> None:
    made = task(pictures)
    made.size = (96, 128)
    picture, mask = next(iter(made.validation()))
    assert tuple(picture.shape) == (1, 3, 96, 128)
    assert tuple(mask.shape) == (1, 96, 128)
