"""Work on the round under way: it sees the repository's head, and publishes only while the round is
where it was.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta

from pydantic import Field

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.due import Due, due
from gen404_assets.competition.history import History
from gen404_assets.competition.quantities import Count, Patience, Seconds, Timeout
from gen404_assets.competition.round import (
    CONFIG,
    LEADERS,
    STATE,
    Files,
    Round,
    read_file,
    require_files,
    required,
    round_path,
)
from gen404_assets.competition.settings import BLOCK_SECONDS, Rules
from gen404_assets.competition.state import Stage, State, advance
from gen404_assets.competition_repository import history_of
from gen404_assets.live.outside import Outside
from resources.chain.subtensor import Block
from resources.repository import Snapshot
from resources.settings import Settings, read_settings

Derive = Callable[[Round], Mapping[str, bytes | None]]


class Overtaken(Exception):
    """The round went on, or was paused, without this work; what is due now is asked anew."""


class Pace(Settings):
    """How hard the outside is worked."""

    max_concurrent_downloads: Count = Field(10, description="files fetched from CDNs at a time")
    download_jitter_seconds: Patience = Field(
        300.0, description="seconds, at most, by which a file's download is put off at random"
    )
    download_tries: Count = Field(2, description="tries of a file that a CDN does not have")
    cdn_patience_seconds: Timeout = Field(
        1800.0, description="seconds that a CDN may cost in waits and failed downloads"
    )
    fault_patience_seconds: Patience = Field(
        60.0,
        description="seconds for which a collection tries again to draw, store or publish what "
        "fails on this side, before it leaves it for a later run",
    )
    prompt_patience_seconds: Timeout = Field(
        180.0, description="seconds for which an opening round tries to have each prompt's picture"
    )
    publish_interval_seconds: Patience = Field(
        60.0, description="seconds between two commits of what a regeneration has made so far"
    )
    build_poll_seconds: Seconds = Field(
        30.0, description="seconds between two looks at GitHub's builds"
    )
    max_concurrent_duels: Count = Field(
        8, description="duels judged at a time; a duel is two questions"
    )
    judge_patience_seconds: Patience = Field(
        6 * 3600.0, description="seconds without an answer after which a judging run gives up"
    )
    canary_seconds: float = Field(
        120.0,
        ge=0.01,
        le=300,
        description="seconds between two canary duels, which show that the judge is in order",
    )
    max_concurrent_miners: Count = Field(4, description="images regenerated at a time")


class RoundFiles(Files):
    """A snapshot whose small files of one round, and shared ones, are read at once; the others when
    asked for.
    """

    def __init__(self, snapshot: Snapshot, number: int) -> None:
        self._snapshot = snapshot
        self._folder = round_path(number, "")
        self._blobs = snapshot.listed(
            [self._folder.rstrip("/"), STATE, CONFIG, LEADERS], below=True
        )
        reports = f"/{Asset.DUELS.entry.name}"
        small = {path: blob for path, blob in self._blobs.items() if reports not in path}
        contents = snapshot.read_blobs(small.values())
        self._read: dict[str, bytes | None] = {path: contents[blob] for path, blob in small.items()}

    def read(self, path: str) -> bytes | None:
        if path not in self._read:
            self._read[path] = self._asked(path)
        return self._read[path]

    def _asked(self, path: str) -> bytes | None:
        if not path.startswith(self._folder):
            return self._snapshot.read(path)
        blob = self._blobs.get(path)
        return None if blob is None else self._snapshot.read_blob(blob)


def see(snapshot: Snapshot) -> Round:
    """The round under way at a snapshot. Raises MalformedFile if there is none."""
    state = required(STATE, read_file(snapshot, STATE, State))
    return Round(RoundFiles(snapshot, state.current_round), state.current_round)


class Work:
    """One lane's work on round `number`; `say` tells the operator how far it is, `alert` (or `say`)
    what is wrong.
    """

    def __init__(
        self,
        outside: Outside,
        number: int,
        say: Callable[[str], None],
        alert: Callable[[str], None] | None = None,
    ) -> None:
        self.outside, self.number, self.say, self.alert = outside, number, say, alert or say
        self.rules = outside.rules
        self.pace = read_settings(Pace, outside.environment)

    def head(self) -> Round:
        """The round at the repository's head. Raises Overtaken if another one is under way, and
        MalformedFile where a file is missing that its stage rests on.
        """
        repository = self.outside.repository
        current = see(repository.snapshot(repository.refresh()))
        if current.number != self.number:
            raise Overtaken(f"round {current.number} is under way, not {self.number}")
        require_files(current, current.required_state.stage)
        return current

    def history(self) -> History:
        """The repository's past, up to the head that was seen last."""
        return history_of(self.outside.repository.snapshot())

    def due(self) -> tuple[Due, Round]:
        """What is due at the head and the finalised block. Raises Overtaken."""
        current = self.head()
        return due(current.files, self.outside.chain.finalized().number), current

    def publish(self, messages: Sequence[str], stages: Collection[Stage], derive: Derive) -> None:
        """Publish what `derive` gives for the round at the head, as one commit dated by the chain.

        Raises Overtaken, with nothing published, if the round is in none of `stages` any more, and
        MalformedFile where a file is missing that the stage rests on.
        """

        def at_head(snapshot: Snapshot) -> Mapping[str, bytes | None]:
            current = see(snapshot)
            state = current.state
            if current.number != self.number or state is None or state.stage not in stages:
                stage = state.stage if state else "nowhere"
                raise Overtaken(f"round {current.number} is {stage} now")
            require_files(current, state.stage)
            return derive(current)

        self.outside.repository.publish("\n".join(messages), at_head, time=self.outside.now())
        self.say(
            "; ".join(messages[:3])
            + (f" and {len(messages) - 3} more" if len(messages) > 3 else "")
        )


def time_at(block: Block, number: int) -> str:
    """When block `number` is expected, reckoned from `block` at 12 s each: ISO-8601 UTC."""
    expected = block.time + timedelta(seconds=(number - block.number) * BLOCK_SECONDS)
    return f"{expected:%Y-%m-%dT%H:%M:%SZ}"


def state_file(current: Round, to: Stage, rules: Rules, eta: str | None = None) -> dict[str, bytes]:
    """`state.json` with the stage `to`, held before it by a pause where that is set."""
    state = current.required_state
    after = advance(state, to, eta=eta, pause=rules.pause_on_stage_end)
    return {STATE: after.to_bytes(current.files.read(STATE))}
