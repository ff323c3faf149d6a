"""The one exception that is meant for the person at the keyboard, and what has led to any."""

from collections.abc import Iterator


class UserError(Exception):
    """A mistake that the user can mend: the message says what is wrong, where, and what to do.

    The command line prints the message alone and exits with code 1; ``--verbose`` adds the traceback.
    """


def find_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what has led to it, the last first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
