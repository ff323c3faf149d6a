"""What `kedro run --pipeline segmentation` leaves behind, in every environment and on a user's own masks."""

import hashlib
import re
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

FEW = "segmentation.source.streets.train=4,segmentation.source.streets.valid=1,segmentation.source.streets.test=2"
TINY = "segmentation.model.unet.encoder=test_resnet,segmentation.model.unet.pretrained=false"
KEPT = ["batch.png", "class_scores.parquet", "comparison.parquet", "confusion.html", "curves.html", "scores.parquet"]


def run(project, *arguments: str):
    done = project.kedro("run", "--pipeline", "segmentation", *arguments)
    assert done.returncode == 0, done.stderr
    return done


def scenes(folder: Path, pictures: str, masks: str, count: int, void: int, drive: str = "0006R0") -> None:
    """Write pictures of two colours whose masks say which is which."""
    for number in range(count):
        random = np.random.default_rng([number, len(pictures)])
        mask = random.integers(0, 2, (6, 8), dtype=np.uint8).repeat(12, axis=0).repeat(12, axis=1)
        picture = np.where(mask[..., None] == 1, [200, 80, 40], [40, 90, 200]) + random.normal(0, 5, (72, 96, 3))
        mask[:4] = void
        for part, content in ((pictures, picture.clip(0, 255).astype(np.uint8)), (masks, mask)):
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(folder / part / f"{drive}_f{3780 + 30 * number:05}.png")


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """A mirror with an archive in the layout of CamVid."""
    scenes(tmp_path, "camvid/train", "camvid/trainannot", 5, void=11)
    scenes(tmp_path, "camvid/val", "camvid/valannot", 2, void=11, drive="0016E5")
    (tmp_path / "mirror").mkdir()
    file = Path(shutil.make_archive(str(tmp_path / "mirror/camvid"), "tar", tmp_path, "camvid"))
    sums = f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
    (file.parent / "SHA256SUMS").write_text(sums)
    return file.parent


def test_the_default_run_shows_the_comparison_and_keeps_everything(project):
    done = run(project, "--params", f"smoke=true,{FEW}")
    assert done.stderr == ""
    lines = [line.strip() for line in done.stdout.splitlines()]
    (rule,) = (place for place, line in enumerate(lines) if set(line) == {"─"})
    rows = [re.split(r"\s{2,}", line)[0] for line in lines[rule + 1 : rule + 4]]
    assert rows == ["model", "colour and place", "most frequent class"]
    (kept,) = project.runs()
    assert {"miou", "accuracy", "iou_pole", "miou_colour_and_place", "train_seconds"} <= set(kept.data.metrics)
    files = {file.name for file in Path(kept.info.artifact_uri.removeprefix("file://")).rglob("*")}
    assert {*KEPT, "sheet.png", "README.md", "model.safetensors"} <= files
    mlflow.set_tracking_uri(f"sqlite:///{project.root / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model(f"runs:/{kept.info.run_id}/model")
    assert model.predict(np.zeros((1, 60, 80, 3), dtype=np.uint8)).shape == (1, 60, 80)


@pytest.mark.parametrize("environment", ["benchmark", "lesson"])
def test_camvid_is_trained_on_train_and_tested_on_val(project, camvid, environment):
    file = project.root / f"conf/{environment}/parameters/segmentation.yml"
    tree = yaml.safe_load(file.read_text())
    for stage in tree["segmentation"]["training"]["stages"]:
        stage |= {"size": [48, 64], "batch_size": 2}
    file.write_text(yaml.safe_dump(tree))
    run(project, "--env", environment, "--params", f"smoke=true,mirror={camvid},{TINY}")
    split = pd.read_parquet(project.smoke / "05_model_input/segmentation/split.parquet")
    assert split["split"].value_counts().to_dict() == {"valid": 4, "test": 2, "train": 1}
    assert split.loc[split["split"] == "test", "file"].str.startswith("camvid/val/").all()
    classes = pd.read_parquet(project.smoke / "08_reporting/segmentation/class_scores.parquet")
    assert classes["class"].tolist()[:2] == ["sky", "building"]
    assert classes["share"].sum() == pytest.approx(1)


def test_a_users_own_masks_are_learned_from(project, tmp_path):
    scenes(tmp_path / "mine", "images", "masks", 12, void=255)
    project.environment_file(
        "mine",
        """
segmentation:
  labels: {classes: [water, brick], void: [255]}
  training: {stages: [{size: [72, 96], batch_size: 2, steps: 40, lr: 5.0e-3}]}
""",
    )
    run(project, "--env", "mine", "--params", f"pictures={tmp_path / 'mine'},{TINY}")
    comparison = pd.read_parquet(project.root / "data/08_reporting/segmentation/comparison.parquet")
    assert comparison.set_index("method")["miou"]["model"] > 0.8


def test_a_mask_with_another_value_stops_the_run_before_any_training(project, tmp_path):
    scenes(tmp_path / "mine", "images", "masks", 3, void=77)
    done = project.kedro("run", "--pipeline", "segmentation", "--params", f"pictures={tmp_path / 'mine'}")
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "masks/0006R0_f03780.png: the mask has value 77 at x 0, y 0" in said
    assert "a class more in labels.classes, or a value more in labels.void" in said
    assert "Traceback" not in done.stderr
