"""``uncrappify ui``: MLflow's page, with the runs of this project."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import click

from uncrappify.commands.project import find_project
from uncrappify.errors import UserError

USUAL_PORT = 5000


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Default: 5000, or a free one where that is taken.")
def ui(port: int | None) -> None:
    """Open MLflow's page with the runs of this project, until Ctrl-C."""
    root = find_project()
    from uncrappify.settings import tracking_uri
    from uncrappify.tracking.store_file import prepare_store

    port = _find_port(port)
    address = tracking_uri()
    prepare_store(address)
    click.echo(f"http://127.0.0.1:{port} will show the runs in a few seconds; Ctrl-C ends it.")
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    # Not as an argument: the address of a database may hold a password, and everybody may read a command.
    environment = os.environ | {"MLFLOW_BACKEND_STORE_URI": address}
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler)
    # Out of reach of the terminal's Ctrl-C, which MLflow's processes answer with tracebacks; SIGTERM they take quietly.
    with subprocess.Popen(command, cwd=root, env=environment, start_new_session=True) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGTERM)
            return
    if code:
        raise UserError(f"MLflow has ended with code {code}; what it says above tells why.")


def _find_port(wanted: int | None) -> int:
    """Give the port that is wanted, or else the usual one or any that is free.

    Raises:
        UserError: The port is taken, or not for this user.
    """
    for port in (wanted,) if wanted else (USUAL_PORT, 0):
        with socket.socket() as tried:
            # As servers do: a port is free although connections of the one before are still being closed.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except PermissionError as error:
                raise UserError(
                    f"port {port} is not for every user. Take one above 1023, or leave --port out."
                ) from error
            except OSError as error:
                taken = error
            else:
                return int(tried.getsockname()[1])
    raise UserError(f"port {wanted} is taken by another program. Give another one, or leave --port out.") from taken
