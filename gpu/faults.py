"""The ways in which a picture can fail to come about."""


class Refused(Exception):
    """The file can't be shown; the message is the reason, a sentence that its maker can act on."""


class Unreadable(Refused):
    """A part of the file is broken or missing. Who can do without the part draws the file all the
    same.
    """


class RendererDown(Exception):
    """The renderer can't work, or has no room just now; nothing is said about the file."""
