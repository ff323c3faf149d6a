"""What a server has acknowledged of a run, in a file: read with suspicion, and whole or not at all."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from uncrappify.state import BrokenStateError, read_state, write_state

log = logging.getLogger(__name__)

Signature = tuple[int, int]
"""Size of a file in bytes, and time of its last change in nanoseconds."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,250}$")]
"""Of something on a server, as it stands in addresses."""

_said: set[Path] = set()
# The notes that were said to be broken.


class Sent(BaseModel):
    """What a server has acknowledged of a run; a file.

    Attributes:
        server: Its address, without a password; empty where that is not known any more.
        experiment_id: The experiment's id there.
        run_id: The run's id there; ``None`` until it has begun there.
        files: Path below the run's artifacts, or below ``models/<id>`` of a logged model, to size and time of what was
            sent.
        models: Id of a logged model here to its id there.
        complete: Whether nothing is left to send.
        checksum: Of all that; without one in the notes of earlier versions.
    """

    model_config = ConfigDict(extra="forbid")

    server: str
    experiment_id: Identifier | None = None
    run_id: Identifier | None = None
    files: dict[str, Signature] = {}
    models: dict[str, Identifier] = {}
    complete: bool = False
    checksum: str | None = None

    @property
    def page(self) -> str:
        """Where the run is shown."""
        return f"{self.server}/#/experiments/{self.experiment_id}/runs/{self.run_id}"

    def compute_checksum(self) -> str:
        """Hash all but the checksum."""
        return hashlib.sha256(self.model_dump_json(exclude={"checksum"}).encode()).hexdigest()


def read_note(file: Path) -> Sent | None:
    """Read what is noted of a run; ``None`` where nothing is, and a note of no server where it is broken.

    Args:
        file: The note, named after the run.
    """
    if not file.exists():
        return None
    try:
        noted = read_state(file, Sent, "")
        if noted.checksum not in (None, noted.compute_checksum()):
            raise BrokenStateError(f"{file}: is damaged")
    except BrokenStateError as broken:
        # It is read again and again while the run is sent.
        if file not in _said:
            log.warning("%s: the run is sent again, and is there once", str(broken).rstrip(". "))
        _said.add(file)
        return Sent(server="")
    return noted


def write_note(file: Path, sent: Sent) -> None:
    """Write what is noted of a run.

    Args:
        file: The note; a folder in its place is put aside.
        sent: What is noted.
    """
    if file.is_dir() and not file.is_symlink():
        file.rename(file.with_suffix(".folder"))
    write_state(file, sent.model_copy(update={"checksum": sent.compute_checksum()}))


def incomplete(folder: Path) -> Iterator[tuple[Path, Sent]]:
    """Find the notes of runs of which something is left to send.

    Args:
        folder: With the notes.

    Yields:
        A note's file, and what it says.
    """
    for file in sorted(folder.glob("[!.]*.json")):
        noted = read_note(file)
        if noted and not noted.complete:
            yield file, noted
