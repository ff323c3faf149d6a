"""Texts: the numbers in words, which the project writes itself, or the user's own files, which stay as they are."""

from __future__ import annotations

import codecs
import logging
import shlex
from pathlib import Path

import pandas as pd

from uncrappify.errors import UserError
from uncrappify.names import escape
from uncrappify.sources.folder import TEXT_SUFFIX, open_folder
from uncrappify.sources.parameters import TextFolderOptions, TextSource
from uncrappify.text.numbers import write_numbers
from uncrappify.walking import find_files

logger = logging.getLogger(__name__)

_ADVICE = "Give a folder with .txt files in UTF-8, for example\n  --params text=~/texts"
_PARAMETER = "text (source.folder.path)"


def read_texts(source: TextSource) -> pd.DataFrame:
    """Read a source's texts.

    Args:
        source: Which source.

    Returns:
        One row a text: ``name`` and ``text``. One that is there twice is taken once.

    Raises:
        UserError: The folder does not exist, or has no text; a file is not UTF-8, or cannot be read.
    """
    if source.folder is None or source.kind == "numbers":
        return pd.DataFrame({"name": ["numbers"], "text": [write_numbers()]})
    root, texts = _find(source.folder), dict[str, str]()
    for file in find_files(root, (TEXT_SUFFIX,)):
        text = _read(root / file)
        if text.strip():
            # Parts that are learned from and tested on would have the same words.
            texts.setdefault(text, escape(file))
            if texts[text] != escape(file):
                logger.warning("%s has the same text as %s, and is left out", escape(file), texts[text])
        else:
            logger.warning("%s is empty, and is left out", escape(file))
    if not texts:
        raise UserError(f"{_PARAMETER}: all .txt files of {root} are empty.\n{_ADVICE}")
    return pd.DataFrame({"name": list(texts.values()), "text": list(texts)})


def _find(options: TextFolderOptions) -> Path:
    root = open_folder(options.path, _PARAMETER, _ADVICE)
    if not find_files(root, (TEXT_SUFFIX,)):
        raise UserError(f"{_PARAMETER}: the folder {root} has no .txt files in it, at any depth.\n{_ADVICE}")
    return root


def _read(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(
            f"{escape(str(file))} cannot be read ({str(error.strerror).lower()}). Mend that, or move it elsewhere."
        ) from error
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise UserError(
                f"{escape(str(file))} is not UTF-8 but UTF-16, as its first two bytes say. "
                f"{_save_as_utf8(file, 'utf-16')}"
            ) from error
        place = error.start
        line = content[:place].count(b"\n") + 1
        column = len(content[:place].rpartition(b"\n")[2]) + 1
        raise UserError(
            f"{escape(str(file))} is not UTF-8: byte {place + 1} of the file (line {line}, byte {column} of it) is "
            f"0x{content[place]:02x}. {_save_as_utf8(file, 'latin1')}"
        ) from error


def _save_as_utf8(file: Path, encoding: str) -> str:
    name = shlex.quote(escape(str(file)))
    old = shlex.quote(escape(f"{file}.bak"))
    return f"Save it as UTF-8, such as by: mv {name} {old} && iconv -f {encoding} -t utf-8 {old} > {name}"
