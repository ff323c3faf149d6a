"""How good is `restore`, and what does each choice of its GAN bring?

    python benchmarks/restore_quality.py [CHOICE ...] [--seeds N] [--first-seed N] [--mirror FOLDER] [--env ENV]

Every row is a run of the pipeline in MLflow. Without `--mirror`, the embedded test photographs are scored, as by the
default run. With it, settings are compared as they are chosen: on every fourth photograph of BSDS500's validation set,
which no training sees. Generator and critic are trained once a seed, and taken again by each choice of the GAN.
"""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd
from pipeline_run import run_pipeline

EVERY_FOURTH = [101085, 105025, 108082, 123074, 14037, 148026, 159008, 167062, 175043, 196073, 21077, 223061, 24077]
EVERY_FOURTH += [253055, 291000, 299086, 304074, 351093, 38082, 41069, 45096, 62096, 69020, 8023, 86068]
BSDS = {
    "kind": "archive",
    "archive": {
        "name": "bsds500",
        "file": "bsds.tar",
        "sha256": "d4647e3dd6f3f517b40615526126792e7127a7d0e57443c8d856b2d3f4b5946a",
        "size": 22487040,
        "licence": "BSDS500, research use",
        "layout": {"good": [f"bsds/val/{number}.jpg" for number in EVERY_FOURTH]},
    },
}
METRICS = ["psnr", "gain_over_bicubic", "gain_in_text", "gain_outside_text", "texture_distance"]
METRICS += ["gradient_energy_ratio", "feature_distance", "ssim"]
#: Name to what differs from the environment's parameters: of the GAN's stage, its training, the objective.
CHOICES: dict[str, dict[str, Any]] = {
    "default": {},
    "no critic": {"adversarial": 0.0},
    "feature loss, no critic": {"adversarial": 0.0, "loss": [{"l1": 1.0}, {"feature": 1.0}]},
    "feature loss and critic": {"loss": [{"l1": 1.0}, {"feature": 1.0}]},
    "critic weighs half": {"adversarial": 0.02},
    "critic weighs 2.5 times": {"adversarial": 0.1},
    "critic learns slower": {"critic_lr": 4.0e-4},
    "fixed": {"strategy": "fixed"},
    "fixed, two critic steps": {"strategy": "fixed", "fixed": {"critic_steps": 2}},
    "r3": {"objective": "r3"},
    "r3, gamma 0.1": {"objective": "r3", "r3": {"gamma": 0.1}},
    "r3, gamma 10": {"objective": "r3", "r3": {"gamma": 10.0}},
}
STAGE = ("adversarial", "loss", "lr", "critic_lr", "size", "batch_size", "steps")
PIPELINE = ("objective", "r3")


def main() -> None:
    """Run each choice and seed, and print its scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("choices", nargs="*", metavar="CHOICE", help=f"of {', '.join(CHOICES)}; default: default")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=42)
    parser.add_argument("--steps", type=int, help="of the GAN's stage, instead of the environment's")
    parser.add_argument("--mirror", help="folder or URL with bsds.tar (docs/add-a-source.md)")
    parser.add_argument("--env", help="environment in conf/; default: base")
    parser.add_argument("--smoke", action="store_true", help="two batches a stage, to see that it runs")
    arguments = parser.parse_args()
    if unknown := set(arguments.choices) - set(CHOICES):
        parser.error(f"no choice {', '.join(sorted(unknown))}; there are {', '.join(CHOICES)}")
    rows: dict[tuple[str, int, str], dict[str, float]] = {}
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for choice in arguments.choices or ["default"]:
            outputs = run_pipeline("restore", choose(CHOICES[choice], seed, arguments), env=arguments.env)
            rows |= {(choice, seed, method): scores for method, scores in read_scores(outputs).items()}
            print(tabulate(rows), flush=True)


def choose(changes: dict[str, Any], seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Give the parameters that differ from the environment's, as `--params` has them."""
    steps = {"steps": arguments.steps} if arguments.steps else {}
    restore: dict[str, Any] = {"seed": seed}
    for key, value in (changes | steps).items():
        if key in PIPELINE:
            restore[key] = value
        else:
            training = restore.setdefault("gan", {}).setdefault("training", {})
            place = training.setdefault("stages", {}).setdefault("0", {}) if key in STAGE else training
            place[key] = value
    given: dict[str, Any] = {"restore": restore, "smoke": arguments.smoke}
    if arguments.mirror:
        given["mirror"] = arguments.mirror
        if not arguments.env:
            restore["test_source"] = BSDS
    return given


def read_scores(outputs: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Read the scores of bicubic, of both models, and what their trainings took."""
    table: pd.DataFrame = outputs["restore.comparison"].load().set_index("method")
    figures = table.filter(METRICS).to_dict("index")
    scores = {str(name): {str(metric): float(value) for metric, value in row.items()} for name, row in figures.items()}
    shown = {name: scores[name] for name in ("bicubic", "generator", "gan")}
    for name in ("generator", "gan"):
        shown[name]["seconds"] = outputs[f"restore.{name}.training_metrics"].load()["train_seconds"]
    shown["critic"] = {
        metric: outputs["restore.critic.training_metrics"].load().get(source, float("nan"))
        for metric, source in (("accuracy", "valid_accuracy"), ("seconds", "train_seconds"))
    }
    return shown


def tabulate(rows: dict[tuple[str, int, str], dict[str, float]]) -> str:
    """Write the rows as a table, and the mean and spread of several seeds below."""
    table = pd.DataFrame(rows).T.rename_axis(["choice", "seed", "model"])
    text = table.round(3).to_string()
    if len({seed for _, seed, _ in rows}) > 1:
        groups = table.groupby(level=["choice", "model"], sort=False)
        text += f"\n\nmeans\n{groups.mean().round(3).to_string()}\n\nspread\n{groups.std().round(3).to_string()}"
    return text


if __name__ == "__main__":
    main()
