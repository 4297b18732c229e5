"""A regeneration whose outputs are published while it runs: the leader's baseline, and audits."""

import time
from dataclasses import dataclass
from threading import Event

from gen404_assets.competition.catalogue import POD_STATS, Asset
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.outputs import Outputs, PodStatsFile
from gen404_assets.competition.round import Round, miner_path, read_file
from gen404_assets.competition.state import WITH_IMAGES
from gen404_assets.live.regenerating import Cancelled, Regenerated
from gen404_assets.live.results import Subject
from gen404_assets.live.work import Derive, Overtaken, Work


class PublishedOutputs:
    """The outputs that this run has published of a hotkey's regeneration, or is about to.

    If the repository holds any others, somebody else has changed them.
    """

    def __init__(self, hotkey: str, at_start: Outputs | None) -> None:
        self.hotkey = hotkey
        self._versions = [at_start]

    def publication(self, outputs: Outputs, pods: PodStatsFile) -> Derive:
        """What publishes these outputs, with the statistics of the pods that made them. Call it in
        the order in which outputs were made.

        A push can hang for so long that later outputs are published before it: then they stay.
        What is returned raises Cancelled if somebody else has changed the outputs: the regeneration
        begins again from that change.
        """
        number = len(self._versions)
        self._versions.append(outputs)

        def files(now: Round) -> dict[str, bytes | None]:
            recorded = now.generated(self.hotkey)
            # One of ours that is older: these outputs come after it.
            if recorded in self._versions[:number]:
                return _files(now, self.hotkey, outputs, pods)
            if recorded in self._versions:
                return {}
            raise Cancelled(f"somebody has changed generated.json of {self.hotkey}")

        return files


def _files(
    now: Round, hotkey: str, outputs: Outputs, pods: PodStatsFile
) -> dict[str, bytes | None]:
    outputs_path = Asset.REGENERATED.path(now.number, hotkey)
    stats_path = miner_path(now.number, hotkey, POD_STATS)
    earlier = read_file(now.files, stats_path, PodStatsFile) or PodStatsFile({})
    stats = PodStatsFile({**earlier.root, **pods.root})  # with the pods of earlier runs
    return {
        outputs_path: outputs.to_bytes(now.files.read(outputs_path)),
        stats_path: stats.to_bytes(now.files.read(stats_path)),
    }


@dataclass(frozen=True, slots=True)
class ImageRun:
    """The run of one hotkey's image on the round's prompts.

    `submitted`: the outputs that an audit compares with; None for the baseline.
    """

    published: PublishedOutputs
    image: str
    submitted: Outputs | None = None

    @property
    def hotkey(self) -> str:
        return self.published.hotkey

    @property
    def asset(self) -> Asset:
        """The asset that the run is for: it is wanted for as long as that is due."""
        return Asset.BASELINE if self.hotkey == LEADER else Asset.AUDITS


def regenerate_and_publish(
    work: Work, current: Round, run: ImageRun, stopped: Event
) -> Regenerated:
    """Run an image, and publish its outputs so far every `PUBLISH_INTERVAL_SECONDS`.

    Raises Cancelled once `stopped` is set or the run is no longer wanted, and InfrastructureFault
    if it could not go on, from which nothing follows for the hotkey.
    """
    subject = Subject(
        round=work.number,
        hotkey=run.hotkey,
        image=run.image,
        seed=current.required_seed.seed,
        prompts=work.outside.pictures.urls(work.number, current.prompts_with_picture),
        output_format=current.config.output_format,
        submitted=run.submitted,
        generated=current.generated(run.hotkey),
    )
    contact = _Contact(work, run, stopped)
    return work.outside.regenerate(subject, work.say, contact.publish, contact.is_unwanted)


def outputs_message(number: int, hotkey: str) -> str:
    """The message of a commit that publishes outputs that were regenerated."""
    return f"Update generated for round {number}, miner {short(hotkey)}"


class _Contact:
    """What a run that goes on has to do with the repository: it publishes its outputs so far, and
    asks whether it is still wanted.

    A repository that can't be reached, or holds a file that can't be read, neither ends the run nor
    costs it its pods: they go on working until that is over.
    """

    def __init__(self, work: Work, run: ImageRun, stopped: Event) -> None:
        self._work, self._run, self._stopped = work, run, stopped
        self._last = time.monotonic()
        self._trouble = ""

    def publish(self, outputs: Outputs, pods: PodStatsFile) -> bool:
        """Publish the outputs so far, unless the last publication was a moment ago; whether they
        were published.
        """
        work, published = self._work, self._run.published
        if time.monotonic() - self._last < work.pace.publish_interval_seconds:
            return False
        self._last = time.monotonic()
        message = outputs_message(work.number, published.hotkey)
        try:
            work.publish([message], WITH_IMAGES, published.publication(outputs, pods))
        except (InfrastructureFault, MalformedFile) as error:
            self._tell(f"the outputs of {published.hotkey} so far are published later", error)
            return False
        self._trouble = ""
        return True

    def is_unwanted(self) -> bool:
        """Whether the run is to end: it was stopped, or its asset is no longer due."""
        if self._stopped.is_set():
            return True
        try:
            due, _ = self._work.due()
        except Overtaken:
            return True
        except (InfrastructureFault, MalformedFile) as error:
            self._tell(f"whether {self._run.hotkey} is still wanted isn't known", error)
            return False
        return self._run.hotkey not in (due.hotkeys(self._run.asset) or ())

    def _tell(self, what: str, error: InfrastructureFault | MalformedFile) -> None:
        """Tell the operator, once for each trouble; a file that a person must mend is an alert."""
        message = f"{what}: {error}"
        if message == self._trouble:
            return
        self._trouble = message
        tell = self._work.alert if isinstance(error, MalformedFile) else self._work.say
        tell(message)
