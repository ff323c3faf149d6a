"""What every trained model can do once it is loaded, and which class uses which kind of model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from torch import nn

from uncrappify.datasets.description import AnyDescription, Description
from uncrappify.datasets.weights import TrainedModel, read_weights
from uncrappify.errors import UserError
from uncrappify.inference.device import find_device
from uncrappify.models import build

if TYPE_CHECKING:
    from uncrappify.inference.results import Request, Result
    from uncrappify.pictures.original import Original

D = TypeVar("D", bound=Description)

PREDICTORS = {
    "restoration": "uncrappify.inference.restorer:Restorer",
    "segmentation": "uncrappify.inference.segmenter:Segmenter",
    "classification": "uncrappify.inference.classifier:Classifier",
    "critic": "uncrappify.inference.judge:Judge",
    "language": "uncrappify.inference.writer:Writer",
}
"""Kind of model to the class that uses it; a name, not an import, so that only what is used is loaded."""


class Predictor(ABC, Generic[D]):
    """A network with its weights, ready for use.

    Args:
        network: What it runs.
        description: What is known about the model.

    Attributes:
        kind: Of the models that the class uses.
        purpose: What it does, for messages.
        input_shape: Of what goes in, of several at once, -1 where a side varies.
        input_type: NumPy's name for the type of its values.
        output_shape: Of what comes out, likewise.
        output_type: Likewise.
        instead: What takes the place of ``uncrappify apply`` for this kind, as a sentence; empty where a picture file
            is what it takes, and :meth:`process` is there.
        table: Name of the table that it writes, without suffix; empty where it writes none.
    """

    kind: ClassVar[str]
    purpose: ClassVar[str]
    input_shape: ClassVar[tuple[int, ...]] = (-1, -1, -1, 3)
    input_type: ClassVar[str] = "uint8"
    output_shape: ClassVar[tuple[int, ...]]
    output_type: ClassVar[str] = "uint8"
    instead: ClassVar[str] = "Use uncrappify.load in Python."
    table: ClassVar[str] = ""

    def __init__(self, network: nn.Module, description: D) -> None:
        self.network = network.eval()
        self.description = description

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a weights file.

        Raises:
            UserError: If the file is missing, cut short, not one of this project's, or of another kind.
        """
        return cls.from_trained(read_weights(path))

    @classmethod
    def from_trained(cls, model: TrainedModel, device: str | None = None, **options: Any) -> Self:
        """Build the network that the description names, with its weights.

        Args:
            model: Weights and description, as :func:`~uncrappify.datasets.weights.read_weights` has compared them.
            device: As :func:`~uncrappify.inference.device.find_device` takes it: without it the GPU where there is one.
            options: Of the class.

        Raises:
            UserError: If the model is of another kind, this version of the project does not know its network, or the
                machine has no such device.
        """
        import torch

        description: Any = model.description
        if description.kind != cls.kind:
            raise UserError(
                f"These weights {predictor_of(description).purpose}, and {cls.__name__} takes some that {cls.purpose}: "
                "load them by uncrappify.load."
            )
        network = build(description.kind, description.model, description.to_build)
        network.load_state_dict(model.state)
        if getattr(network, "scale", None) != getattr(description, "scale", None):
            raise UserError("These weights enlarge by another factor than they say.")
        return cls(network.to(find_device(device), memory_format=torch.channels_last), description, **options)  # type: ignore[call-overload]

    @abstractmethod
    def __call__(self, given: Any, /) -> Any:
        """Apply the model to one picture, or text."""

    @classmethod
    def check_request(cls, request: Request) -> None:
        """Refuse what has no meaning for this kind, before anything is read.

        Raises:
            UserError: If something of it is given.
        """

    @classmethod
    def name_endings(cls, suffix: str, request: Request) -> tuple[str, ...]:  # noqa: ARG003
        """Say what files come of a picture, by what follows the picture's name without suffix.

        Args:
            suffix: Of the picture's file.
            request: What is asked for.
        """
        return ()

    def find_doubt(self, original: Original) -> str:
        """Say why the model may be the wrong one for a picture, as a sentence without its end; empty where it fits."""
        return ""

    def process(self, original: Original, request: Request) -> Result:
        """Apply the model to a picture file, for the files and the row of the table that come of it.

        Args:
            original: The picture with all that its file brought.
            request: What is asked for.
        """
        raise NotImplementedError(self.instead)


def predictor_of(description: AnyDescription) -> type[Predictor[Any]]:
    """Give the class that uses a model of this kind."""
    module, _, name = PREDICTORS[description.kind].partition(":")
    predictor: type[Predictor[Any]] = getattr(import_module(module), name)
    return predictor


def load_predictor(path: Path, device: str | None = None) -> Predictor[Any]:
    """Load a weights file, whatever its model is for.

    Args:
        path: The file.
        device: As :func:`~uncrappify.inference.device.find_device` takes it.

    Raises:
        UserError: If the file is missing, cut short, or not one of this project's.
    """
    model = read_weights(path)
    return predictor_of(model.description).from_trained(model, device)
