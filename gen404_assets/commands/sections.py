"""A click group whose help lists its commands under headings."""

from collections.abc import Callable
from typing import Any

import click


class Sections(click.Group):
    """A group of commands. Each is added with the `section` that it is listed under."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._sections: dict[str, list[str]] = {}

    def command(  # type: ignore[override]  # one keyword more than click's own
        self, *arguments: Any, section: str, **options: Any
    ) -> Callable[[Callable[..., Any]], click.Command]:
        """Add a command under the heading `section`."""
        add = super().command(*arguments, **options)

        def added(function: Callable[..., Any]) -> click.Command:
            command: click.Command = add(function)
            self._sections.setdefault(section, []).append(str(command.name))
            return command

        return added

    def include(self, command: click.Command, *, section: str) -> None:
        """Add a command of another module under the heading `section`."""
        self.add_command(command)
        self._sections.setdefault(section, []).append(str(command.name))

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 -- click's own signature
        formatter: click.HelpFormatter,
    ) -> None:
        """The commands with their first sentences, under their headings."""
        for section, names in self._sections.items():
            with formatter.section(section):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(80)) for name in names]
                )

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, heading by heading."""
        return [name for names in self._sections.values() for name in names]
