"""The folder of a training: what must outlive a killed process cannot wait for the end of its node."""

from __future__ import annotations

import base64
import logging
import shutil
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview
from PIL import Image
from pydantic import BaseModel

from uncrappify.datasets.checkpoint import Checkpoint, read_checkpoint
from uncrappify.errors import UserError
from uncrappify.pictures import write_picture
from uncrappify.state import BrokenStateError, recover_state, write_state

log = logging.getLogger(__name__)

FILM = "film"


class TrainingState(BaseModel):
    """What is noted of a training in its folder.

    Attributes:
        fingerprint: Of all that the result depends on.
        finished: Whether its last stage has ended.
        provenance: Version, commit and MLflow run that it was trained by.
    """

    fingerprint: str = ""
    finished: bool = False
    provenance: dict[str, str] = {}


class TrainingRun:
    """A handle on the folder of one model's training.

    Args:
        folder: For checkpoints and history, of this model alone; made when it is first written to.
        snapshots: For pictures of the training.
    """

    def __init__(self, folder: Path, snapshots: Path) -> None:
        self.folder = folder
        self.snapshots = snapshots

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.folder.name

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints and the history."""
        return self.folder / "checkpoints"

    @property
    def history(self) -> Path:
        """The file that everything measured is appended to."""
        return self.checkpoints / "history.jsonl"

    def checkpoint(self, stage: int) -> Path:
        """Give the file of a stage's checkpoint."""
        return self.checkpoints / f"stage{stage}.ckpt"

    def read_checkpoint(self, stage: int) -> Checkpoint | None:
        """Read a stage's checkpoint.

        There is no older one to take in its place: each would cost the room of another, and the end of the stage
        before is the next one anyway.

        Returns:
            The checkpoint; None where there is none of this training, or a broken one, which is said and removed.
        """
        file = self.checkpoint(stage)
        if not file.exists():
            return None
        try:
            found = read_checkpoint(file)
            if found.fingerprint in ("", self.state.fingerprint):
                return found
            reason = f"{file} belongs to another training"
        except BrokenStateError as broken:
            reason = str(broken)
        log.warning("%s: stage %s starts from its beginning", reason, stage)
        file.unlink()
        return None

    @property
    def state(self) -> TrainingState:
        """What is noted; where the note cannot be read, what the checkpoints say."""
        return recover_state(self._note, TrainingState, self._told_by_checkpoints, "the checkpoints say whose they are")

    def claim(self, fingerprint: str, stages: int, provenance: dict[str, str]) -> TrainingState:
        """Take the folder for a training; what another one has left there is removed.

        Args:
            fingerprint: Of all that the result depends on.
            stages: How many stages it has; one whose checkpoints are not all there has not ended.
            provenance: Version, commit and MLflow run that go on with it, unless it has ended before.

        Returns:
            What is noted of the training, before now and by this call.

        Raises:
            UserError: If something else is in the folder's place.
        """
        self._check_room()
        state = self.state
        if state.fingerprint != fingerprint:
            if any(self.checkpoints.glob("stage*.ckpt")):
                log.info(
                    "%s: trained before with other data, parameters or code of the network; the training starts anew",
                    self.name,
                )
            for folder in (self.checkpoints, self.snapshots):
                shutil.rmtree(folder, ignore_errors=True)
            state = TrainingState(fingerprint=fingerprint)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        for left in filter(Path.is_file, self.checkpoints.glob(".*")):
            # What a killed process was writing.
            left.unlink()
        if not (state.finished and all(self.checkpoint(stage).is_file() for stage in range(stages))):
            state = TrainingState(fingerprint=fingerprint, provenance=provenance)
            write_state(self._note, state)
        return state

    def finish(self) -> None:
        """Note that the training has come to its end."""
        write_state(self._note, self.state.model_copy(update={"finished": True}))

    def show(self, picture: Image.Image, name: str) -> Path:
        """Write a picture of the training.

        Args:
            picture: The picture.
            name: Of the file, without suffix.

        Returns:
            The file.
        """
        file = self.snapshots / f"{name}.png"
        write_picture(picture, file)
        return file

    def keep_frame(self, picture: Image.Image, step: int) -> None:
        """Write a picture of the film of the training."""
        write_picture(picture, self.snapshots / FILM / f"{step:08d}.png")

    @property
    def film(self) -> list[Path]:
        """The pictures of the film, in the order of their steps."""
        return sorted((self.snapshots / FILM).glob("*.png"))

    @property
    def _note(self) -> Path:
        return self.folder / "training.json"

    def _told_by_checkpoints(self) -> TrainingState:
        for file in sorted(self.checkpoints.glob("stage*.ckpt")):
            try:
                return TrainingState(fingerprint=read_checkpoint(file).fingerprint)
            except BrokenStateError:
                continue
        return TrainingState()

    def _check_room(self) -> None:
        if self.checkpoints.exists() and not self.checkpoints.is_dir():
            raise UserError(
                f"{self.checkpoints}: a file lies where a training has a folder. Move it away and run again."
            )
        for file in (self._note, self.history, *self.checkpoints.glob("stage*.ckpt")):
            if file.is_dir():
                raise UserError(f"{file}: a folder lies where a training has a file. Move it away and run again.")

    def __repr__(self) -> str:
        return f"TrainingRun({self.folder})"


class TrainingFolder(AbstractDataset[NoReturn, TrainingRun]):
    """Hands out a model's training: checkpoints, history, pictures.

    Args:
        path: Folder of the model.
        snapshots: Folder for pictures of the training.
        metadata: For kedro-viz.
    """

    def __init__(self, *, path: str, snapshots: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self._snapshots = Path(snapshots)
        self.metadata = metadata

    def load(self) -> TrainingRun:
        """Give the handle."""
        return TrainingRun(self._path, self._snapshots)

    def save(self, data: NoReturn) -> None:
        """Refuse: a training writes into the folder itself."""
        raise DatasetError(f"{self} is an input only")

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "snapshots": str(self._snapshots)}

    def preview(self) -> ImagePreview:
        """Show the first picture of the training, if there is one."""
        pictures = sorted(self._snapshots.glob("*.png"))
        return ImagePreview(base64.b64encode(pictures[0].read_bytes()).decode() if pictures else "")
