"""Batches by their number: a resumed training asks for the batches that it has not seen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from uncrappify.training.data import BatchSource, Data
from uncrappify.training.interrupts import Interrupts
from uncrappify.training.parameters import Stage


class Batches:
    """The batches of a stage, in order, for Lightning, which keeps their position in its checkpoints.

    Args:
        data: Makes the batches.
        stage: With its number of steps.
        seed: Of everything random in the batches.

    Attributes:
        position: How many were trained on, counted by :class:`~uncrappify.training.callbacks.Clock`: a batch that was
            handed out when a training was stopped is handed out again.
        seconds_waited: Time that the training waited for batches.
        interrupts: Are allowed while it waits: the step before is whole then.
    """

    def __init__(self, data: Data, stage: Stage, seed: int) -> None:
        self._data, self._stage, self._seed = data, stage, seed
        self.position = 0
        self.seconds_waited = 0.0
        self.interrupts = Interrupts()

    @cached_property
    def source(self) -> BatchSource:
        """What makes the batches; made when the first is asked for: a stage that is trained already needs none."""
        return self._data.batches(self._stage, self._seed)

    def seed_step(self, process: int) -> int:
        """Give a seed for what is drawn in the step that comes, other than the batch.

        Args:
            process: Number of the process among those that train together, each of which has its own part of a batch.
        """
        return int(np.random.SeedSequence([self._seed, self.position, process]).generate_state(1)[0])

    def __len__(self) -> int:
        assert self._stage.steps is not None
        return self._stage.steps

    def __iter__(self) -> Iterator[Any]:
        # With batch_size None a "sample" of the loader is a whole batch.
        loader: DataLoader[Any] = DataLoader(
            self.source,  # type: ignore[arg-type]
            batch_size=None,
            sampler=range(self.position, len(self)),
            num_workers=min(self.source.workers, -(-(os.cpu_count() or 1) // _place()[1])),
            pin_memory=torch.cuda.is_available(),
        )
        batches = iter(loader)
        while True:
            started = time.perf_counter()
            self.interrupts.allow()
            batch = next(batches, None)
            self.interrupts.hold()
            self.seconds_waited += time.perf_counter() - started
            if batch is None:
                return
            yield _share(batch)

    def state_dict(self) -> dict[str, Any]:
        """Give the position, for the checkpoint."""
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the position of a checkpoint."""
        self.position = state["position"]


def _share(batch: Any) -> Any:
    """Give the part of a batch that belongs to this process: every n-th sample where n processes train together."""
    rank, processes = _place()
    return tuple(part[rank::processes] for part in batch) if processes > 1 else batch


def _place() -> tuple[int, int]:
    """Give this process's number among those that train together, and how many they are."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()
