"""The model card of a segmentation: what a person should know before using the weights."""

from __future__ import annotations

import pandas as pd

from uncrappify.datasets import SegmentationDescription
from uncrappify.pipelines.model_cards import origin_of, training_of


def model_card(
    description: SegmentationDescription, comparison: pd.DataFrame, classes: pd.DataFrame, *, flip: bool
) -> str:
    """Write the card that lies beside the weights (Mitchell et al. 2019, Model cards for model reporting).

    Args:
        description: Of the trained model.
        comparison: Mean IoU and accuracy by method.
        classes: IoU by class.
        flip: Whether it was measured with the mirror image averaged in.

    Returns:
        Markdown.
    """
    methods = "\n".join(
        f"| {row.method} | {row.miou:.3f} | {row.accuracy:.3f} |" for row in comparison.itertuples(index=False)
    )
    rows = "\n".join(
        f"| {name} | {share:.1%} | {iou:.3f} | {confused} |"
        for name, share, iou, confused in classes.itertuples(index=False, name=None)
    )
    height, width = description.size
    return f"""# Segmentation of pictures into {len(description.labels.classes)} classes

{training_of(description)}

```python
import uncrappify
from PIL import Image

segment = uncrappify.load("model.safetensors")
segment(Image.open("street.png")).save("classes.png")
```

The values of `classes.png` are places in this list of classes. A picture is looked at in its own shape and the area of
{width}x{height} pixels, whatever its size is.

## How good it is

Over all pixels of the test pictures that are not void{", averaged with the mirror image" if flip else ""}:

| method | mean IoU | accuracy |
|---|---|---|
{methods}

| class | share of the pixels | IoU | mostly taken for |
|---|---|---|---|
{rows}

## Where it comes from

{origin_of(description)}"""
