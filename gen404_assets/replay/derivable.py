"""What it would take to derive a file that a replay takes as recorded."""

from gen404_assets.competition.catalogue import Asset
from gen404_assets.replay.result import FileReplay, Finding

_BY_REASON = {
    "it was drawn at random": "derivable with `block` and `block_hash` in seed.json, as today",
    "no seed or no pool is recorded": "derivable with seed.json, and the pool of then",
    "a person wrote it before the competition": "never derivable: a person chose the first start",
}
_MADE_AGAIN = (
    "never the same bytes again; the image, asked with a prompt and the round's seed "
    "(`gen404 check --container`), comes near"
)
_BY_ASSET = {
    Asset.RENDERS: "derivable with the files at the URLs: `gen404 render` draws each again",
    Asset.BASELINE: _MADE_AGAIN,
    Asset.REGENERATED: _MADE_AGAIN,
    Asset.SOURCE_AUDITS: "never derivable: a person decides it; the file says why",
}


def derivable_with(file: FileReplay) -> str:
    """What would make a file derivable that isn't, as a line to show; empty where it is, or where
    that isn't known.
    """
    if file.finding is not Finding.NOT_DERIVABLE:
        return ""
    if file.reason in _BY_REASON:
        return _BY_REASON[file.reason]
    return _BY_ASSET.get(Asset(file.asset), "") if file.asset in {*Asset} else ""
