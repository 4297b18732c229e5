"""What every reading of a setting from the environment raises."""


class BadSetting(ValueError):
    """A setting from the environment that can't be used; the message names it and what was
    expected.
    """
