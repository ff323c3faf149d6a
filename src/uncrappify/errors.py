"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
    """A mistake that the user can mend: the message says what is wrong, where, and what to do.

    The command line prints the message alone and exits with code 1; ``--verbose`` adds the traceback.
    """
