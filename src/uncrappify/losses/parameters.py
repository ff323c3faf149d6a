"""How losses are written in YAML: a list of names with weights, or with options where a loss has some."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from uncrappify.losses import LOSSES
from uncrappify.parameters.messages import nearest

FEATURE_DEFAULTS: dict[str, dict[str, list[Any]]] = {
    # The stages whose strides are those of the lesson's layers: 4, 8, 16. Beside bicubic, all three take a picture that
    # is sharp and a little displaced, with the same squared error, for half as far away; stage 0 does not (0.87).
    # For bicubic enlargement (x3, crops of 144 pixels from photographs of BSDS500), each term of the activations is two
    # and a half times the pixels' L1, each Gram matrix's 0.3 times: with equal shares, a network invents texture that
    # another network finds hardly nearer to the target.
    "efficientnet_lite0": {"layers": [1, 2, 3], "weights": [0.02, 0.02, 0.03], "gram_weights": [0.02, 0.05, 0.2]},
    # The lesson's: the ReLUs before the last three poolings, w = (5, 15, 2), and 5000 w^2 for the Gram matrices.
    "vgg16_bn": {"layers": [22, 32, 42], "weights": [5, 15, 2], "gram_weights": [125e3, 1125e3, 20e3]},
}


class FeatureOptions(BaseModel):
    """Options of :class:`uncrappify.losses.feature.FeatureLoss`; a plain number is its ``weight``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(
        1.0,
        gt=0,
        description="Of all its terms; at 1, efficientnet_lite0's start about eight times as large as l1: 1.0",
    )
    backend: Literal["efficientnet_lite0", "vgg16_bn"] = Field(
        "efficientnet_lite0", description="Which network; the weights of vgg16_bn have to be brought first"
    )
    layers: list[Annotated[int, Field(ge=0, le=43)]] = Field(
        ..., min_length=1, description="Stages (0 to 4) of efficientnet_lite0, or layers (0 to 43) of vgg16_bn, rising"
    )
    weights: list[Annotated[float, Field(ge=0)]] = Field(..., description="Of each layer's activations")
    gram_weights: list[Annotated[float, Field(ge=0)]] = Field(..., description="Of each layer's Gram matrix")

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        if isinstance(given, int | float) and not isinstance(given, bool):
            given = {"weight": given}
        if not isinstance(given, dict):
            return given
        usual = FEATURE_DEFAULTS[cls.model_fields["backend"].default]
        return {**FEATURE_DEFAULTS.get(str(given.get("backend")), usual), **given}

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        last = 4 if self.backend == "efficientnet_lite0" else 43
        if self.layers != sorted(set(self.layers)) or self.layers[-1] > last:
            raise ValueError(f"the layers of {self.backend} are numbers from 0 to {last}, rising; got {self.layers}.")
        if not len(self.layers) == len(self.weights) == len(self.gram_weights):
            raise ValueError(
                f"there are {len(self.layers)} layers, {len(self.weights)} weights and {len(self.gram_weights)} "
                "gram_weights; each layer needs one of both."
            )
        return self


def check_weights(loss: list[dict[str, Any]]) -> None:
    """Look for the weights that losses need.

    Raises:
        UserError: If they are not there.
    """
    if any(
        isinstance(options, FeatureOptions) and options.backend == "vgg16_bn"
        for term in loss
        for options in term.values()
    ):
        from uncrappify.losses import vgg

        vgg.find_weights_file()


def _known_losses(terms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for term in terms:
        if len(term) != 1:
            raise PydanticCustomError("loss_form", "each entry is one loss with its weight, such as - l1: 1.0")
    names = [name for term in terms for name in term]
    for name in names:
        if name not in LOSSES:
            raise PydanticCustomError("unknown_loss", "{text}", {"text": nearest("loss", name, LOSSES)})
        if names.count(name) > 1:
            raise PydanticCustomError("repeated_loss", "{name} is there more than once", {"name": name})
    # Validated as a tuple of dictionaries because Pydantic then says where a mistake is.
    kinds = [FeatureOptions if name == "feature" else float for name in names]
    forms: Any = tuple(dict[str, kind] for kind in kinds)  # type: ignore[valid-type]
    checked: list[dict[str, Any]] = list(TypeAdapter(tuple[forms]).validate_python(tuple(terms)))
    for weight in (weight for term in checked for weight in term.values()):
        if isinstance(weight, float) and weight <= 0:
            raise PydanticCustomError("loss_weight", "the weight of a loss is greater than 0")
    return checked


def _schema() -> dict[str, Any]:
    weight = {"type": "number", "exclusiveMinimum": 0}
    options = FeatureOptions.model_json_schema()
    # Layers and weights have defaults, which depend on the backend.
    options.pop("required")
    entries = {name: {"anyOf": [weight, options]} if name == "feature" else weight for name in LOSSES}
    form = {"type": "object", "properties": entries, "additionalProperties": False}
    return {"type": "array", "minItems": 1, "items": {**form, "minProperties": 1, "maxProperties": 1}}


#: A list of dictionaries with one key each, a loss: its value is a weight, or ``FeatureOptions`` for ``feature``.
Loss = Annotated[list[dict[str, Any]], Field(min_length=1), AfterValidator(_known_losses), WithJsonSchema(_schema())]
