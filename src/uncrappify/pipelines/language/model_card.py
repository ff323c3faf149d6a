"""The model cards of language models: what a person should know before using the weights."""

from __future__ import annotations

import pandas as pd

from uncrappify.evaluation.comparison import DELIVERED
from uncrappify.evaluation.language import RUN, LanguageScores
from uncrappify.pipelines.model_cards import origin_of, training_of
from uncrappify.text.tokens import MARKS

WATCHED = (
    "\n\nThe test was watched while it was trained, as in the published result that it is compared with: it is not a "
    "score of a text that was never seen."
)


def model_card(scores: LanguageScores) -> str:
    """Write the card that lies beside the weights (Mitchell et al. 2019, Model cards for model reporting).

    Args:
        scores: Of the trained model.

    Returns:
        Markdown.
    """
    description = scores.description
    known = [word for word in description.vocabulary if word not in MARKS]
    words = [word for word in known if word.isalpha()]
    shown = ", ".join(words[:20]) + (", ..." if len(words) > 20 else "")
    call = (
        'write.count("nine thousand nine hundred ninety five ,", 3)  # ["nine thousand nine hundred ninety six", ...]'
        if scores.counts
        else 'write.write("Once upon a time", words=50, temperature=0.8)'
    )
    watched = WATCHED if description.watched == "test" else ""
    return f"""# {"Counting in words" if scores.counts else "Which word follows"}

{training_of(description)}

```python
import uncrappify

write = uncrappify.load("model.safetensors")
{call}
```

It knows {len(known):,} words and signs: {shown}

## How good it is

{_tell(scores)}{watched}

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
    counts = "numbers_right" in table
    columns = ["model", "parameters", "accuracy", "perplexity"]
    columns += ["numbers right", "counted in a row"] * counts + ["seconds of training"]
    rows: list[list[str]] = []
    for row in table[table["accuracy"].notna()].itertuples(index=False):
        cells = [str(row.model), f"{row.parameters:,}", f"{row.accuracy:.2%}", f"{row.perplexity:.3g}"]
        if counts:
            cells += [f"{row.numbers_right:.2%}", f"{row.free_run_length:.1f}"]
        rows.append([*cells, f"{row.seconds:.0f}"])
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in [columns, ["---"] * len(columns), *rows])
    said = "This pipeline delivers the model" if (table["note"] == DELIVERED).any() else "The best of the models is"
    return f"""{said} **{shown}**; its card follows.

{lines}

{card}"""


def _tell(scores: LanguageScores) -> str:
    said = (
        f"{scores.accuracy:.2%} of {len(scores.words):,} words of the test are predicted; the perplexity is "
        f"{scores.perplexity:.3g}."
    )
    if not scores.counts:
        return said
    places = "\n".join(f"| {place} | {value:.2%} |" for place, value in scores.accuracy_by_place.items())
    counted = f"{scores.free_run_length:.1f} more in a row, of {RUN:,}: the mean of {len(scores.runs)} starts"
    return f"""{said}
{scores.numbers_right:.2%} of the numbers are right as a whole. From two numbers it counts {counted}.

| place in the number | right |
|---|---|
{places}"""
