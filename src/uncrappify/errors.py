"""The one exception that is meant for the person at the keyboard, and what has led to any."""

from collections.abc import Iterator

from pydantic import ValidationError


class UserError(Exception):
    """A mistake that the user can mend: the message says what is wrong, where, and what to do.

    The command line prints the message alone and exits with code 1; ``--verbose`` adds the traceback.
    """


class DivergedError(UserError):
    """A training's loss is no number any more, and neither are its weights: there is nothing to go on with."""


def find_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what has led to it, the last first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def tell_mistake(error: ValidationError) -> str:
    """Say where the first mistake in a file's values is, and what is wrong; no person wrote them, so one will do."""
    first = error.errors(include_url=False, include_input=False)[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
