import ast
import importlib.util
import json
import os
import re
import sys
import textwrap
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mlflow.entities import Metric, Run, RunData, RunInfo, RunTag
from omegaconf import OmegaConf
from PIL import Image

from uncrappify.datasets import RestorationDescription, TrainedModel, Weights
from uncrappify.degradations import STEPS
from uncrappify.inference import predict_picture
from uncrappify.losses import LOSSES, WeightedLoss
from uncrappify.models import MODELS, build
from uncrappify.models import parameters as model_parameters
from uncrappify.models.upscaler import BicubicEnlargement
from uncrappify.parameters.tree import complete
from uncrappify.pictures.masks import Labels
from uncrappify.pipelines import restoration, segmentation
from uncrappify.sources import list_pictures
from uncrappify.sources import parameters as source_parameters

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
SUPERRES = yaml.safe_load((ROOT / "conf/base/parameters/superres.yml").read_text(encoding="utf-8"))


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", read(page), flags=re.DOTALL | re.MULTILINE)


def merged(tree, changes):
    """Kedro's soft merge: key by key, lists as a whole."""
    both_trees = isinstance(tree, dict) and isinstance(changes, dict)
    return tree | {key: merged(tree.get(key), value) for key, value in changes.items()} if both_trees else changes


def module_of(code, name, monkeypatch):
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(code, name, "exec"), vars(module))
    return module


def extended(parameters, code, name, monkeypatch):
    """Run a page's changes to a module of parameters: ``class Model(...): ...`` stands for the one there is."""
    namespace = dict(vars(parameters))
    exec(compile(re.sub(rf"class {name}\(\w+\)", f"class {name}({name})", code), name, "exec"), namespace)
    for key, value in namespace.items():
        if not key.startswith("__"):
            monkeypatch.setattr(parameters, key, value, raising=False)
    return namespace[name]


@pytest.fixture(scope="module")
def results():
    spec = importlib.util.spec_from_file_location("results", ROOT / "benchmarks" / "results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def photograph():
    y, x = np.mgrid[0:41, 0:57]
    pixels = np.stack([100 + 80 * np.sin(x / 2), 120 + 60 * np.cos(y / 3), 2 * x + 2 * y], axis=-1)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_a_stranger_needs_two_commands_and_the_checks_run_the_second():
    install, test = 'pip install -c constraints.txt -e ".[dev]"', "pytest"
    commands = "".join(blocks("README.md", "bash"))
    assert "pip install -c constraints.txt -e . && kedro run --pipeline superres\n" in commands
    assert f"{install} && {test}\n" in commands
    steps = re.findall(r"^step (.*)", read(".ci/run"), flags=re.MULTILINE)
    assert steps[1:] == [install, test, "ruff check", "ruff format --check", "mypy"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_weights_of_the_readme_enlarge_a_picture_three_times(tmp_path, monkeypatch, photograph):
    monkeypatch.chdir(tmp_path)
    options = {"scale": 3, "channels": 4, "blocks": 1}
    description = RestorationDescription(model="upscaler", options=options, scale=3, recipe=[])
    weights = Weights(filepath="data/06_models/superres/model.safetensors")
    weights.save(TrainedModel(build("restoration", "upscaler", options).state_dict(), description))
    photograph.save("small.jpg")
    (code,) = blocks("README.md", "python")
    exec(code, {})
    assert Image.open("large.png").size == (57 * 3, 41 * 3)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("deblur", ["motion_blur", "gaussian_blur", "jpeg"]),
        ("denoise", ["gaussian_noise"]),
        ("descratch", ["scratches"]),
    ],
)
def test_each_task_of_the_page_is_at_most_twenty_lines(name, steps):
    (task,) = (block for block in blocks("docs/add-a-task.md", "yaml") if block.startswith(f"{name}:"))
    assert len(task.splitlines()) <= 20
    both = SUPERRES | yaml.safe_load(task)
    tree = complete(both, both)
    assert [next(iter(step)) for step in tree[name]["recipe"]] == steps
    assert tree[name]["model"]["upscaler"]["scale"] == 1
    assert tree[name]["training"]["stages"][0]["steps"] == 2000


def test_the_task_of_the_readme_is_the_pages():
    first, *_ = blocks("docs/add-a-task.md", "yaml")
    assert first in blocks("README.md", "yaml")


@pytest.mark.parametrize("page", ["README.md", "docs/add-a-task.md"])
def test_a_variant_changes_the_scale_and_keeps_the_siblings(page):
    (variant,) = (block for block in blocks(page, "yaml") if block.startswith("superres:"))
    section = complete(merged(SUPERRES, yaml.safe_load(variant)), SUPERRES)["superres"]
    before = SUPERRES["superres"]
    assert section["model"]["upscaler"] == before["model"]["upscaler"] | {"scale": 2}
    assert section["recipe"][0]["resize"]["factor"] == 2
    assert section["training"]["stages"][0]["steps"] == before["training"]["stages"][0]["steps"]


def typed_in_the_readme():
    """Pipeline and ``--params`` of each command of the README, with the pipeline's section."""
    commands = re.findall(r"--pipeline (\S+) --params \"?([^\s\"]+)", "".join(blocks("README.md", "bash")))
    return [(name, line, yaml.safe_load(read(f"conf/base/parameters/{name}.yml"))) for name, line in commands]


def test_every_shortcut_and_parameter_that_the_readme_types_exists():
    shortcuts = set()
    for name, line, section in typed_in_the_readme():
        tree = complete(section, section)
        for typed in (pair.split("=")[0] for pair in line.split(",")):
            if typed in ("pictures", "text", "weights", "smoke", "mirror"):
                shortcuts.add(typed)
                continue
            node = tree
            for key in typed.split("."):
                node = node[key]
            assert not isinstance(node, dict | list), (name, typed)
    assert shortcuts == {"pictures", "text", "weights", "smoke", "mirror"}


def test_every_line_of_parameters_in_the_readme_is_accepted():
    for name, line, section in typed_in_the_readme():
        if "mirror" not in line:
            given = OmegaConf.to_container(OmegaConf.from_dotlist(line.split(",")))
            assert complete(merged(section, given), section)[name]["template"] == section[name]["template"], line


def test_the_model_of_the_page_learns_and_is_exact_in_tiles(monkeypatch, photograph):
    module_of(blocks("docs/add-a-model.md", "python")[0], "uncrappify.models.srcnn", monkeypatch)
    name, target = re.search(r'`"(\w+)": "(uncrappify[\w.:]+)"`', read("docs/add-a-model.md")).groups()
    monkeypatch.setitem(MODELS["restoration"], name, target)
    torch.manual_seed(0)
    network = build("restoration", "srcnn", {"scale": 3, "channels": 8})
    inputs = torch.rand(2, 3, 12, 10)
    targets = 0.5 * BicubicEnlargement(3)(inputs)
    optimizer, loss = torch.optim.AdamW(network.parameters(), lr=1e-3), WeightedLoss([("charbonnier", 1.0)])
    losses = []
    for _ in range(10):
        losses.append(loss(network(inputs), targets)["charbonnier"])
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.8 * losses[0]
    whole, tiled = (np.asarray(predict_picture(network, photograph, tile=tile)) for tile in (512, 16))
    assert whole.shape == (41 * 3, 57 * 3, 3)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_the_models_options_can_be_written_in_yaml(monkeypatch):
    model = extended(model_parameters, blocks("docs/add-a-model.md", "python")[1], "Model", monkeypatch)
    (wanted,) = re.findall(r"`model: (\{.*\})`", read("docs/add-a-model.md"))
    chosen = model.model_validate(yaml.safe_load(wanted))
    assert chosen.options.model_dump() == {"scale": 3, "channels": 32}
    assert chosen.scale == 3


def test_the_source_of_the_page_lists_the_pictures_of_a_package(tmp_path, monkeypatch, photograph):
    code, changes, case = blocks("docs/add-a-source.md", "python")
    source_class = extended(source_parameters, changes, "Source", monkeypatch)
    package = module_of(code, "uncrappify.sources.package", monkeypatch)
    namespace = {"package": package, "PackageOptions": source_parameters.PackageOptions}
    exec(f"def fetch(source):\n    match source.chosen:\n{textwrap.indent(case, ' ' * 8)}", namespace)

    (tmp_path / "album" / "pictures").mkdir(parents=True)
    (tmp_path / "album" / "__init__.py").touch()
    photograph.save(tmp_path / "album" / "pictures" / "sea.png")
    monkeypatch.syspath_prepend(tmp_path)
    found = namespace["fetch"](source_class.model_validate({"kind": "package", "package": {"name": "album"}}))
    assert list_pictures(found)["name"].tolist() == ["pictures/sea"]
    with pytest.raises(package.UserError, match=r"no package 'nothing_of_this_name'"):
        namespace["fetch"](
            source_class.model_validate({"kind": "package", "package": {"name": "nothing_of_this_name"}})
        )


def test_the_architecture_shows_every_node_and_dataset():
    pipeline = restoration.create_pipeline("superres", SUPERRES["superres"])
    (diagram,) = blocks("docs/architecture.md", "mermaid")
    nodes = {node.name.removeprefix("superres.") for node in pipeline.nodes}
    assert set(re.findall(r"\w+\[(\w+)\]", diagram)) == nodes
    datasets = {name.removeprefix("superres.") for name in pipeline.datasets() if "params:" not in name}
    assert set(re.findall(r"\(\[(\w+)\]\)", diagram)) == datasets


def test_the_changelog_knows_every_step():
    assert [name for name in STEPS if f"`{name}`" not in read("CHANGELOG.md")] == []


@pytest.mark.parametrize(
    ("name", "template", "shown"),
    [
        ("superres", restoration, {"damage", "curves", "sheet", "comparison", "model"}),
        ("segmentation", segmentation, {"curves", "sheet", "comparison", "class_scores", "confusion", "model"}),
    ],
)
def test_the_notebook_loads_what_the_catalog_has_and_is_cleared(name, template, shown):
    notebook = json.loads(read(f"notebooks/{name}.ipynb"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in notebook["cells"] if cell["cell_type"] == "code")
    for cell in cells:
        ast.parse("\n".join(line for line in cell.splitlines() if not line.startswith("%")))
    loaded = re.findall(r'catalog\.load\("([\w.]+)"\)', "\n".join(cells))
    assert set(loaded) <= template.create_pipeline(name, {}).datasets()
    assert {f"{name}.{entry}" for entry in shown} <= set(loaded)


def test_the_labels_of_the_segmentation_page_are_good_labels():
    first, second = (
        yaml.safe_load(block)["segmentation"]["labels"] for block in blocks("docs/segmentation.md", "yaml")
    )
    assert Labels.model_validate(first).void == [255]
    assert Labels.model_validate(second).palette[1] == (0, 160, 0)


def run_of(metrics, params="{}", name="superres"):
    info = RunInfo("0123", "1", "someone", "FINISHED", 1_780_000_000_000, None, "active", run_name=name)
    tags = {"kedro_command": "kedro run", "params": params, "hardware.cores": "2", "hardware.memory_gb": "24"}
    return Run(
        info,
        RunData(
            metrics=[Metric(name, value, 0, 0) for name, value in metrics.items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        ),
    )


def test_the_table_of_runs_has_a_row_a_run_with_rounded_figures(results):
    measured = {"psnr": 28.1234, "psnr_gain_over_bicubic": 0.8049, "data_wait_share": 0.0312, "train_seconds": 201.4}
    heading, rule, row = results.table([run_of(measured)]).splitlines()
    cells = dict(zip(heading.strip("| ").split(" | "), row.strip("| ").split(" | "), strict=True))
    assert (cells["run"], cells["date"], cells["PSNR"], cells["gain, mean"]) == (
        "superres",
        "2026-05-28",
        "28.12",
        "+0.80",
    )
    assert (cells["data wait"], cells["train, s"], cells["SSIM"]) == ("3.1%", "201", "")
    assert (cells["command"], cells["machine"]) == ("`kedro run`", "2 cores, 24 GB")
    assert heading.count("|") == rule.count("|") == row.count("|")


@pytest.mark.parametrize(
    ("run", "reported"),
    [
        (run_of({"psnr": 28, "train_seconds": 200}), True),
        (run_of({"psnr": 28, "train_seconds": 200}, params='{"smoke": true}'), False),
        (run_of({"psnr": 28}), False),
        (run_of({"train_seconds": 200}), False),
    ],
    ids=["whole", "smoke", "evaluation alone", "training alone"],
)
def test_smoke_tests_and_parts_of_a_pipeline_are_not_reported(results, run, reported):
    assert results.is_whole(run) is reported


def test_a_table_replaces_the_last_one_and_nothing_else(results):
    page = read("docs/results.md")
    once = results.rewritten(page, "| a |")
    assert results.rewritten(once, "| b |") == once.replace("| a |", "| b |")
    assert once.partition(results.BEGIN)[0] == page.partition(results.BEGIN)[0]
    assert once.partition(results.END)[2] == page.partition(results.END)[2]
    with pytest.raises(ValueError, match="each once, in this order"):
        results.rewritten(page.replace(results.END, ""), "| a |")


def test_the_losses_of_the_pages_exist():
    named = {name for page in PAGES for name in re.findall(r"loss: \[\{(\w+):", page.read_text(encoding="utf-8"))}
    assert named <= LOSSES.keys()
