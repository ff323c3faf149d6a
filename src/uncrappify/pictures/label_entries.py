"""What may be said in the labels: names of classes, values and colours, each mistake told in a sentence."""

from collections.abc import Callable
from typing import Annotated, Any
from unicodedata import category

from PIL import ImageColor
from pydantic import Field, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from uncrappify.parameters.messages import format_value

LARGEST = 65535
"""Of the values of a mask, and of a colour's channel."""


def show_entry(entry: int | tuple[int, ...]) -> str:
    """Write a value or a colour as it stands in the YAML file."""
    return str(list(entry) if isinstance(entry, tuple) else entry)


def _told_by(explain: Callable[[Any], str], *, written: bool = False) -> WrapValidator:
    """Give a validator that says what is wrong; ``written``: a number is taken for the text that it was written as."""

    def check(given: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            # Else true would pass for 1.
            return validate(None if isinstance(given, bool) else given)
        except ValidationError as error:
            kind = "string_type" if written and type(given) in (int, float) else "mistake"
            raise PydanticCustomError(kind, "{message}", {"message": explain(given)}) from error

    return WrapValidator(check)


def _explain_class(given: Any) -> str:
    shown = format_value(given)
    if isinstance(given, bool):
        words, word = ("yes, on and true", "yes") if given else ("no, off and false", "no")
        return f'without quotes, {words} are not text but {shown} in YAML. Write a class\'s name in quotes: "{word}".'
    if given is None:
        return 'there is no name, or null without quotes. Write the name of the class, in quotes if it is "null".'
    if isinstance(given, list | dict):
        return f"expected the name of a class, got {shown}."
    if not isinstance(given, str):
        return f'{shown} is no text in YAML. Write a class\'s name in quotes: "{shown}".'
    wrong = sorted({sign for sign in given if not (sign.isalnum() or sign in " ._-" or category(sign)[0] == "M")})
    found = f"has {' '.join(map(format_value, wrong))}" if wrong else "does not"
    return (
        'the name of a class consists of letters, digits, spaces, "_", "-" and ".", and begins with a letter, a digit '
        f'or "_"; {shown} {found}.'
    )


def _explain_colour(given: Any) -> str:
    if isinstance(given, str):
        try:
            red, green, blue = ImageColor.getrgb(given)[:3]
        except ValueError:
            return f"expected a colour as [red, green, blue], got {format_value(given)}."
        return f"write {format_value(given)} as [{red}, {green}, {blue}]."
    if isinstance(given, int):
        return f"expected a colour; write the value {given} as [{given}, {given}, {given}]."
    hint = " (in YAML, a # begins a comment)" if given is None else ""
    return f"expected a colour as [red, green, blue], whole numbers from 0, got {format_value(given)}{hint}."


def _explain_void(given: Any) -> str:
    if isinstance(given, str):
        return _explain_colour(given)
    return (
        f"expected a value, a whole number from 0 to {LARGEST}, or a colour, [red, green, blue], got "
        f"{format_value(given)}."
    )


ClassName = Annotated[str, Field(pattern=r"^\w[\w .-]*$"), _told_by(_explain_class, written=True)]
Value = Annotated[int, Field(ge=0, le=LARGEST)]
Colour = tuple[int, int, int]
StoredColour = Annotated[tuple[Value, Value, Value], _told_by(_explain_colour)]
VoidEntry = Annotated[Value | tuple[Value, Value, Value], _told_by(_explain_void)]
