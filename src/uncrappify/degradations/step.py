"""A degradation step: options that are numbers or ranges, a random draw for each picture, a pure function on pixels."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Draw = int | float | str | bool
Number = TypeVar("Number", bound=float)

STEPS: dict[str, type["Step"]] = {}
"""Every known step by its name in a recipe; subclassing `Step` fills it."""


class Range(NamedTuple, Generic[Number]):
    """The closed interval from ``low`` to ``high``; for a single number, both are equal."""

    low: Number
    high: Number

    def draw(self, random: np.random.Generator) -> int | float:
        """Draw from the uniform distribution; an ``int`` if ``low`` and ``high`` are of type ``int``."""
        if isinstance(self.low, int):
            return int(random.integers(self.low, int(self.high), endpoint=True))
        return float(random.uniform(self.low, self.high))


@dataclass(frozen=True)
class Within:
    """The values that a `Range` field accepts: ``quality: Annotated[Range[int], Within(1, 100)]``.

    In YAML the field is a number (``quality: 60``) or two (``quality: [10, 70]``), each from ``low`` to ``high``.
    """

    low: float
    high: float

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept a number or a pair of numbers, and serialise it in the same form."""
        (kind,) = get_args(source)
        if kind is int:
            number: CoreSchema = core_schema.int_schema(ge=int(self.low), le=int(self.high))
        else:
            number = core_schema.float_schema(ge=self.low, le=self.high)
        return core_schema.no_info_plain_validator_function(
            lambda value: self._parse(value, kind),
            serialization=core_schema.plain_serializer_function_ser_schema(_serialise),
            json_schema_input_schema=core_schema.union_schema(
                [number, core_schema.list_schema(number, min_length=2, max_length=2)]
            ),
        )

    def _parse(self, value: object, kind: type) -> "Range[Any]":
        pair = value if isinstance(value, list | tuple) else (value, value)
        if len(pair) != 2 or not all(self._accepts(end, kind) for end in pair):
            noun = "a whole number" if kind is int else "a number"
            message = f"should be {noun} from {self.low:g} to {self.high:g}, or two of them as [lowest, highest]"
            raise PydanticCustomError("range", message)
        low, high = (kind(end) for end in pair)
        if low > high:
            raise PydanticCustomError(
                "range_order",
                "should be [lowest, highest], but {low} is above {high}",
                {"low": pair[0], "high": pair[1]},
            )
        return Range(low, high)

    def _accepts(self, end: object, kind: type) -> bool:
        # A bool is an int to Python, but `quality: true` is a mistake.
        if isinstance(end, bool) or not isinstance(end, int | float):
            return False
        return self.low <= end <= self.high and (kind is float or end == int(end))


def _serialise(value: Range[Any]) -> int | float | list[int | float]:
    # A whole float loses its point, so that `factor: 3` and `factor: 3.0` are one recipe with one fingerprint.
    low, high = (int(end) if end == int(end) else end for end in (value.low, value.high))
    return low if low == high else [low, high]


class Step(BaseModel, ABC):
    """One kind of damage. A subclass sets ``name``, declares its options and writes ``apply``.

    Options of type `Range` are drawn anew for each picture and handed to ``apply`` by name. A step whose pixels are
    random beyond that sets ``uses_random`` and is handed ``random`` too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: ClassVar[str]
    uses_random: ClassVar[bool] = False
    probability: float = Field(1.0, ge=0, le=1, description="Share of the pictures that this step touches, 0 to 1.")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the step by its name.

        Raises:
            ValueError: Another class has that name.
        """
        taken = STEPS.get(cls.name)
        # The same class may be registered again when its module is reloaded, as in notebooks.
        if taken is not None and (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
            msg = f'{cls.__qualname__}: the step name "{cls.name}" belongs to {taken.__module__}.{taken.__qualname__}'
            raise ValueError(msg)
        STEPS[cls.name] = cls

    def draw(self, random: np.random.Generator) -> dict[str, Draw]:
        """Draw a value for every range, and ``applied`` when ``probability`` is below 1.

        A step that is not applied draws as well, so that the table of draws has no missing values.
        """
        # Drawn even when it is not used, so that changing the probability does not change the other values.
        applied = bool(random.random() < self.probability)
        options = {field: getattr(self, field) for field in type(self).model_fields}
        draws: dict[str, Draw] = {} if self.probability == 1 else {"applied": applied}
        return draws | {field: option.draw(random) for field, option in options.items() if isinstance(option, Range)}

    def derive(self, draws: Mapping[str, Draw]) -> dict[str, Draw]:
        """Compute arguments of ``apply`` from the draws of the whole recipe; none by default.

        Args:
            draws: Draws of all steps, as in ``{"jpeg.quality": 43}``.

        Returns:
            Name of the argument to its value.

        Raises:
            ValueError: The options refer to a draw that does not exist.
        """
        return {}

    def mark(self, writing: NDArray[np.bool_], *args: Any, **drawn: Any) -> NDArray[np.bool_]:
        """Say where writing is after this step; where it was, by default, as for every step that moves no pixel.

        Args:
            writing: (H, W), of the picture that ``apply`` takes.
            args: None; it lets subclasses name their drawn values.
            drawn: What ``apply`` gets.

        Returns:
            (H, W), of the picture that ``apply`` returns.
        """
        return writing

    @abstractmethod
    def apply(self, picture: Image.Image, *args: Any, **drawn: Any) -> Image.Image:
        """Return the damaged picture; ``picture`` itself is never changed.

        Args:
            picture: 8-bit RGB.
            args: None; it lets subclasses name their drawn values: ``def apply(self, picture, quality)``.
            drawn: Values of ``draw`` and ``derive`` by name, and ``random``, seeded by picture and step, for a step
                that sets ``uses_random``.

        Returns:
            8-bit RGB, of the same size or smaller.
        """
