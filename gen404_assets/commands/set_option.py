"""Options of the command line that an environment variable may set."""

import click


class SetOption(click.Option):
    """An option whose variable counts as unset where it is blank."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        return (super().resolve_envvar_value(ctx) or "").strip() or None


branch_option = click.option(
    "--branch",
    cls=SetOption,
    envvar="GITHUB_BRANCH",
    default="main",
    show_default=True,
    help="Its branch.",
)
