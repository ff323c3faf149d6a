"""The critic learns to tell good pictures from generated ones, and is watched on crops that are many enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from uncrappify.datasets import CriticDescription, PicturePairs, TrainingRun
from uncrappify.datasets.description import Ancestor
from uncrappify.errors import UserError
from uncrappify.inference.judge import Judge
from uncrappify.learners.critic import CriticData, CriticLearner, Targets
from uncrappify.models import build
from uncrappify.training.fit import fit
from uncrappify.training.parameters import CriticTraining

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS = {"channels": 4, "blocks": 1, "dropout": 0.0, "self_attention": False}


def noise(seed: int, width: int = 60, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture
def blurred() -> PicturePairs:
    """Four pictures of noise, and blurred ones that a generator may have made."""
    good = {name: noise(number) for number, name in enumerate("abcd")}
    generated = {name: picture.filter(ImageFilter.GaussianBlur(1)) for name, picture in good.items()}
    return PicturePairs(generated, good, list(good), 1, pixels=2 * 4 * 60 * 48)


def plan(steps: int = 60, **changes: object) -> CriticTraining:
    stage = {"size": 16, "batch_size": 4, "steps": steps, "lr": 1e-2}
    return CriticTraining.model_validate(
        {"stages": [stage], "precision": "fp32", "valid_crops": 50, "variants": 8, "ema": 0.9} | changes
    )


def test_it_tells_blurred_pictures_from_good_ones(blurred: PicturePairs, tmp_path: Path) -> None:
    train, valid = (
        PicturePairs(blurred.degraded, blurred.targets, names, 1, blurred.pixels) for names in (["a", "b", "c"], ["d"])
    )
    network = build("critic", "patches", OPTIONS | {"norm": "spectral"})
    run = TrainingRun(tmp_path / "critic", tmp_path / "snapshots")
    fitted = fit(
        CriticLearner(network, plan()),
        CriticData(train, valid, plan(), 0, "pictures"),
        plan(),
        seed=3,
        run=run,
        description=CriticDescription(
            model="patches", options=OPTIONS | {"norm": "spectral"}, fakes=Ancestor(fingerprint="a")
        ),
    )
    assert fitted.metrics["valid_accuracy"] > 0.9
    judge = Judge.from_trained(fitted.model)
    assert judge(noise(9)) > 0.9
    assert judge(noise(9).filter(ImageFilter.GaussianBlur(1))) < 0.1
    assert judge(np.asarray(noise(9))).shape == ()
    with pytest.raises(UserError, match=r"judges pictures of at least 16 pixels a side, not 20x15"):
        judge(noise(9, 20, 15))


def test_generated_and_good_crops_are_from_the_same_place(blurred: PicturePairs) -> None:
    data = CriticData(blurred, blurred, plan(), 0)
    generated, good = data.batches(plan().stages[0], 0)[0]
    assert generated.shape == good.shape == (4, 3, 16, 16)
    # Half of the noise is gone, and what is left of it goes with the noise.
    pairs = [np.corrcoef(g.flatten(), r.flatten())[0, 1] for g, r in zip(generated.numpy(), good.numpy(), strict=True)]
    assert min(pairs) > 0.2


def test_it_is_watched_on_all_crops_a_quarter_apart(blurred: PicturePairs) -> None:
    batches = list(CriticData(blurred, blurred, plan(valid_crops=50), 0).validation())
    # 12 x 9 places in each of four pictures, of which 400 are taken.
    assert sum(len(good) for _, good in batches) == 400
    (alone,) = (PicturePairs(blurred.degraded, blurred.targets, ["a"], 1, blurred.pixels),)
    assert sum(len(good) for _, good in CriticData(alone, alone, plan(), 0).validation()) == 12 * 9


def test_too_few_crops_to_watch_are_a_mistake(blurred: PicturePairs) -> None:
    alone = PicturePairs(blurred.degraded, blurred.targets, ["a"], 1, blurred.pixels)
    with pytest.raises(UserError, match=r"^critic: the validation pictures have 108 crops of 16 pixels, .* 200 are"):
        CriticData(alone, alone, plan(valid_crops=200), 0).validation()


def test_targets_are_those_of_pairs_as_they_are_cropped(pairs: PicturePairs) -> None:
    targets = Targets(pairs)
    assert list(targets) == pairs.names
    assert len(targets) == len(pairs)
    assert np.array_equal(np.asarray(targets["b"]), np.asarray(pairs["b"][1]))
