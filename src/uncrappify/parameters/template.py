"""What the parameters of every template have in common: one model, or several, each under its own name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from uncrappify.errors import UserError
from uncrappify.parameters.delivery import BEST, find_models
from uncrappify.parameters.messages import nearest, report, report_empty

RESERVED = (BEST, "checkpoints", "data", "evaluation", "model", "sent", "snapshots", "surveys", "training")
"""Names of folders, datasets and tags in a pipeline's place, which a model must not have."""


class TemplateParameters(BaseModel):
    """The section of a pipeline that trains one model: the fields ``model`` and ``training`` are the template's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str = Field(..., description="Which template the pipeline is made from")
    seed: int = Field(42, ge=0, lt=2**32, description="Of everything random")

    @model_validator(mode="after")
    def _delivers_weights(self) -> Self:
        if not _has_weights_in_the_end(self):
            raise report_empty("training", "stages")
        return self

    @property
    def networks(self) -> dict[str, Any]:
        """Whatever has ``model`` and ``training``, by the model's name; the section itself by an empty one."""
        return {"": self}

    @property
    def folders(self) -> list[Path]:
        """The user's own folders, which are read in place."""
        return []

    def with_pictures(self, folder: str) -> Self:
        """Take the pictures of a folder instead of the source's.

        Raises:
            UserError: If the pipeline has no use for pictures.
        """
        raise UserError(f"pictures: a pipeline of the template {self.template} takes none. Leave it out.")

    def with_text(self, folder: str) -> Self:
        """Take the texts of a folder instead of the source's.

        Raises:
            UserError: If the pipeline has no use for a text.
        """
        raise UserError(
            f"text: a pipeline of the template {self.template} learns from pictures. Give a folder of them "
            "(pictures=~/Pictures), or run a pipeline that learns from texts, such as numbers."
        )

    def with_weights(self, weights: str) -> Self:
        """Apply these weights.

        Raises:
            UserError: If the pipeline trains weights of its own.
        """
        raise UserError(
            f"weights: a pipeline of the template {self.template} trains its own. To use some, run the pipeline apply "
            "(--pipeline apply); to start a training from some, give them as its model.weights."
        )

    def with_mirror(self, mirror: str) -> Self:
        """Take archives from a folder or URL instead of their own addresses.

        Raises:
            UserError: If the pipeline downloads nothing.
        """
        raise UserError(f"mirror: a pipeline of the template {self.template} downloads nothing. Leave it out.")

    def shorten(self) -> Self:
        """Train two batches a stage, to see that all works."""
        return self._change_networks(lambda network: {"training": network.training.shorten()})

    def find_weights(self, *, smoke: bool) -> Self:
        """Give a file for each pipeline's name that a model starts from."""
        return self._change_networks(lambda network: {"model": network.model.find_weights(smoke=smoke)})

    def check(self, pipeline: str, trained: Collection[str]) -> None:
        """Look for what trainings need, before anything is downloaded or computed for them.

        Args:
            pipeline: Name of the pipeline.
            trained: Names of the models, as in :attr:`networks`.

        Raises:
            UserError: If weights or devices are missing, or weights do not fit.
        """
        for name in trained:
            network = self.networks[name]
            place = f"{pipeline}.{name}".rstrip(".")
            if not _has_weights_in_the_end(network):
                raise UserError(
                    f"{place}.training.stages is empty, and {place}.model.weights names none to start from."
                )
            network.training.check()
            network.model.check(place)

    def _change_networks(self, change: Callable[[Any], dict[str, Any]]) -> Self:
        return self.model_copy(update=change(self))


class SeveralModels(TemplateParameters):
    """The section of a pipeline that trains several models, each a key of its own.

    Attributes:
        each: Form of the section of a model; it has ``model`` and ``training``. None where the template has fields for
            its models, whose names are then fixed.
    """

    each: ClassVar[type[BaseModel] | None] = None

    delivers: str | None = Field(
        "",
        description="The model that the pipeline's name stands for; best: the one that is best on the validation "
        "pictures; empty: the last; null: none",
    )

    @model_validator(mode="after")
    def _delivers_weights(self) -> Self:
        # One model of several may be none; there are no nodes for it then.
        return self

    @model_validator(mode="after")
    def _delivers_a_model(self) -> Self:
        known = [*self.networks, BEST]
        if self.delivers and self.delivers not in known:
            raise report(("delivers",), nearest("model", self.delivers, known))
        return self

    @property
    def networks(self) -> dict[str, Any]:
        """Section of each model by its name."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in fields.items() if hasattr(value, "model") and hasattr(value, "training")}

    def _change_networks(self, change: Callable[[Any], dict[str, Any]]) -> Self:
        changed = {name: network.model_copy(update=change(network)) for name, network in self.networks.items()}
        return self.model_copy(update=changed)


def section_parameters(template: type[TemplateParameters], section: Mapping[str, Any]) -> type[TemplateParameters]:
    """Give the Pydantic model of a pipeline's section: the template's, with a field for each model that it names.

    Args:
        template: Parameters of the template.
        section: The pipeline's section in ``conf/base``, where its models are decided.

    Raises:
        UserError: If no model is named, or one has a reserved name.
    """
    if not issubclass(template, SeveralModels):
        return template
    if template.each is None:
        return template
    names = find_models(section)
    if not names:
        raise UserError(
            f"{section.get('template')}: no model is named. A model is a key of its own that holds model and training, "
            "such as mine: {model: {...}, training: {...}}."
        )
    for name in names:
        if name in RESERVED or hasattr(template, name) or name in template.model_fields or not name.isidentifier():
            raise UserError(
                f'"{name}" is no name for a model: it is reserved, or has other signs than letters, digits, _.'
            )
    fields: dict[str, Any] = {name: (template.each, Field(..., description="A model")) for name in names}
    return create_model(template.__name__, __base__=template, __doc__=template.__doc__, **fields)


def _has_weights_in_the_end(network: Any) -> bool:
    return bool(network.training.stages or network.model.weights)
