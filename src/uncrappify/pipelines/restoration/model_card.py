"""The model card: what a person should know before using the weights."""

from __future__ import annotations

from typing import Any

import pandas as pd
import yaml

from uncrappify.datasets import RestorationDescription
from uncrappify.pipelines.model_cards import origin_of, training_of

SHOWN = {
    "psnr": ("PSNR", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "gain_over_bicubic": ("gain over bicubic", "+.2f"),
    "gain_in_text": ("gain in text", "+.2f"),
    "gain_outside_text": ("gain outside text", "+.2f"),
    "texture_distance": ("texture distance", ".1f"),
}
"""Column of the comparison to its head and format."""


def _size(description: RestorationDescription) -> str:
    shrinks = any("resize" in step for step in description.recipe)
    if description.scale > 1 or not shrinks:
        return ""
    return (
        "The output has the size of the input: enlarge a small picture (bicubic) to the size that it should have.\n\n"
    )


def model_card(description: RestorationDescription, comparison: pd.DataFrame) -> str:
    """Write the card that lies beside the weights (Mitchell et al. 2019, Model cards for model reporting).

    Args:
        description: Of the trained model.
        comparison: Mean scores on the test pictures by method.

    Returns:
        Markdown.
    """
    return f"""# Restoration of pictures{f", x{description.scale}" if description.scale > 1 else ""}

{training_of(description)}

```python
import uncrappify
from PIL import Image

restore = uncrappify.load("model.safetensors")
restore(Image.open("bad.jpg")).save("good.png")
```

{_size(description)}## What it undoes

{_damage(description.recipe)}

## How good it is

Means over the test pictures, on whole 8-bit RGB pictures, PSNR and gains in dB:

{tabulate_scores(comparison)}

## Where it comes from

{origin_of(description)}"""


def tabulate_scores(comparison: pd.DataFrame) -> str:
    """Write the scores that tell a reader most as a Markdown table, those of text and texture where they are there.

    Args:
        comparison: Mean scores on the test pictures by method.
    """
    shown = {column: head for column, head in SHOWN.items() if column in comparison}
    lines = [f"| method | {' | '.join(title for title, _ in shown.values())} |", "|---|" + "---|" * len(shown)]
    for row in comparison[["method", *shown]].to_dict("records"):
        figures = [format(row[column], form) for column, (_, form) in shown.items()]
        lines.append(f"| {' | '.join([row['method'], *figures])} |")
    return "\n".join(lines)


def _damage(recipe: list[dict[str, Any]]) -> str:
    if not recipe:
        return "The damage of the pairs that it was trained on, and no other."
    return f"The damage of this recipe, and no other:\n\n```yaml\n{yaml.safe_dump(recipe, sort_keys=False)}```"
