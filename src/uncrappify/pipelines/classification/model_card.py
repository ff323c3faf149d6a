"""The model cards of classifiers: what a person should know before using the weights."""

from __future__ import annotations

import pandas as pd

from uncrappify.evaluation.classification import ClassScores
from uncrappify.evaluation.comparison import DELIVERED
from uncrappify.evaluation.confusion import find_confused
from uncrappify.pipelines.model_cards import origin_of, training_of

CLASSES_SHOWN = 20
WATCHED = (
    "\n\nThe pictures of the test were watched while it was trained, as in the published result that it is compared "
    "with: it is not a score of unseen pictures."
)


def model_card(scores: ClassScores) -> str:
    """Write the card that lies beside the weights (Mitchell et al. 2019, Model cards for model reporting).

    Args:
        scores: Of the trained model.

    Returns:
        Markdown.
    """
    description = scores.description
    names = description.classes
    shown = ", ".join(names[:CLASSES_SHOWN]) + (", ..." if len(names) > CLASSES_SHOWN else "")
    height, width = description.size
    tested = len(scores.labels)
    wrong = round((1 - scores.accuracy) * tested)
    confused = "\n".join(
        f"- {count} of {true} taken for {taken}" for true, taken, count in find_confused(scores.counts, names)
    )
    watched = WATCHED if description.watched == "test" else ""
    return f"""# Which of {len(names)} classes a picture belongs to

{training_of(description)}

```python
import uncrappify
from PIL import Image

classify = uncrappify.load("model.safetensors")
classify(Image.open("picture.png"))  # {{"{names[0]}": 0.98, "{names[1]}": 0.01, ...}}, the most probable first
```

Classes: {shown}. A picture is brought to {width}x{height} pixels, {"grey" if description.channels == 1 else "RGB"}.
Every picture gets a class, also one that belongs to none of them.

## How good it is

{scores.accuracy:.2%} of {tested} test pictures are right ({wrong} wrong).{watched}

{confused or "None is taken for another."}

## Where it comes from

{origin_of(description)}"""


def pipeline_card(table: pd.DataFrame, shown: str, card: str) -> str:
    """Write the pipeline's card: which of its models it delivers, beside the others, and that model's card.

    Args:
        table: One row a model, with a note of the one that is delivered.
        shown: Name of the model whose card follows: the delivered one, or the best where that is not trained.
        card: That model's own.

    Returns:
        Markdown.
    """
    rows = "\n".join(
        f"| {row.model} | {row.parameters:,} | {row.accuracy:.2%} | {row.valid:.2%} | {row.seconds:.0f} "
        f"| {row.step_memory_mb:.1f} |"
        for row in table[table["accuracy"].notna()].itertuples(index=False)
    )
    said = "This pipeline delivers the model" if (table["note"] == DELIVERED).any() else "The best of the models is"
    return f"""{said} **{shown}**; its card follows.

| model | parameters | accuracy | of watched pictures | seconds of training | MB for a step on 128 pictures |
|---|---|---|---|---|---|
{rows}

{card}"""
