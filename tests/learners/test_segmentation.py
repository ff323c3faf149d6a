"""A network learns classes, and what is watched is what the evaluation measures."""

from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from uncrappify.datasets import MaskedPictures, SegmentationDescription, TrainingRun
from uncrappify.evaluation.segmentation import compare
from uncrappify.learners.segmentation import SegmentationData, SegmentationLearner
from uncrappify.pictures.masks import Labels
from uncrappify.training.fit import Fitted, fit
from uncrappify.training.parameters import SegmentationTraining

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


def make_plan(**changes: object) -> SegmentationTraining:
    stage = {"size": [48, 64], "batch_size": 2, "steps": 40, "lr": 0.3}
    return SegmentationTraining.model_validate({"stages": [stage], "augment": ["flip"], "precision": "fp32"} | changes)


def make_learner(plan: SegmentationTraining) -> SegmentationLearner:
    torch.manual_seed(0)
    return SegmentationLearner(nn.Conv2d(3, 2, 1), plan, torch.tensor([[300, 100]]))


def make_data(
    pictures: MaskedPictures, plan: SegmentationTraining, size: tuple[int, int] = (48, 64)
) -> SegmentationData:
    return SegmentationData(pictures, pictures, size, plan)


def train(pictures: MaskedPictures, folder: Path, **changes: object) -> Fitted:
    plan = make_plan(**changes)
    description = SegmentationDescription(model="dot", options={}, labels=LABELS, size=(48, 64))
    run = TrainingRun(folder, folder / "snapshots")
    return fit(make_learner(plan), make_data(pictures, plan), plan, seed=0, run=run, description=description)


def test_a_network_learns_to_tell_light_from_dark(pictures: MaskedPictures, tmp_path: Path) -> None:
    fitted = train(pictures, tmp_path, dice=0.5, class_weights="median_frequency")
    assert fitted.metrics["valid_miou"] > 0.99
    assert fitted.metrics["valid_accuracy"] > 0.99
    terms = fitted.history[["train_cross_entropy", "train_dice", "train_loss"]].dropna()
    assert (terms["train_cross_entropy"] + terms["train_dice"]).to_numpy() == pytest.approx(
        terms["train_loss"].to_numpy(), rel=1e-5
    )


@pytest.mark.slow
def test_two_processes_train_as_one_does_stage_after_stage(pictures: MaskedPictures, tmp_path: Path) -> None:
    stages = [{"size": [48, 64], "batch_size": 2, "steps": steps, "lr": 0.3} for steps in (40, 8)]
    alone, together = (
        train(pictures, tmp_path / str(devices), devices=devices, stages=stages, ema=0.5) for devices in (1, 2)
    )
    # The same crops in the same steps; the gradients of the halves are averaged, which rounds otherwise.
    assert together.history["step"].tolist() == alone.history["step"].tolist() == list(range(48))
    losses = [fitted.history["train_loss"].dropna().tolist() for fitted in (alone, together)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    for metric in ("valid_miou", "valid_accuracy"):
        watched = [fitted.history[metric].dropna().tolist() for fitted in (alone, together)]
        assert watched[1] == pytest.approx(watched[0], abs=0.01)
        assert watched[0][0] < 0.9 < watched[0][-1]
    for name, tensor in alone.model.state.items():
        torch.testing.assert_close(together.model.state[name], tensor, rtol=1e-3, atol=1e-3)
    assert together.metrics["images_per_second"] > 0


def test_what_is_watched_is_what_the_evaluation_measures(pictures: MaskedPictures) -> None:
    plan = make_plan()
    learner = make_learner(plan)
    trainer = pl.Trainer(logger=False, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False)
    (watched,) = trainer.validate(learner, make_data(pictures, plan).validation(), verbose=False)
    matrices = []
    for name in pictures.names:
        picture, mask = pictures[name]
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
        matrices.append(compare(learner.network(pixels)[0].argmax(0).numpy().astype(np.uint8), mask, 2).matrix)
    matrix = sum(matrices)
    assert watched["valid_accuracy"] == pytest.approx(np.trace(matrix) / matrix.sum(), abs=1e-5)


def test_rare_classes_count_more_where_that_is_asked_for() -> None:
    assert make_learner(make_plan()).class_weights is None
    weights = make_learner(make_plan(class_weights="median_frequency")).class_weights
    assert weights is not None
    assert weights.tolist() == pytest.approx([1 / 3, 1.0])


def test_validation_sees_pictures_in_the_size_of_the_prediction(pictures: MaskedPictures) -> None:
    validation = make_data(pictures, make_plan(), (96, 128)).validation()
    assert validation is not None
    picture, mask = next(iter(validation))
    assert tuple(picture.shape) == (1, 3, 96, 128)
    assert tuple(mask.shape) == (1, 96, 128)
