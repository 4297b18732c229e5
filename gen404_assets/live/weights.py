"""A validator's weights, set by the leader file at the repository's head: from a file and a chain
that can be believed, and never twice for the same.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.leader import Leader, Transition
from gen404_assets.competition.round import LEADERS, read_file, required
from gen404_assets.competition.weights import Acted, StaleLeaders, shares, why_not
from gen404_assets.live.outside import Outside
from resources.chain.opening import ChainSettings, open_chain
from resources.chain.subtensor import AskedChain
from resources.chain.weights import DEADLINE, ValidatorSettings, Weights, WeightsSet, hotkey_of
from resources.disk import disk_faults
from resources.file_lock import locked
from resources.own_files import read_own
from resources.repository import Snapshot
from resources.settings import read_settings
from resources.whole_file import write_whole

RECORD = "weights.json"
"""In the home: what weights were set from last."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: why nothing was set, or the weights by uid, from whose entry, and the block
    they are in.
    """

    why_not: str
    entry: Transition | None = None
    weights: Mapping[int, float] | None = None
    placed: WeightsSet | None = None

    def text(self) -> str:
        """For a person."""
        if self.weights is None or self.placed is None:
            return f"no weights set: {self.why_not}"
        weights = ", ".join(f"uid {uid}: {weight:g}" for uid, weight in self.weights.items())
        leader = f"{self.entry.hotkey} leads" if self.entry else "nobody leads"
        hidden = "; committed, and revealed by the chain later" if self.placed.hidden else ""
        return f"{leader}: {weights}, set and read back at block {self.placed.block}{hidden}"


def set_weights(outside: Outside, home: Path, *, now: bool = False) -> Outcome:
    """Set the weights of the validator whose wallet the settings name, on the chain that they name.

    See `give_weights`.
    """
    home.mkdir(parents=True, exist_ok=True)
    chain = open_chain(outside.environment, deadline=DEADLINE)
    try:
        with locked(home / "weights.lock"):  # a command and the sensor's run may meet
            return give_weights(outside, chain, home, now=now)
    finally:
        chain.close()


def give_weights(outside: Outside, chain: AskedChain, home: Path, *, now: bool = False) -> Outcome:
    """Set weights on a chain where it is time; with `now`, although the same were set a moment ago.

    Raises BadSetting for a wallet that can't be used, MalformedFile for a leader file that is no
    legal one, and InfrastructureFault for a repository or a chain that can't be believed or
    reached: an unsigned head where signers are named, one that doesn't follow the head that was
    acted on, a leader file that has lost its entry, a node that lags, and weights that the chain
    doesn't hold afterwards.
    """
    settings = read_settings(ValidatorSettings, outside.environment)
    hotkey = hotkey_of(settings)
    block = chain.finalized().number
    snapshot = outside.repository.snapshot(outside.repository.refresh())
    acted = acted_on(home)
    try:
        leaders = followed_leaders(snapshot, acted)
        reason = why_not(leaders, block, acted)
    except StaleLeaders as stale:
        meant = f"if a person meant that, remove {home / RECORD}"
        raise InfrastructureFault(f"{stale}; {meant}") from stale
    if reason.held_back or (reason.text and not now):
        return Outcome(reason.text)
    netuid = read_settings(ChainSettings, outside.environment).netuid
    entry, on_chain = leaders.at(block), Weights(chain, netuid)
    weights = shares(entry, on_chain.uids(), settings.subnet_owner_uid)
    placed = on_chain.set(hotkey, weights)
    _record(home, Acted(snapshot.commit.sha, entry, block))
    return Outcome("", entry, weights, placed)


def followed_leaders(snapshot: Snapshot, acted: Acted | None) -> Leader:
    """The leader file at a head. Raises MalformedFile, or StaleLeaders where the head doesn't
    follow the one that was acted on: an old copy of the repository, or a rewritten one.
    """
    if acted is not None and acted.commit != snapshot.commit.sha and not _follows(snapshot, acted):
        raise StaleLeaders(
            f"the head {snapshot.commit.sha[:7]} doesn't follow {acted.commit[:7]}, from which "
            "weights were set: the repository is an old copy, or was rewritten"
        )
    return required(LEADERS, read_file(snapshot, LEADERS, Leader))


def _follows(snapshot: Snapshot, acted: Acted) -> bool:
    return any(commit.sha == acted.commit for commit in snapshot.commits)


def acted_on(home: Path) -> Acted | None:
    """What weights were set from last on this machine."""
    return read_own(home / RECORD, _parsed)


def _parsed(content: bytes) -> Acted:
    known = json.loads(content)
    entry = known["entry"]
    return Acted(
        str(known["commit"]),
        None if entry is None else Transition.model_validate(entry),
        int(known["block"]),
    )


def _record(home: Path, acted: Acted) -> None:
    entry = acted.entry.model_dump(mode="json") if acted.entry else None
    content = json.dumps({"commit": acted.commit, "entry": entry, "block": acted.block})
    with disk_faults("what weights were set from can't be kept"):
        home.mkdir(parents=True, exist_ok=True)
        write_whole(home / RECORD, content.encode())
