"""What a person asks for and can't have."""


class Refused(Exception):
    """What was asked for can't be done as things stand; the message says why."""
