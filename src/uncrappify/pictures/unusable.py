"""The finding that a file cannot be used as a picture."""


class UnusablePicture(Exception):  # noqa: N818 - a finding that is tabulated, not an error of the program
    """A file that cannot be used as a picture; the message is the reason, in lower case.

    What differs from file to file stands before a comma (``1x1, smaller than 16x16``), so that reasons can be counted.
    What is intact and only not read here begins with ``not supported:``.
    """
