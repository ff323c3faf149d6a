"""One file gives the same function back, in Python and in MLflow."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions, version
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

import uncrappify
from uncrappify.datasets import RestorationDescription, TrainedModel, Weights
from uncrappify.errors import UserError
from uncrappify.inference import Restorer
from uncrappify.inference.mlflow_model import MORE_REQUIREMENTS, REQUIREMENTS, log_model
from uncrappify.models import build

OPTIONS = {"scale": 2, "channels": 4, "blocks": 1}


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    torch.manual_seed(0)
    network = build("restoration", "upscaler", OPTIONS)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    state = {name: tensor.detach() for name, tensor in network.state_dict().items()}
    return TrainedModel(state, RestorationDescription(model="upscaler", options=OPTIONS, scale=2, recipe=[]))


@pytest.fixture(scope="module")
def file(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "model.safetensors"
    Weights(filepath=str(path)).save(trained)
    return path


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (11, 17, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def logged(file: Path, sqlite_store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the model in MLflow's store."""
    folder, before = tmp_path_factory.mktemp("logged"), mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(sqlite_store)
    experiment = mlflow.create_experiment(folder.name, artifact_location=folder.as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        log_model(file)
    yield f"runs:/{run.info.run_id}/model"
    mlflow.set_tracking_uri(before)


def test_a_file_gives_the_same_function_back(trained: TrainedModel, file: Path, pixels: np.ndarray) -> None:
    before, after = Restorer.from_trained(trained), uncrappify.load(file)
    assert after.scale == 2
    assert np.array_equal(after(pixels), before(pixels))
    network = build("restoration", "upscaler", OPTIONS).eval()
    network.load_state_dict(trained.state)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255)[0].permute(1, 2, 0)
    difference = after(pixels).astype(int) - (expected.clamp(0, 1) * 255).round().int().numpy()
    assert np.abs(difference).max() <= 1
    assert (difference == 0).mean() > 0.99


def test_an_array_gives_an_array_and_a_picture_a_picture(file: Path, pixels: np.ndarray) -> None:
    restore = uncrappify.load(str(file))
    array, picture = restore(pixels), restore(Image.fromarray(pixels))
    assert (array.shape, array.dtype) == ((22, 34, 3), np.uint8)
    assert (picture.size, picture.mode) == ((34, 22), "RGB")
    assert np.array_equal(array, picture)


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "CMYK"])
def test_a_picture_of_any_mode_is_taken_as_rgb(file: Path, pixels: np.ndarray, mode: str) -> None:
    restore = uncrappify.load(file)
    picture = Image.fromarray(pixels).convert(mode)
    assert restore(picture) == restore(picture.convert("RGB"))


def test_a_picture_is_read_as_those_for_training_are(file: Path, pixels: np.ndarray) -> None:
    restore = uncrappify.load(file)
    sideways = Image.fromarray(pixels)
    sideways.getexif()[ExifTags.Base.Orientation] = 6
    assert restore(sideways) == restore(sideways.transpose(Image.Transpose.ROTATE_270))
    invisible = Image.fromarray(pixels).convert("RGBA")
    invisible.putalpha(0)
    assert restore(invisible) == restore(Image.new("RGB", invisible.size, "white"))
    sixteen = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    assert restore(sixteen) == restore(Image.fromarray(pixels[..., 0]))


def test_the_picture_that_is_given_is_left_alone(file: Path, pixels: np.ndarray) -> None:
    before = pixels.copy()
    uncrappify.load(file)(pixels)
    assert np.array_equal(pixels, before)


def test_an_unknown_model_says_what_to_do(trained: TrainedModel) -> None:
    newer = TrainedModel(trained.state, trained.description.model_copy(update={"model": "diffuser"}))
    with pytest.raises(
        UserError, match=r"a model 'diffuser', which this version .* \(it has upscaler, unet\)\. Update"
    ):
        Restorer.from_trained(newer)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        uncrappify.load(tmp_path / "nowhere.safetensors")


def test_mlflow_gives_the_model_back_for_numpy_pictures(file: Path, pixels: np.ndarray, logged: str) -> None:
    loaded = mlflow.pyfunc.load_model(logged)
    restored = uncrappify.load(file)(pixels)
    assert np.array_equal(loaded.predict(pixels[None]), restored[None])
    two = np.stack([pixels, pixels[::-1]])
    assert loaded.predict(two).shape == (2, 22, 34, 3)
    assert [tensor.shape for tensor in loaded.metadata.signature.inputs] == [(-1, -1, -1, 3)]
    assert loaded.metadata.signature.inputs.inputs[0].type == np.uint8
    requirements = mlflow.artifacts.load_text(f"{logged}/requirements.txt").split()
    assert f"torch=={version('torch').partition('+')[0]}" in requirements
    assert all("==" in requirement for requirement in requirements)


def test_the_mlflow_model_runs_by_the_code_that_it_was_logged_with(
    file: Path, pixels: np.ndarray, logged: str, tmp_path: Path
) -> None:
    here = mlflow.artifacts.download_artifacts(logged, dst_path=str(tmp_path / "there"))
    np.save(tmp_path / "pixels.npy", pixels[None])
    code = (
        "import mlflow, numpy, sys\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "numpy.save(sys.argv[2], model.predict(numpy.load(sys.argv[2])))\n"
        "print(sys.modules['uncrappify'].__file__)"
    )
    command = [sys.executable, "-c", code, here, str(tmp_path / "pixels.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "uncrappify.zip" in done.stdout
    assert np.array_equal(np.load(tmp_path / "pixels.npy"), uncrappify.load(file)(pixels)[None])


def imported_packages(files: list[str], packages: Mapping[str, list[str]]) -> set[str]:
    nodes = [node for file in files for node in ast.parse(Path(file).read_text("utf-8")).body]
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return {package.lower() for module in modules for package in packages.get(module.split(".")[0], [])}


def test_the_mlflow_model_names_all_that_the_package_imports_for_it(file: Path, tmp_path: Path) -> None:
    unet, options = tmp_path / "unet.safetensors", {"scale": 1, "encoder": "test_resnet", "pretrained": False}
    description = RestorationDescription(model="unet", options=options, scale=1, recipe=[])
    state = dict(build("restoration", "unet", options).state_dict())
    Weights(filepath=str(unet)).save(TrainedModel(state, description))
    never = {"pooch", "requests", "lightning", "torchmetrics", "matplotlib", "plotly", "skimage", "sklearn"}
    code = (
        "import sys\n"
        f"sys.modules |= dict.fromkeys({never | {'kedro_mlflow', 'torchvision', 'timm'}})\n"
        "import json, numpy, uncrappify\n"
        f"for file, allowed in (({str(file)!r}, []), ({str(unet)!r}, ['torchvision', 'timm'])):\n"
        "    for name in allowed: del sys.modules[name]\n"
        "    uncrappify.load(file)(numpy.zeros((16, 16, 3), numpy.uint8))\n"
        "    modules = dict(sys.modules).items()\n"
        "    print(json.dumps([module.__file__ for name, module in modules if name.startswith('uncrappify')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    packages = packages_distributions()
    first, second = (imported_packages(json.loads(line), packages) for line in done.stdout.splitlines())
    # Imported by a function, and by the model class itself.
    besides, ours = {"safetensors", "mlflow"}, {"uncrappify", "pydantic_core"}
    assert (first | besides) - ours == set(REQUIREMENTS)
    # Beside timm, only one version of torchvision fits.
    assert (second | besides | {"torchvision"}) - ours == {*REQUIREMENTS, *MORE_REQUIREMENTS["unet"]}
