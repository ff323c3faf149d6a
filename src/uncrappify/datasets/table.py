"""A table as a dataset that no killed process leaves half, and no broken file gives in silence."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pandas as pd
from kedro_datasets._typing import TablePreview

from uncrappify.datasets.file import WholeFile
from uncrappify.foreign import in_one_line

_KINDS = {
    "text": pd.api.types.is_string_dtype,
    "number": pd.api.types.is_numeric_dtype,
    "flag": pd.api.types.is_bool_dtype,
}


class Table(WholeFile[pd.DataFrame]):
    """A table in a Parquet file with checksums, or in a CSV file, as the suffix says.

    Args:
        filepath: The file.
        columns: Name to kind (text, number or flag) of the columns that its readers need.
        node: Name of the node that saves it, for errors.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        columns: Mapping[str, str] | None = None,
        node: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, node=node, metadata=metadata)
        self._columns = columns or {}

    def preview(self, nrows: int = 5) -> TablePreview:
        """Show the first rows, and of a long text its beginning."""
        rows = self.load().head(nrows)
        shown = rows.map(lambda value: in_one_line(value) if isinstance(value, str) else value)
        return TablePreview(shown.to_dict(orient="split"))

    def _parse(self, content: bytes) -> pd.DataFrame:
        table = (
            self._parse_csv(content)
            if self._filepath.suffix == ".csv"
            else pd.read_parquet(BytesIO(content), page_checksum_verification=True)
        )
        for column, kind in self._columns.items():
            if column not in table:
                raise ValueError(f"there is no column {column}")
            if not _KINDS[kind](table[column]):
                raise ValueError(f"the column {column} is no {kind}")
        return table

    def _parse_csv(self, content: bytes) -> pd.DataFrame:
        table = pd.read_csv(BytesIO(content))
        texts = [column for column, kind in self._columns.items() if kind == "text" and column in table]
        if texts:
            # As they were written: a class called 1 or NA is no number, and not missing.
            table[texts] = pd.read_csv(BytesIO(content), usecols=texts, dtype=str, keep_default_na=False)[texts]
        return table

    def _dump(self, data: pd.DataFrame) -> bytes:
        if self._filepath.suffix == ".csv":
            return data.to_csv(index=False).encode()
        content = BytesIO()
        data.to_parquet(content, write_page_checksum=True)
        return content.getvalue()
