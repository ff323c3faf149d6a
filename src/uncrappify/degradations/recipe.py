"""The recipe: which steps happen to a picture, in order, drawn anew for each picture by its name."""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import (
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    RootModel,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from uncrappify.degradations.resize import Resize, crop_to_multiple
from uncrappify.degradations.step import STEPS, Draw, Step
from uncrappify.degradations.text import Text
from uncrappify.parameters.messages import nearest


class _OneKeyDict:
    """A step as YAML has it, ``{jpeg: {quality: 60}}``; the steps are looked up late, so that users' steps count."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _parse_step, serialization=core_schema.plain_serializer_function_ser_schema(_plain_step)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [_step_schema(name, handler(STEPS[name].__pydantic_core_schema__)) for name in sorted(STEPS)]}


def _parse_step(entry: object) -> Step:
    if isinstance(entry, Step):
        return entry
    if not isinstance(entry, dict) or len(entry) != 1:
        raise PydanticCustomError(
            "recipe_step", "a step is one name with its options, as in - jpeg: {form}", {"form": "{quality: 60}"}
        )
    ((name, options),) = entry.items()
    if name not in STEPS:
        raise PydanticCustomError("unknown_step", "{text}", {"text": nearest("step", name, sorted(STEPS))})
    # Validated as a dictionary because Pydantic then puts the step's name into the place of an error.
    adapter: TypeAdapter[dict[str, Step]] = TypeAdapter(dict[str, STEPS[name]])  # type: ignore[valid-type]
    return adapter.validate_python({name: {} if options is None else options})[name]


def _plain_step(step: Step) -> dict[str, dict[str, Any]]:
    return {step.name: step.model_dump(mode="json", exclude_none=True)}


def _step_schema(name: str, options: JsonSchemaValue) -> JsonSchemaValue:
    return {
        "type": "object",
        "properties": {name: {"anyOf": [options, {"type": "null"}]}},
        "required": [name],
        "additionalProperties": False,
    }


class Recipe(RootModel[list[Annotated[Step, _OneKeyDict()]]]):
    """What happens to a picture, in order: a list of steps, each a name with its options.

    Example:
        >>> recipe = Recipe.model_validate([{"resize": {"factor": 3}}, {"jpeg": {"quality": [10, 70]}}])
        >>> recipe.scale
        3
    """

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="after")
    def _derivable(self) -> Self:
        # One trial draw shows every reference to a draw that is not there, before any picture is touched.
        draws = self._own_draws("", 0)
        for index, step in enumerate(self.root):
            try:
                step.derive(draws)
            except ValueError as error:
                reason = PydanticCustomError("recipe_reference", "{reason}", {"reason": str(error)})
                raise ValidationError.from_exception_data(
                    "Recipe", [{"type": reason, "loc": (index, step.name), "input": step}]
                ) from error
        return self

    @property
    def scale(self) -> int | None:
        """Target size over degraded size, for a recipe whose only ``resize`` always happens, by a fixed whole factor.

        None for any other recipe.
        """
        resizes = [step for step in self.root if isinstance(step, Resize)]
        if len(resizes) != 1 or resizes[0].factor is None or resizes[0].probability < 1:
            return None
        factor = resizes[0].factor
        return int(factor.low) if factor.low == factor.high == int(factor.low) else None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the recipe with all its options, in hexadecimal: equal for recipes that mean the same."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def draw(self, name: str, seed: int) -> dict[str, Draw]:
        """Draw all that varies from picture to picture.

        Args:
            name: The picture's name in the manifest.
            seed: The pipeline's seed.

        Returns:
            Flat, as in ``{"resize.factor": 3.0, "jpeg.quality": 43, "text.content": "43"}``; a repeated step is
            ``jpeg_2``; ``<step>.applied`` where the step's probability is below 1. Depends on ``name``, ``seed`` and
            the step alone: neither other pictures nor the order of work nor other steps change it.
        """
        own = self._own_draws(name, seed)
        derived = {f"{key}.{field}": value for key, step in self._keyed() for field, value in step.derive(own).items()}
        return own | derived

    def degrade(self, picture: Image.Image, name: str, seed: int) -> Image.Image:
        """Give the degraded twin of a picture; the same arguments give the same pixels.

        Args:
            picture: 8-bit RGB, left as it is.
            name: The picture's name in the manifest.
            seed: The pipeline's seed.

        Returns:
            8-bit RGB, of the same size or smaller; ``picture`` itself when no step applies.

        Raises:
            ValueError: The picture, or what a step made of it, is not RGB.
        """
        _require_rgb(picture, "the picture")
        for key, step, drawn in self._applied(name, seed):
            picture = step.apply(picture, **drawn)
            _require_rgb(picture, f"what the step {key} returned")
        return picture

    def crop_target(self, picture: Image.Image, name: str, seed: int) -> Image.Image:
        """Crop a good picture where ``degrade`` cuts a border off: each degraded pixel then covers whole good ones.

        Args:
            picture: The good picture.
            name: Its name in the manifest.
            seed: The pipeline's seed.

        Returns:
            The picture without what ``resize`` by a whole factor cuts off, right and bottom.
        """
        draws, multiple = self.draw(name, seed), 1
        for key, step in self._keyed():
            factor = draws.get(f"{key}.factor", 1)
            if isinstance(step, Resize) and draws.get(f"{key}.applied", True) and factor == int(factor):
                multiple *= int(factor)
        return crop_to_multiple(picture, multiple)

    def mark_text(self, size: tuple[int, int], name: str, seed: int) -> NDArray[np.bool_] | None:
        """Mark where the degraded picture has text: the smallest box around it, or what texts all over it touch.

        The box is that in the degraded picture; what a later step such as ``jpeg`` blurs beyond it is outside.

        Args:
            size: Width and height of the good picture.
            name: Its name in the manifest.
            seed: The pipeline's seed.

        Returns:
            (H, W) of the degraded picture; False everywhere if this draw has no text, None for a recipe without any.
        """
        if not any(isinstance(step, Text) for step in self.root):
            return None
        writing = np.zeros(size[::-1], np.bool_)
        for _, step, drawn in self._applied(name, seed):
            writing = step.mark(writing, **drawn)
        return writing

    def _applied(self, name: str, seed: int) -> Iterator[tuple[str, Step, dict[str, Any]]]:
        """Give the steps that this draw applies, with their arguments."""
        draws = self.draw(name, seed)
        for key, step in self._keyed():
            drawn: dict[str, Any] = _drawn_by(key, draws)
            if drawn.pop("applied", True):
                random = {"random": _generator(name, seed, key, "pixels")} if step.uses_random else {}
                yield key, step, drawn | random

    def _keyed(self) -> list[tuple[str, Step]]:
        names = [step.name for step in self.root]
        counts = [names[: index + 1].count(name) for index, name in enumerate(names)]
        keys = [name if count == 1 else f"{name}_{count}" for name, count in zip(names, counts, strict=True)]
        return list(zip(keys, self.root, strict=True))

    def _own_draws(self, name: str, seed: int) -> dict[str, Draw]:
        return {
            f"{key}.{field}": value
            for key, step in self._keyed()
            for field, value in step.draw(_generator(name, seed, key, "draws")).items()
        }


def _generator(name: str, seed: int, key: str, purpose: str) -> np.random.Generator:
    # JSON keeps the parts apart: ("a", "bc") and ("ab", "c") must not meet in one hash.
    digest = hashlib.sha256(json.dumps([name, seed, key, purpose]).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def _drawn_by(key: str, draws: dict[str, Draw]) -> dict[str, Draw]:
    return {full.removeprefix(f"{key}."): value for full, value in draws.items() if full.startswith(f"{key}.")}


def _require_rgb(picture: Image.Image, what: str) -> None:
    if picture.mode != "RGB":
        msg = f"{what} has the mode {picture.mode}; a recipe takes and gives 8-bit RGB"
        raise ValueError(msg)
