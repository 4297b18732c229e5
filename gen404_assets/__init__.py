"""The competition as a Dagster asset graph; `competition` below holds its rules, free of any
I/O. `from gen404_assets import frames_of` gives the rounds as pandas data frames.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gen404_assets.frames import frames_of
else:

    def __getattr__(name: str) -> object:
        """`frames_of`, imported when asked for: to import a module of the package takes no more
        than that module.
        """
        if name != "frames_of":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from gen404_assets.frames import frames_of  # noqa: PLC0415

        return frames_of


__all__ = ["frames_of"]
