"""`gen404 weights`: a validator's weights, set once."""

import click


@click.command()
@click.option("--now", is_flag=True, help="Set them although 30 minutes haven't passed.")
def weights(*, now: bool) -> None:
    """Set a validator's weights from leader.json where it is time, and read them back.

    It takes COMPETITION_REPO and a wallet (WALLET_NAME, WALLET_HOTKEY). Weights are set every 30
    minutes and right after a change, never in the 25 minutes before one, and only from a leader
    file and a node of the chain that can be believed.
    """
    from gen404_assets.commands.opening import with_outside  # noqa: PLC0415 -- only for this
    from gen404_assets.live.weights import set_weights  # noqa: PLC0415
    from gen404_assets.settings import home  # noqa: PLC0415

    print(with_outside(set_weights, home(), now=now).text())
