"""What is only looked at: texts and figures, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from kedro_datasets._typing import PlotlyPreview

from uncrappify.atomic import written_whole
from uncrappify.datasets.file import WholeFile

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


class Text(WholeFile[str]):
    """A text in UTF-8; an empty one says that there is nothing new, and leaves what is there."""

    def save(self, data: str) -> None:
        """Write the text."""
        if data:
            super().save(data)

    def _parse(self, content: bytes) -> str:
        return content.decode()

    def _dump(self, data: str) -> bytes:
        return data.encode()


class Chart(WholeFile["Figure"]):
    """A figure of plotly's, as JSON, and beside it as a page that any browser opens, also without a network."""

    @property
    def page(self) -> Path:
        """The page."""
        return self._filepath.with_suffix(".html")

    def save(self, data: Figure) -> None:
        """Write the figure, and the page."""
        super().save(data)
        with written_whole(self.page, durable=False) as path:
            path.write_text(data.to_html(), encoding="utf-8")

    def preview(self) -> PlotlyPreview:
        """Show the figure."""
        return PlotlyPreview(json.loads(self._filepath.read_bytes()))

    def _parse(self, content: bytes) -> Figure:
        from plotly.graph_objects import Figure

        return Figure(json.loads(content))

    def _dump(self, data: Figure) -> bytes:
        return str(data.to_json()).encode()
