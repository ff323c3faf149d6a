"""Sending a run to an MLflow server while it goes on, and when it ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable

from requests import RequestException

from uncrappify.errors import UserError
from uncrappify.tracking.run_copy import Deleted, Refused, RunCopy
from uncrappify.tracking.server import in_short

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 10.0
"""How long a running training gathers what it sends."""

PATIENCE = 5.0
"""Seconds that the end of a run goes on trying while a server takes nothing."""


class Sender:
    """Sends a run while it goes on, from a thread that no training ever waits for.

    Args:
        copy: The run.
        older: Runs that a server which was away has not taken yet; they go after it.
        afterwards: The command that sends what is left when the run has ended.
        away: Whether it is known, and said, that the server is away.
    """

    def __init__(self, copy: RunCopy, older: Iterable[RunCopy], afterwards: str, *, away: bool) -> None:
        self.copy = copy
        self.afterwards = afterwards
        self._older = list(older)
        self._away = away
        self._refusal_said = False
        self._deleted = False
        self._failing_since: float | None = None
        self._failures = 0
        self._ended, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="uncrappify-sender", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Send what there is now, and not with what comes in the next seconds."""
        self._wake.set()

    def finish(self) -> None:
        """Send the rest of a run that has ended in the store, or say how it is sent later.

        Waits as long as the server takes what it gets, and no longer than ``PATIENCE`` and one request when it does
        not.

        Raises:
            KeyboardInterrupt: Ctrl-C ends the waiting; what is left is sent later.
        """
        self._failing_since = None
        self._ended.set()
        self._wake.set()
        self._thread.join(2)
        if self._thread.is_alive() and not self._away:
            log.info("sending the rest to %s", self.copy.sent.server)
        try:
            while self._thread.is_alive() and not self._hopeless:
                self._thread.join(0.1)
        finally:
            self._say_end()

    @property
    def _hopeless(self) -> bool:
        since = self._failing_since
        return since is not None and time.monotonic() - since > PATIENCE

    def _work(self) -> None:
        with self.copy.alone(patient=True):
            while not self._attempt(ended=self._ended.is_set()):
                pass

    def _attempt(self, *, ended: bool) -> bool:
        """Send what there is, and wait until there may be more; say whether nothing is left to do."""
        try:
            if not ended:
                self.copy.begin()
            self.copy.send(ended=ended)
        except Deleted as error:
            log.warning("this run on %s: %s", self.copy.sent.server, error)
            self._deleted = True
            return True
        except Refused as error:
            self._say_back()
            if not self._refusal_said:
                log.warning("%s does not take a file (%s); the run goes on", self.copy.sent.server, error)
            self._refusal_said = True
        except Exception as error:
            self._say_away(error)
            self._failures += 1
            # The longer it is away, the less it is asked for: asking takes time from the training.
            self._wait(min(SECONDS_BETWEEN, 2**self._failures)) if not ended else time.sleep(1)
            return False
        else:
            self._say_back()
        self._send_older()
        if not ended:
            self._wait(SECONDS_BETWEEN)
        return ended

    def _wait(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _send_older(self) -> None:
        """Send one run of those that are waiting; one that the server refuses does not hold up the others."""
        if self._older:
            older = self._older.pop(0)
            try:
                older.send(ended=True)
                log.info("sent what was left of run %s: %s", older.run_id, older.sent.page)
            except Exception as error:
                log.info("run %s is not sent now: %s", older.run_id, in_short(error))

    def _say_away(self, error: Exception) -> None:
        self._failing_since = self._failing_since or time.monotonic()
        if not self._away:
            here = isinstance(error, UserError | OSError) and not isinstance(error, RequestException)
            who = "this machine" if here else self.copy.sent.server
            log.warning(
                "%s does not take what is logged (%s); the run goes on, and it is sent when that is over",
                who,
                in_short(error),
            )
        self._away = True

    def _say_back(self) -> None:
        self._failing_since, self._failures = None, 0
        if self._away:
            log.info("%s is back", self.copy.sent.server)
        self._away = False

    def _say_end(self) -> None:
        if self._deleted:
            return
        if self.copy.sent.complete:
            log.info("on the server: %s", self.copy.sent.page)
        else:
            log.warning(
                "%s has not taken %s of this run. Nothing is lost; later, this sends it:  %s",
                self.copy.sent.server,
                "all" if self.copy.sent.run_id else "anything",
                self.afterwards,
            )
