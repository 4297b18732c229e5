"""Rounds as they are typed."""

import re

import click


class RoundRange(click.ParamType[range]):
    """A round such as `3`, or a range of rounds such as `0-6`."""

    name = "N[-M]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> range:
        """The rounds. Fails for any other text."""
        if isinstance(value, range):
            return value
        match = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", str(value))
        if not match or int(match[2] or match[1]) < int(match[1]):
            self.fail(f"{value!r} is neither a round (3) nor a range of rounds (0-6)", param, ctx)
        return range(int(match[1]), int(match[2] or match[1]) + 1)
