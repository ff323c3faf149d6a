"""What of an exception is for a person."""

import errno

from uncrappify.cli import explained
from uncrappify.errors import UserError


def chained(cause: BaseException) -> RuntimeError:
    """Wrap an exception as Kedro does with those of nodes and datasets."""
    try:
        raise RuntimeError("failed while saving") from cause
    except RuntimeError as error:
        return error


def test_a_users_mistake_is_found_below_the_wrappings_of_libraries():
    assert explained(chained(chained(UserError("no folder x")))) == "no folder x"


def test_a_full_disk_and_a_missing_permission_are_told_wherever_they_happen():
    full = explained(chained(OSError(errno.ENOSPC, "No space left on device", "/data/a.parquet")))
    assert full == "the disk is full (/data/a.parquet). Free space and run again; what is done is kept."
    forbidden = explained(chained(PermissionError(errno.EACCES, "Permission denied", "/data")))
    assert forbidden == "/data: no permission to write. Allow it and run again; what is done is kept."


def test_a_fault_of_the_program_is_not_explained_away():
    assert explained(chained(KeyError("psnr"))) is None
