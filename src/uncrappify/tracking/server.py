"""The MLflow server that runs are sent to, if there is one: whether it is there, and whether it fits."""

from __future__ import annotations

import json
import os
import re
from functools import cache

from uncrappify.addresses import without_password
from uncrappify.errors import UserError, find_causes
from uncrappify.foreign import in_one_line

OLDEST = (3, 0)
"""The first version of MLflow whose servers know logged models."""

TIMEOUT = 10
"""Seconds to wait for each of a server's two answers before a run starts."""

PASSING = {408, 425, 429, *range(500, 600)}
"""Errors of a server that does not answer now, and may do so later."""


@cache
def address() -> str | None:
    """Give the server that MLFLOW_TRACKING_URI names; None where it names a file or is not set.

    Read once: MLflow itself sets the variable to the store that is in use.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    return given if re.match(r"https?://", given) else None


def why_away(server: str) -> str | None:
    """Ask a server for its version and for permission.

    Args:
        server: Its address; user, password or token are in MLflow's own variables.

    Returns:
        None where it answers; else the reason, and it may come back.

    Raises:
        UserError: What answers is no MLflow server, is too old, or refuses the user.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request
    from requests import RequestException, Response

    from uncrappify.tracking.connection import SentElsewhere, guard

    def ask(endpoint: str, **options: object) -> Response:
        # MLflow's own request: it knows the variables for users, tokens and certificates.
        response: Response = http_request(  # type: ignore[no-untyped-call]
            get_default_host_creds(server),  # type: ignore[no-untyped-call]
            endpoint,
            "GET",
            max_retries=0,
            timeout=TIMEOUT,
            raise_on_status=False,
            **options,
        )
        return response

    guard()
    shown = without_password(server)
    try:
        told = ask("/version")
        allowed = ask("/api/2.0/mlflow/experiments/search", params={"max_results": 1})
    except (RequestException, MlflowException) as error:
        if elsewhere := next((cause for cause in find_causes(error) if isinstance(cause, SentElsewhere)), None):
            raise UserError(
                f"{shown} does not answer itself: {elsewhere}. Set MLFLOW_TRACKING_URI to the address that answers, or "
                "log in there as its keeper says."
            ) from error
        return in_short(error)
    if allowed.status_code == 403 and "host" in allowed.text.lower():
        raise UserError(
            f"{shown} does not know itself by that name (403: {in_one_line(allowed.text, 80)}). Use the name that its "
            "keeper gave it, or let it be started with this one among --allowed-hosts."
        )
    if refused := next((one.status_code for one in (told, allowed) if one.status_code in (401, 403)), None):
        raise UserError(
            f"{shown} does not let you in ({refused}). Set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to what the server's keeper gave you."
        )
    if ill := next((one.status_code for one in (told, allowed) if one.status_code in PASSING), None):
        return f"it answers with error {ill}"
    version = re.fullmatch(r"(\d{1,4})\.(\d{1,4})\S{,40}", told.text.strip())
    if told.status_code != 200 or not version or allowed.status_code != 200 or not _holds_object(allowed.text):
        raise UserError(
            f"{shown} answers, but not as an MLflow server does. MLFLOW_TRACKING_URI should be what opens MLflow's "
            "page in a browser."
        )
    if tuple(map(int, version.groups())) < OLDEST:
        raise UserError(
            f"{shown} runs MLflow {in_one_line(version[0])}, which does not know logged models. Update it to "
            f"{OLDEST[0]}.{OLDEST[1]} or newer, or unset MLFLOW_TRACKING_URI to keep the runs here."
        )
    return None


def in_short(error: BaseException) -> str:
    """Say in a few words, without passwords, what urllib3 and MLflow say in a paragraph; it may quote a server."""
    causes = list(find_causes(error))
    text = " ".join(map(str, causes))
    known = {
        "NameResolutionError": "there is no host of that name, or no network",
        "Connection refused": "nothing listens there",
        "timed out": "no answer in time",
        "CERTIFICATE_VERIFY_FAILED": "its certificate is not accepted",
        "too many 50": "it answers with an error of its own",
    }
    # What the program itself has found out says more than what MLflow makes of it.
    own = next((cause for cause in causes if type(cause).__module__.startswith("uncrappify.")), error)
    first = in_one_line((str(own).splitlines() or [""])[0]).rstrip(".") or type(own).__name__
    return first if own is not error else next((short for sign, short in known.items() if sign in text), first)


def _holds_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
