"""The whole tree of parameters of a language pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, NoReturn, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from uncrappify.errors import UserError
from uncrappify.models.parameters import SEEN, LanguageModel
from uncrappify.parameters.messages import report
from uncrappify.parameters.template import SeveralModels
from uncrappify.sources import TextFolderOptions, TextSource
from uncrappify.text.parts import BLOCKS
from uncrappify.text.tokens import MARKS
from uncrappify.training.parameters import LanguageTraining


class VocabularyOptions(BaseModel):
    """Which words are known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    smallest_count: int = Field(2, ge=1, le=10_000, description="How often a word has to be there")
    largest: int = Field(
        20_000, ge=len(MARKS) + 1, le=50_000, description="How many are known at most, the frequent ones first"
    )


class OneModel(BaseModel):
    """The section of a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: LanguageModel = Field(..., description="The network")
    training: LanguageTraining = Field(..., description="How it is trained")

    @model_validator(mode="after")
    def _trains_what_it_says(self) -> Self:
        self.training.check_encoder(self.model.name, "")
        for number, stage in enumerate(self.training.stages):
            place = ("training", "stages", number, "bptt")
            if self.model.name == "every_step" and stage.bptt != self.model.every_step.window:
                raise report(
                    place, f"it is {stage.bptt}, and model.every_step.window {self.model.every_step.window}. Take one."
                )
            if self.model.name == "transformer" and stage.bptt <= self.model.transformer.unscored:
                raise report(place, "nothing of so short a window is predicted from: see model.transformer.unscored.")
            if self.model.name in ("unrolled", "loop") and stage.bptt < SEEN:
                raise report(place, f"the model {self.model.name} looks at {SEEN} words. Take {SEEN}.")
        return self


class Parameters(SeveralModels):
    """Parameters of the template ``language``."""

    each: ClassVar[type[BaseModel]] = OneModel

    template: Literal["language"] = Field("language", description="Which template the pipeline is made from")
    source: TextSource = Field(TextSource(), description="Where the text comes from")
    vocabulary: VocabularyOptions = Field(VocabularyOptions(), description="Which words are known")
    split: Literal["lesson", "blocks"] = Field(
        "lesson",
        description="lesson: of the numbers, 8,001 and above are the test; blocks: random blocks of a hundredth of the "
        "text are",
    )
    valid_blocks: int = Field(
        8,
        ge=0,
        le=BLOCKS // 2,
        description="Blocks of a hundredth to watch, random ones of what is learned from; 0: the test is watched, as "
        "in the lesson",
    )
    test_blocks: int = Field(20, ge=1, le=BLOCKS // 2 - 1, description="Those of the test, where split is blocks")

    @model_validator(mode="after")
    def _has_numbers_for_the_lessons_split(self) -> Self:
        if self.source.kind != "numbers" and self.split == "lesson":
            raise report(("split",), "the lesson's is one of numbers; for a text of your own take blocks.")
        return self

    @property
    def folders(self) -> list[Path]:
        """The user's own folders."""
        return self.source.folders

    def with_text(self, folder: str) -> Self:
        """Take the texts of a folder instead of the source, and random blocks of them for the test."""
        source = TextSource(kind="folder", folder=TextFolderOptions(path=folder))
        return self.model_copy(update={"source": source, "split": "blocks"})

    def with_pictures(self, folder: str) -> NoReturn:
        """Refuse pictures, and say what to give.

        Raises:
            UserError: Always.
        """
        raise UserError(
            "pictures: a pipeline of the template language learns from texts. Give a folder with .txt files instead: "
            "--params text=~/texts"
        )
