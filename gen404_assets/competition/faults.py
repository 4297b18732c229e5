"""Whose fault a failure is. What is raised and is neither of these is a bug."""

from gen404_assets.competition.plain_text import plain


class _Fault(Exception):
    """A failure whose text may quote what is outside: it is plain."""

    def __init__(self, *words: object) -> None:
        super().__init__(*(plain(each) if isinstance(each, str) else each for each in words))


class MinerFault(_Fault):
    """A miner's doing: its file, its server or its code. The message is the reason that the round
    records.
    """


class TryLater(MinerFault):
    """A miner's server fails in a way that may pass: it is busy, down or out of reach.

    `after` is how many seconds the server asks to be left alone, None where it doesn't say.
    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class InfrastructureFault(_Fault):
    """The outside is out of order. Nothing follows from it: what was asked for stays open and is
    tried again.
    """
