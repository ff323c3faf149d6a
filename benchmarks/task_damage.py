"""The pictures of docs/add-a-task.md: what each of its tasks learns to undo, on two of the embedded photographs.

    python benchmarks/task_damage.py

draws the same as `kedro run --pipeline descratch --to-nodes descratch.crappify` does of all photographs.
"""

import re
import tempfile
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from uncrappify.degradations import Recipe
from uncrappify.evaluation.sheet import DamagedPicture, draw_damage_sheet
from uncrappify.parameters.template import TemplateParameters
from uncrappify.pictures import read_picture
from uncrappify.sources import EmbeddedOptions
from uncrappify.sources.embedded import collect

DOCS = Path(__file__).parents[1] / "docs"
TASKS = ("deblur", "denoise", "descratch")
SHOWN = ("chelsea.png", "coffee.png")
SEED = TemplateParameters.model_fields["seed"].default


def read_tasks() -> dict[str, Any]:
    """Read the page's tasks: name to section."""
    page = (DOCS / "add-a-task.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    sections = {name: section for block in blocks for name, section in yaml.safe_load(block).items()}
    return {name: sections[name] for name in TASKS}


def degrade(file: Path, recipe: Recipe) -> DamagedPicture:
    """Degrade a photograph as the pipeline does."""
    good = read_picture(file)
    return file.stem, good, recipe.degrade(good, file.stem, SEED), recipe.draw(file.stem, SEED)


def main() -> None:
    """Draw and write a picture for each task."""
    with tempfile.TemporaryDirectory() as folder:
        root = collect(EmbeddedOptions(), Path(folder)).root
        for name, section in read_tasks().items():
            recipe = Recipe.model_validate(section["recipe"])
            sheet = draw_damage_sheet(degrade(root / file, recipe) for file in SHOWN)
            half = sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS)
            half.save(DOCS / "images" / f"{name}.jpg", quality=85)


if __name__ == "__main__":
    main()
