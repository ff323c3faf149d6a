"""The cards of an adversarial pipeline: the critic's, and the pipeline's own."""

from __future__ import annotations

from typing import Any

from uncrappify.pipelines.model_cards import origin_of, training_of


def critic_card(description: Any) -> str:
    """Write the card that lies beside the critic's weights (Mitchell et al. 2019, Model cards for model reporting).

    Args:
        description: Of the trained critic.

    Returns:
        Markdown.
    """
    accuracy = description.metrics.get("valid_accuracy")
    measured = (
        f"{accuracy:.2%} of the crops of validation pictures are taken for what they are, as many generated as good."
        if accuracy is not None
        else "It was not validated."
    )
    return f"""# Does a picture look real?

{training_of(description)}

```python
import uncrappify
from PIL import Image

judge = uncrappify.load("model.safetensors")
judge(Image.open("picture.png"))  # share of its parts that look real, 0 to 1
```

It has learned to tell good pictures from what one generator made (SHA-256 {description.fakes.fingerprint}), and nothing
else: it finds neither other generators' pictures nor retouched photographs.

## How good it is

{measured}

## Where it comes from

{origin_of(description)}"""


def pipeline_card(shown: str, card: str) -> str:
    """Write the pipeline's card: which model it delivers, and that model's card.

    Args:
        shown: Name of the model.
        card: Its own card, which compares the models.
    """
    return f"The model of this pipeline is **{shown}**; its card follows.\n\n{card}"
