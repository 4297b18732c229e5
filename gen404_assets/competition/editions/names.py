"""What the command line offers of the editions, without the time that loading them takes."""

from typing import Literal, get_args

EditionName = Literal["competition-0", "competition-1", "competition-2"]
EDITION_NAMES: tuple[EditionName, ...] = get_args(EditionName)
EDITION_VERSIONS = ("overtime=35s", "overtime=none")
"""Versions of rules, `rule=version`, that editions other than competition 1's have."""
