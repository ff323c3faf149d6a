"""Addresses of servers and stores, as they may be shown."""

import re


def without_password(text: str) -> str:
    """Leave the user's name and password out of the URLs in a text that is shown or logged.

    Example:
        >>> without_password("https://me:secret@example.org/a.tar")
        'https://example.org/a.tar'
    """
    return re.sub(r"//[^/\s]*@", "//", text)
