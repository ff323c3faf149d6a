"""The command ``uncrappify``: what there is to do with runs and models outside a pipeline."""

from __future__ import annotations

from typing import Any

import click

from uncrappify.commands.show import show
from uncrappify.commands.sync import sync
from uncrappify.commands.ui import ui
from uncrappify.commands.writing import count, go_on
from uncrappify.errors import UserError
from uncrappify.output import check_nothing_lost, forgive


class Commands(click.Group):
    """Tells a mistake of the user in one paragraph, whichever command finds it."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        Raises:
            click.ClickException: With what the user can mend.
        """
        forgive()
        try:
            result = super().invoke(ctx)
            # What these commands print is what they are for.
            check_nothing_lost()
        except UserError as error:
            raise click.ClickException(str(error)) from error
        return result


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Work with the runs and models of this project; `kedro run` makes them."""


main.add_command(count)
main.add_command(go_on)
main.add_command(show)
main.add_command(sync)
main.add_command(ui)
