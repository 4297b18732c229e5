"""The disk of the machine, when it fails: full, read-only, over quota or broken."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from gen404_assets.competition.faults import InfrastructureFault


@contextmanager
def disk_faults(doing: str) -> Iterator[None]:
    """Work with files of this machine: an OSError in it is an InfrastructureFault that says what
    was being done, on which file, and why it failed.
    """
    try:
        yield
    except OSError as error:
        raise disk_fault(doing, error) from error


def disk_fault(doing: str, error: OSError) -> InfrastructureFault:
    """One sentence of an OSError, and what to do where the disk is at fault."""
    reason = error.strerror or type(error).__name__
    where = f" ({error.filename})" if error.filename else ""
    return InfrastructureFault(f"{doing}: {reason}{where}{_advice(error)}")


def _advice(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "; free some space on the disk"
    if error.errno == errno.EROFS:
        return "; the disk must be writable"
    return ""
