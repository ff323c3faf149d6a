"""The command ``uncrappify``: what there is to do with runs and models outside a pipeline."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

import uncrappify.threads  # isort: skip # noqa: F401 (before numpy and torch, which the commands load)
from uncrappify.errors import UserError
from uncrappify.output import check_nothing_lost, forgive

COMMANDS = {
    "apply": "uncrappify.commands.apply:apply",
    "continue": "uncrappify.commands.writing:go_on",
    "count": "uncrappify.commands.writing:count",
    "show": "uncrappify.commands.show:show",
    "sync": "uncrappify.commands.sync:sync",
    "ui": "uncrappify.commands.ui:ui",
}
"""Name to function; a name, not an import: what one of them needs, such as MLflow, takes seconds to load."""


class Commands(click.Group):
    """Tells a mistake of the user in one paragraph, whichever command finds it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands by name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

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
