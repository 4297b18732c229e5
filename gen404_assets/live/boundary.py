"""The boundary around what comes from one miner: what it raises stops nobody else."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gen404_assets.competition.faults import InfrastructureFault, MinerFault

_LOG = logging.getLogger(__name__)


@contextmanager
def held_against_miner(what: str, alert: Callable[[str], None]) -> Iterator[None]:
    """Turn whatever a miner's URL, file or answer raises in the block into a MinerFault.

    An exception that nobody has foreseen is a bug of the platform: `alert` tells the operator, and
    the log has its traceback. It stops nobody else. What this machine lacks (OSError, MemoryError,
    ImportError) is not the miner's doing, and is raised as it is.
    """
    try:
        yield
    # Before the next clause, which would hold them against the miner.
    except (MinerFault, InfrastructureFault, OSError, MemoryError, ImportError):
        raise
    except Exception as error:
        _LOG.exception("%s made the platform fail", what)
        kind = type(error).__name__
        alert(f"a bug: {what} raised {kind}, which is held against its miner: {error}")
        raise MinerFault(f"it can't be handled ({kind})") from error
