"""The one path from a learner and its data to a trained model: stages, checkpoints, resume, history."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stderr
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from statistics import median
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image

from uncrappify.datasets.checkpoint import Checkpoint
from uncrappify.datasets.description import Ancestor, AnyDescription, Description, compare_networks
from uncrappify.datasets.training_run import TrainingRun
from uncrappify.datasets.weights import TrainedModel
from uncrappify.errors import UserError
from uncrappify.tracking.provenance import find_provenance
from uncrappify.tracking.store import log_file, log_tags, watch_machine
from uncrappify.training import hardware
from uncrappify.training.batches import Batches
from uncrappify.training.callbacks import Bar, Clock, Delivery, Saver
from uncrappify.training.curves import training_curves
from uncrappify.training.data import Data
from uncrappify.training.film import Film
from uncrappify.training.history import History, followed
from uncrappify.training.layers import layer_table
from uncrappify.training.learner import Learner
from uncrappify.training.parameters import Stage, Training
from uncrappify.training.resume import find_misfit
from uncrappify.training.trainer import make_trainer, settings_restored, tidied

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = 20.0
"""Seconds."""

CHECKPOINT_EVERY_MILLION = 2.0
"""More for large networks, whose checkpoints (weights, average, and AdamW's two moments) take a while to write."""

RATES_TRIED = 100
SNAPSHOTS = "reporting/snapshots"


@dataclass(frozen=True)
class Fitted:
    """What a training leaves behind.

    Args:
        model: The delivered weights, on the CPU, with their description.
        history: One row a logged step.
        curves: The history, drawn.
        layers: One row a layer.
        metrics: ``train_seconds``, ``images_per_second`` (samples trained on a second, median of steps),
            ``data_wait_share`` (time waited for batches over time in steps), ``peak_memory_mb``, and the last
            validation's; of a training without stages ``train_seconds`` alone.
    """

    model: TrainedModel
    history: pd.DataFrame
    curves: Figure
    layers: pd.DataFrame
    metrics: dict[str, float]

    @property
    def outputs(self) -> tuple[TrainedModel, pd.DataFrame, Figure, pd.DataFrame, dict[str, float]]:
        """All of it, in the order of a train node's outputs."""
        return self.model, self.history, self.curves, self.layers, self.metrics


def fit(
    learner: Learner,
    data: Data,
    training: Training,
    *,
    seed: int,
    run: TrainingRun,
    description: AnyDescription,
    ancestor: TrainedModel | None = None,
) -> Fitted:
    """Train stage after stage; go on where a training with the same fingerprint stopped, and keep one that has ended.

    Args:
        learner: Network, loss and optimizers.
        data: Batches and validation.
        training: Stages and what holds for all of them.
        seed: Of everything random.
        run: The training's folder; what another fingerprint left there is removed.
        description: Of the model; metrics and where it comes from are added.
        ancestor: What the training starts from; its weights must fit the network.

    Returns:
        The model, and what is to be known of its training.

    Raises:
        KeyboardInterrupt: After a checkpoint was written; with several devices, the last one counts.
        UserError: If there are fewer devices than that, the ancestor is of another network, or the training diverged.
    """
    hardware.check_devices(training.devices)
    pl.seed_everything(seed, workers=True, verbose=False)
    origin = None
    if ancestor is not None:
        _start_from(ancestor, learner, description, run.name)
        known = ancestor.description
        origin = Ancestor(fingerprint=ancestor.fingerprint, run_id=known.run_id, data=known.data)
        if not training.stages:
            # It can do what its ancestor can, whatever this pipeline is about.
            description = known.model_copy(update={"metrics": {}})
    fingerprint = _fingerprint(learner, data, training, seed, description, origin)
    state = run.claim(fingerprint, len(training.stages), find_provenance())
    machine = hardware.describe() | {"precision": hardware.precision(training.precision)}
    log_tags({f"hardware.{name}": value for name, value in machine.items()})
    stages = [stage.with_steps(len(data)) for stage in training.stages]
    progress = _Progress(learner, data, training, seed, run, stages, fingerprint)
    if state.finished:
        log.info("%s: trained before with the same data and parameters; its weights are taken", run.name)
        for picture in sorted(run.snapshots.glob("*.png")):
            log_file(picture, SNAPSHOTS)
    with settings_restored(), followed(run.history), watch_machine():
        progress.go_on()
    run.finish()
    table = progress.history.table()
    metrics = progress.metrics(table)
    update = {"metrics": metrics, "ancestor": origin, **state.provenance}
    weights = {name: tensor.detach().cpu().clone() for name, tensor in learner.delivered.state_dict().items()}
    model = TrainedModel(weights, description.model_copy(update=update))
    return Fitted(model, table, training_curves(table, learner.panels), progress.layers(), metrics)


@dataclass
class _Progress:
    """A training from its first stage, or from where it stopped, to its end."""

    learner: Learner
    data: Data
    training: Training
    seed: int
    run: TrainingRun
    stages: list[Stage]
    fingerprint: str
    clocks: list[Clock] = field(default_factory=list)
    history: History = field(init=False)

    def __post_init__(self) -> None:
        self.history = History(self.run.history)

    def go_on(self) -> None:
        """Train what has not been trained."""
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        if self.training.compile:
            self.learner.delivered.compile()
        for number, stage in enumerate(self.stages):
            self.learner.begin(stage)
            self._train(number, stage)
            self.history.offset += stage.steps or 0
            self.history.stage += 1

    def metrics(self, history: pd.DataFrame) -> dict[str, float]:
        """Sum up the clocks, and take the last validation's metrics."""
        seconds = sum(clock.seconds for clock in self.clocks)
        if not self.clocks:
            return {"train_seconds": seconds}
        rates = [
            stage.batch_size / seconds
            for stage, clock in zip(self.stages, self.clocks, strict=True)
            for seconds in clock.step_seconds
        ]
        in_steps = sum(sum(clock.step_seconds) for clock in self.clocks)
        return {
            "train_seconds": seconds,
            "images_per_second": median(rates),
            "data_wait_share": sum(clock.batches.seconds_waited for clock in self.clocks) / in_steps,
            "peak_memory_mb": max(clock.peak_memory_mb for clock in self.clocks),
            **self._watched(history),
        }

    def _watched(self, history: pd.DataFrame) -> dict[str, float]:
        """Find what the validation has measured of the delivered weights: the last's metrics, or the best's."""
        rows = history[history["stage"] == history["stage"].max()].filter(like="valid_").dropna(how="all").ffill()
        if rows.empty:
            return {}
        best, place = self.learner.best, -1
        if best and best.metric in rows:
            place = int(rows[best.metric].argmax() if best.largest else rows[best.metric].argmin())
        return {str(name): float(value) for name, value in rows.iloc[place].items()}

    def layers(self) -> pd.DataFrame:
        """Make the table of layers, as they are in the first stage."""
        for stage in self.stages[:1]:
            self.learner.begin(stage)
        return layer_table(self.learner, self.learner.example() if self.stages else None)

    def _train(self, number: int, stage: Stage) -> None:
        """Train one stage, or take it from its checkpoint."""
        clock, done = self._clock(number), self._read(number)
        if done and self.history.rows < done.callbacks.saver.rows:
            known = self.history.rows, done.callbacks.saver.rows
            log.warning("%s has %s of %s lines: the others stay out of the curves", self.history.file, *known)
        if done is None or not done.callbacks.saver.ended:
            if done:
                log.info("going on at step %s of %s", done.callbacks.clock.position, stage.steps)
            elif number == 0:
                self._begin(clock.batches)
            self._fit(clock, number, going_on=done is not None)
            done = self._read(number)
        assert done is not None
        # From the file also where this process has trained: of several that do it together, none has to be this one.
        self.learner.load_state_dict(done.state_dict)
        clock.load_state_dict(done.callbacks.clock.model_dump())
        self.clocks.append(clock)

    def _clock(self, number: int) -> Clock:
        return Clock(Batches(self.data, self.stages[number], self.seed + number))

    def _read(self, number: int) -> Checkpoint | None:
        """Read a stage's checkpoint; None where there is none that can be gone on with."""
        done = self.run.read_checkpoint(number)
        if done is None:
            return None
        if _shapes(done.state_dict) != _shapes(self.learner.state_dict()):
            why = f"{self.run.name}: the network has other layers now"
        elif done.callbacks.saver.ended:
            return done
        else:
            clock = self._clock(number)
            misfit = find_misfit(done, self.learner, self._callbacks(clock, number), clock.batches)
            if not misfit:
                return done
            why = f"{self.run.checkpoint(number)} cannot be gone on with ({misfit} is not as expected)"
        log.warning("%s: stage %s starts from its beginning", why, number)
        return None

    def _begin(self, batches: Batches) -> None:
        """Show a batch of the first stage, and look for a learning rate where that is asked for."""
        if picture := self.data.draw(batches.source[0]):
            log_file(self.run.show(picture, "batch"), SNAPSHOTS)
        if self.training.lr_find:
            curve, rate = find_learning_rate(self.learner, self.data, self.training, self.stages[0], self.run)
            log_file(self.run.show(curve, "lr_find"), SNAPSHOTS)
            log.info("a learning rate of %s is suggested (lr_find.png)", f"{rate:.1e}" if rate else "no size")
            self.learner.begin(self.stages[0])
        pl.seed_everything(self.seed, workers=True, verbose=False)

    def _callbacks(self, clock: Clock, number: int) -> list[Callback]:
        parameters = sum(parameter.numel() for parameter in self.learner.parameters())
        seconds = CHECKPOINT_EVERY + CHECKPOINT_EVERY_MILLION * (parameters // 10**6)
        return [
            clock.batches.interrupts,
            clock,
            Bar(self.run.name, self.learner.bar, clock.batches),
            Film(self.run, clock.batches, self.history.offset),
            Delivery(self.training.ema, self.learner.best),
            Saver(self.run.checkpoint(number), seconds, clock.batches, self.fingerprint),
        ]

    def _fit(self, clock: Clock, number: int, *, going_on: bool) -> None:
        """Train a stage from its beginning or its checkpoint to its end, which the checkpoint then holds."""
        file = self.run.checkpoint(number)
        callbacks = self._callbacks(clock, number)
        trainer = make_trainer(
            self.training,
            len(clock.batches),
            callbacks,
            self.history,
            file.parent,
            self.training.devices,
            validates_first=self.learner.validates_first,
        )
        # Of several processes that train, this one is none: it waits for them.
        held_back = clock.batches.interrupts.held_back() if self.training.devices == 1 else nullcontext()
        with tidied(trainer), held_back:
            trainer.fit(
                self.learner,
                clock.batches,
                self.data.validation(),
                ckpt_path=file if going_on else None,
                weights_only=True,
            )


def find_learning_rate(
    learner: Learner, data: Data, training: Training, stage: Stage, run: TrainingRun
) -> tuple[Image.Image, float | None]:
    """Measure the loss while the learning rate rises (Smith 2015, LR range test); the weights stay as they are.

    Args:
        learner: With one optimizer.
        data: Its batches are trained on.
        training: What holds for all stages.
        stage: Its loss and its freezing count.
        run: For files that are removed again.

    Returns:
        Lightning's plot of the loss against the rate, and its suggestion; None where it has none.

    Raises:
        UserError: If the learner has several optimizers.
    """
    from lightning.pytorch.tuner.tuning import Tuner

    if not learner.automatic_optimization:
        raise UserError(
            f"training.lr_find: {run.name} is trained by several optimizers, and the finder knows one learning rate. "
            "Leave it out."
        )
    stage = stage.model_copy(update={"schedule": "constant", "steps": RATES_TRIED})
    learner.begin(stage)
    kept = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    trainer = make_trainer(training, RATES_TRIED, callbacks=[], logger=False, root=run.checkpoints)
    # The finder has a bar of its own, which cannot be turned off.
    with tidied(trainer), redirect_stderr(StringIO()):
        finder = Tuner(trainer).lr_find(
            learner, Batches(data, stage, seed=0), min_lr=1e-5, max_lr=1.0, num_training=RATES_TRIED, update_attr=False
        )
    learner.load_state_dict(kept)
    assert finder is not None
    file, plot = BytesIO(), finder.plot(suggest=True)
    assert plot is not None
    plot.savefig(file, format="png")
    return Image.open(file).convert("RGB"), finder.suggestion()


def _start_from(ancestor: TrainedModel, learner: Learner, description: AnyDescription, name: str) -> None:
    """Give the network an ancestor's weights, and say where that has learned something else."""
    theirs, mine = ancestor.description, description
    if different := compare_networks(mine.network, theirs.network):
        raise UserError(
            f"{name}: the weights to start from belong to another network ({different}). Train that network, or start "
            "from other weights."
        )
    if _shapes(learner.delivered.state_dict()) != _shapes(ancestor.state):
        raise UserError(
            f"{name}: the weights to start from have other layers than the network {mine.model} of this version."
        )
    learner.delivered.load_state_dict(ancestor.state)
    special = set(type(mine).model_fields) - set(Description.model_fields)
    changed = sorted(field for field in special if getattr(theirs, field) != getattr(mine, field))
    if changed:
        log.info("%s starts from a model with other %s", name, " and ".join(changed))
    log_tags({"ancestor": theirs.run_id or ancestor.fingerprint, "ancestor.differs_in": ", ".join(changed)})


def _shapes(state: Mapping[str, Any]) -> dict[str, list[int] | None]:
    """Give the shape of each entry of a state; what is no tensor has none."""
    return {name: list(value.shape) if isinstance(value, torch.Tensor) else None for name, value in state.items()}


def _fingerprint(
    learner: Learner, data: Data, training: Training, seed: int, description: AnyDescription, ancestor: Ancestor | None
) -> str:
    """Hash all that the result depends on: content of the data, parameters, weights to start from, the network."""
    what = description.model_dump(mode="json", exclude={"data", "metrics"})
    # Of all that learns, not of what is delivered alone; the classes, because two may have the same weights.
    classes = {name: type(module).__qualname__ for name, module in learner.named_modules()}
    buffers = {name: list(buffer.shape) for name, buffer in learner.named_buffers()}
    network = [_shapes(learner.state_dict()), classes, buffers]
    parameters = training.model_dump(mode="json", exclude={"lr_find"})
    values = [data.fingerprint, parameters, seed, what, ancestor and ancestor.fingerprint, network]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
