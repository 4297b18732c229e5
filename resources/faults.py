"""Whose fault a failure is. What is raised and is neither of these is a bug."""


class MinerFault(Exception):
    """A miner's doing: its file, its server or its code. The message is the reason that the round records."""


class InfrastructureFault(Exception):
    """The outside is out of order. Nothing follows from it: what was asked for stays open and is tried again."""
