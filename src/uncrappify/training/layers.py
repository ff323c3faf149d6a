"""The network as a table, as the lesson's ``learn.summary()`` shows it."""

from __future__ import annotations

import pandas as pd
import torch
from lightning.pytorch.utilities.model_summary.model_summary import ModelSummary
from torch import Tensor

from uncrappify.training.learner import Learner


def layer_table(learner: Learner, example: Tensor | None) -> pd.DataFrame:
    """List the layers of the delivered network.

    Args:
        learner: Has the network.
        example: What the network takes, a batch of one; None where no sizes are wanted.

    Returns:
        One row a layer that has no layers in it: ``layer`` (its place in the network), ``type``, ``output`` (shape),
        ``parameters``, and ``trainable``, how many of them learn.
    """
    learner.example_input_array = example
    # A compiled network calls no hooks.
    with torch.compiler.set_stance("force_eager"):
        summary = ModelSummary(learner, max_depth=-1)
    learner.example_input_array = None
    shapes = dict(zip(summary.layer_names, summary.out_sizes, strict=True))
    modules = dict(learner.named_modules())
    prefix = next(f"{name}." for name, module in modules.items() if module is learner.delivered)
    rows = [
        {
            "layer": name.removeprefix(prefix),
            "type": type(module).__name__,
            "output": str(shapes[name]),
            "parameters": sum(parameter.numel() for parameter in module.parameters()),
            "trainable": sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad),
        }
        for name, module in modules.items()
        if name.startswith(prefix) and not any(module.children())
    ]
    return pd.DataFrame(rows, columns=["layer", "type", "output", "parameters", "trainable"])
