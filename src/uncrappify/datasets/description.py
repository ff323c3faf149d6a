"""What a trained model says of itself: one typed description a kind of model, in its weights file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError, model_validator

from uncrappify.models.parameters import OUT_CHANNELS, Scale, restrict
from uncrappify.parameters.messages import report
from uncrappify.pictures.masks import Labels
from uncrappify.text.tokens import MARKS

Side = Annotated[int, Field(ge=1, le=4096)]
Spread = Annotated[float, Field(gt=0, le=1)]


class TrainingData(BaseModel):
    """What a model has learned from.

    Attributes:
        source: Short name of the source.
        licence: Terms of the pictures, several joined by ``; ``.
        pictures: How many were trained on.
        words: How many were, of a text.
        fingerprint: Hash of their content, and of that of what was watched.
    """

    source: str
    licence: str
    pictures: int = 0
    words: int = 0
    fingerprint: str = ""


class Ancestor(BaseModel):
    """The trained model whose weights a training has started from.

    Attributes:
        fingerprint: SHA-256 of its weights.
        run_id: MLflow run that made it.
        data: What it had learned from.
    """

    fingerprint: str
    run_id: str | None = None
    data: TrainingData | None = None


class Description(BaseModel):
    """What every kind of model says of itself.

    Attributes:
        kind: What the model is for; :mod:`uncrappify.inference` knows the class that uses it.
        model: Name of the network among those of its kind.
        options: Keyword arguments that build the network.
        normalisation: What the network expects of pictures.
        metrics: Of the training.
        data: What it has learned from; None where nothing is known.
        ancestor: What it has started from; None for fresh weights.
        uncrappify: Version of the project that trained it.
        git_commit: Commit of the project that trained it.
        run_id: MLflow run of the training.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    model: str
    options: dict[str, Any]
    normalisation: str = "RGB in 0..1"
    metrics: dict[str, float] = {}
    data: TrainingData | None = None
    ancestor: Ancestor | None = None
    uncrappify: str | None = None
    git_commit: str | None = None
    run_id: str | None = None

    @property
    def network(self) -> dict[str, Any]:
        """What builds the network: ``kind``, ``model`` and the options."""
        return {"kind": self.kind, "model": self.model, **self.options}

    @property
    def to_build(self) -> dict[str, Any]:
        """What builds the network for the weights of the file: it looks for no others."""
        return restrict(self.kind, self.model, self.options)

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        try:
            self.to_build  # noqa: B018 (it checks)
        except ValidationError as error:
            (first, *_) = error.errors(include_url=False, include_input=False)
            raise report(("options", *first["loc"]), first["msg"]) from error
        return self


class RestorationDescription(Description):
    """A model that undoes damage.

    Attributes:
        scale: How many times larger the output is than the input.
        recipe: The damage that it has learned to undo, as in YAML; empty where it has learned from pairs.
    """

    kind: Literal["restoration"] = "restoration"
    scale: Scale
    recipe: list[dict[str, Any]] = Field(max_length=100)


class SegmentationDescription(Description):
    """A model that says which class a pixel belongs to.

    Attributes:
        labels: The classes.
        size: Height and width whose area a picture is brought to.
    """

    kind: Literal["segmentation"] = "segmentation"
    labels: Labels
    size: tuple[Side, Side]

    @model_validator(mode="after")
    def _count_classes(self) -> Self:
        # Files of version 0.1 have the classes in the labels alone.
        classes = len(self.labels.classes)
        if self.options.setdefault(OUT_CHANNELS, classes) != classes:
            raise report(
                ("options", OUT_CHANNELS), f"the network has {self.options[OUT_CHANNELS]!r}, the labels {classes}"
            )
        return self


class ClassificationDescription(Description):
    """A model that says which class a picture belongs to.

    Attributes:
        classes: Names, in the order of the network's logits.
        size: Height and width that a picture is brought to.
        mean: Of each channel of the training pictures, in 0..1; one channel where they are grey.
        std: Standard deviation of each channel.
        watched: Part of the split that it was validated on; where that is ``test``, as published results often are, its
            score on the test pictures is not one of unseen pictures.
    """

    kind: Literal["classification"] = "classification"
    normalisation: str = "grey or RGB in 0..1"
    classes: list[str] = Field(min_length=2, max_length=100_000)
    size: tuple[Side, Side]
    mean: list[FiniteFloat] = Field(min_length=1, max_length=3)
    std: list[Spread] = Field(min_length=1, max_length=3)
    watched: Literal["valid", "test"] = "valid"

    @property
    def channels(self) -> int:
        """1 for grey pictures, 3 for colour."""
        return len(self.mean)

    @property
    def to_build(self) -> dict[str, Any]:
        """What builds the network for the weights of the file: it looks for no others."""
        from_data = {"in_channels": self.channels, OUT_CHANNELS: len(self.classes), "mean": self.mean, "std": self.std}
        return restrict(self.kind, self.model, self.options) | from_data

    @model_validator(mode="after")
    def _count_channels(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise report(("classes",), "two classes have the same name")
        if len(self.mean) == 2 or len(self.std) != len(self.mean):
            raise report(("std",), f"there are {len(self.mean)} means and {len(self.std)} standard deviations")
        return self


class CriticDescription(Description):
    """A model that says whether a picture looks real.

    Attributes:
        fakes: The model that made what it has learned to tell from good pictures.
    """

    kind: Literal["critic"] = "critic"
    fakes: Ancestor


class LanguageDescription(Description):
    """A model that says which word follows.

    Attributes:
        vocabulary: The words that it knows, in the order of the network's logits.
        text: ``numbers``, which it counts, or ``folder``, a text of any kind.
        watched: As :attr:`ClassificationDescription.watched`.
    """

    kind: Literal["language"] = "language"
    normalisation: str = "words and marks of a text, as uncrappify.text.tokens finds them"
    vocabulary: list[str] = Field(min_length=len(MARKS) + 1, max_length=1_000_000)
    text: Literal["numbers", "folder"]
    watched: Literal["valid", "test"] = "valid"

    @property
    def to_build(self) -> dict[str, Any]:
        """What builds the network for the weights of the file."""
        return restrict(self.kind, self.model, self.options) | {"words": len(self.vocabulary)}

    @model_validator(mode="after")
    def _check_vocabulary(self) -> Self:
        if tuple(self.vocabulary[: len(MARKS)]) != MARKS:
            raise report(("vocabulary",), f"it does not begin with {', '.join(MARKS)}")
        if len(set(self.vocabulary)) != len(self.vocabulary):
            raise report(("vocabulary",), "a word is there twice")
        return self


def compare_networks(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Say what differs between the network that is wanted and that of some weights.

    Args:
        mine: ``kind``, ``model`` and options of the network that is wanted.
        theirs: The same of the weights' network; an option that it does not have is one of a later version.

    Returns:
        Such as ``scale 2 instead of 3``; empty where the weights fit.
    """
    different = [name for name, value in mine.items() if name in theirs and theirs[name] != value]
    return ", ".join(f"{name} {theirs[name]} instead of {mine[name]}" for name in different)


AnyDescription = (
    RestorationDescription
    | SegmentationDescription
    | ClassificationDescription
    | CriticDescription
    | LanguageDescription
)
KINDS = tuple(str(kind.model_fields["kind"].default) for kind in get_args(AnyDescription))
_DESCRIPTION: TypeAdapter[AnyDescription] = TypeAdapter(Annotated[AnyDescription, Field(discriminator="kind")])


def parse_description(values: dict[str, Any]) -> AnyDescription:
    """Read what a weights file says of its model.

    Args:
        values: From the file; those of version 0.1 have a ``task``, or no word of it, in the place of ``kind``.

    Returns:
        The description of the model's kind.

    Raises:
        pydantic.ValidationError: If the kind is unknown or a value is missing.
    """
    kind = values.get("kind") or values.get("task") or "restoration"
    return _DESCRIPTION.validate_python({**values, "kind": kind})
