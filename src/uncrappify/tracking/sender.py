"""Sending runs to an MLflow server while they go on, and when they end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress

from requests import RequestException

from uncrappify.errors import UserError
from uncrappify.tracking.artifacts import Refused
from uncrappify.tracking.run_copy import BeingSent, Deleted, NotYet, RunCopy
from uncrappify.tracking.server import in_short

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 10.0
"""How long a running training gathers what it sends, at least."""

REST = 20.0
"""How many times as long as it has worked the thread rests, at least: reading the metrics of hours takes seconds, which
are so never more than five per cent of a core."""

PATIENCE = 5.0
"""Seconds that the end of a run goes on trying while a server takes nothing."""

LONGEST = 600.0
"""Seconds that the end of a run waits at most, however much there is to send and however slowly it is taken."""


class Sender:
    """Sends the runs of a command while they go on, from a thread that no training ever waits for.

    Args:
        copy: The pipeline's run.
        older: Runs that a server which was away has not taken yet; they go after it.
        afterwards: The command that sends what is left when the run has ended.
        away: Whether it is known, and said, that the server is away.
    """

    def __init__(self, copy: RunCopy, older: Iterable[RunCopy], afterwards: str, *, away: bool) -> None:
        self.copy = copy
        self.afterwards = afterwards
        self._runs: list[RunCopy] = []
        self._locked: set[RunCopy] = set()
        self._locks = ExitStack()
        self._older = list(older)
        self._away = away
        self._said: set[str] = set()
        self._failing_since: float | None = None
        self._failures = 0
        self._ended, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="uncrappify-sender", daemon=True)
        self.follow(copy)
        self._thread.start()

    def follow(self, copy: RunCopy) -> None:
        """Send one more run while it goes on, if it is not one of these; parents come before their children.

        Args:
            copy: The run.
        """
        if any(followed.run_id == copy.run_id for followed in self._runs):
            return
        # Noted at once: `uncrappify sync` finds it, even if this process is killed before it sends anything of it.
        with suppress(BeingSent, UserError, OSError), copy.alone():
            copy.begin()
        self._runs.append(copy)
        self._wake.set()

    def hurry(self) -> None:
        """Send what there is now, and not with what comes in the next seconds."""
        self._wake.set()

    def finish(self) -> None:
        """Send the rest of runs that have ended in the store, or say how it is sent later.

        Waits as long as the server takes what it gets, for ``LONGEST`` at most, and no longer than ``PATIENCE`` and
        one request when it does not.

        Raises:
            KeyboardInterrupt: Ctrl-C ends the waiting; what is left is sent later.
        """
        self._failing_since = None
        self._ended.set()
        self._wake.set()
        self._thread.join(2)
        if self._thread.is_alive() and not self._away:
            log.info("sending the rest to %s", self.copy.sent.server)
        until = time.monotonic() + LONGEST
        try:
            while self._thread.is_alive() and not self._hopeless and time.monotonic() < until:
                self._thread.join(0.1)
        finally:
            self._say_end()

    @property
    def _hopeless(self) -> bool:
        since = self._failing_since
        return since is not None and time.monotonic() - since > PATIENCE

    def _work(self) -> None:
        with self._locks:
            while not self._round():
                pass

    def _round(self) -> bool:
        """Send what there is of all runs, and wait until there may be more; say whether nothing is left to do."""
        # Asked first: what is logged or followed meanwhile comes with the next round.
        self._wake.clear()
        ended = self._ended.is_set()
        # Work alone counts: waiting for a slow server, or until it has a large file, costs the training nothing.
        before = time.thread_time()
        # All are tried: the server may take one run and not another.
        answered = [self._send(copy) for copy in list(self._runs)]
        if all(answered):
            self._say_back()
            self._send_older()
            if ended:
                return True
            pause = SECONDS_BETWEEN
        else:
            self._failures += 1
            # The longer it is away, the less it is asked for: asking takes time from the training.
            pause = min(SECONDS_BETWEEN, 2**self._failures)
        self._wake.wait(1 if ended else max(pause, REST * (time.thread_time() - before)))
        return False

    def _send(self, copy: RunCopy) -> bool:
        """Send what there is of a run; say whether the server answers and this machine works."""
        try:
            if copy not in self._locked:
                self._locks.enter_context(copy.alone(patient=True))
                copy.begin()
                self._locked.add(copy)
            copy.send()
        except NotYet as finding:
            log.debug("run %s: %s", copy.run_id, finding)
        except Deleted as finding:
            self._warn_once("this run on %s: %s", copy.sent.server, finding)
            self._runs.remove(copy)
        except Refused as answer:
            self._warn_once("%s does not take a file (%s); the run goes on", copy.sent.server, answer)
        except Exception as error:
            self._say_away(error)
            return False
        return True

    def _send_older(self) -> None:
        """Send one run of those that are waiting; one that the server refuses does not hold up the others."""
        followed = {copy.run_id for copy in self._runs}
        self._older = [older for older in self._older if older.run_id not in followed]
        if self._older:
            older = self._older.pop(0)
            try:
                older.send()
                log.info("sent what was left of run %s: %s", older.run_id, older.sent.page)
            except Exception as error:
                log.info("run %s is not sent now: %s", older.run_id, in_short(error))

    def _warn_once(self, message: str, *arguments: object) -> None:
        if message not in self._said:
            log.warning(message, *arguments)
        self._said.add(message)

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
        if not all(copy.sent.complete for copy in self._runs):
            log.warning(
                "%s has not taken %s of this run. Nothing is lost; later, this sends it:  %s",
                self.copy.sent.server,
                "all" if self.copy.sent.run_id else "anything",
                self.afterwards,
            )
        elif self.copy in self._runs:
            log.info("on the server: %s", self.copy.sent.page)
