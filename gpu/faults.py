"""Why a picture could not be drawn: the file's fault, or the renderer's."""


class Refused(Exception):
    """The file can't be shown; the message is the reason, a sentence that its maker can act on."""


class Unreadable(Refused):
    """A part of the file is broken or missing. The caller may catch it and draw the file without
    that part.
    """


class RendererDown(Exception):
    """The renderer can't work, or is busy; this says nothing about the file."""
