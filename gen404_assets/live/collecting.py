"""DOWNLOADING: every miner's files are fetched, rendered and stored; what can't be fetched is
recorded with the reason."""

import random
import time
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.round import Round, is_in
from gen404_assets.competition.state import Stage
from gen404_assets.competition.submissions import file_url
from gen404_assets.live.cdns import Cdns, File, Limits
from gen404_assets.live.fetching import Download, Fetching
from gen404_assets.live.work import Overtaken, Work, state_file
from resources.disk import disk_faults

_SHORTEST_PAUSE = 0.1
"""Seconds; what is due may lie in the past already, and a queue takes no negative timeout."""
_MINERS_IN_A_ROW = 3
"""Files of so many miners must fail in a row before this side is taken to be out of order: what
one miner uploads may all be of a kind that can't be kept."""


@dataclass(frozen=True, slots=True)
class _Try:
    """A try that has ended. `download` raises what is no miner's fault."""

    file: File
    download: Future[Download]


def collect(work: Work) -> None:
    """Fetch what is missing, and publish it now and then and at the end, with the stage DUELS.

    A miner's fault is recorded, with its reason, and so is a bug that its URL, its server or its
    file brings out: the operator is told of it. What fails on this side is held against nobody. It
    is tried again alone; a file for which it still fails is left for a later run, and the others
    go on. The work ends at once with an InfrastructureFault where nothing goes on, and at its end
    where files are left; what is done has been published then.
    """
    due, current = work.due()
    if due.hotkeys(Asset.RENDERS) is None:
        return
    if due.stage is Stage.MINER_GENERATION:
        messages = [f"Round {work.number}: downloading"]
        work.publish(
            messages,
            {Stage.MINER_GENERATION},
            lambda now: state_file(now, Stage.DOWNLOADING, work.rules),
        )
        due, current = work.due()
    if due.stage is not Stage.DOWNLOADING:
        return
    with disk_faults("files can't be collected"):
        temporary = TemporaryDirectory(prefix="gen404-collect-", ignore_cleanup_errors=True)
    with temporary as folder:
        _Collection(work, current, Path(folder)).run()


class _Collection:
    def __init__(self, work: Work, current: Round, folder: Path) -> None:
        self.work = work
        self.format, self.stems, self.number = (
            current.config.output_format,
            current.stems,
            current.number,
        )
        self.collected: dict[str, dict[str, Output]] = defaultdict(dict)
        self.ended: SimpleQueue[_Try] = SimpleQueue()
        self.under_way: set[Future[Download]] = set()
        self.fetching = Fetching(work, self.number, self.format, folder)
        self.left: list[tuple[File, Exception]] = []
        """What could not be kept here."""
        self.in_a_row = 0
        """How many files of `left` since one came."""
        self.miners = 0
        """How many have files that are missing."""
        self.cdns = self._cdns(current)
        self.total, self.published = len(self.cdns), time.monotonic()

    def _cdns(self, current: Round) -> Cdns:
        """What is not recorded yet; each miner begins after a delay of its own, to spread the
        load."""
        pace = self.work.pace
        cdns = Cdns(
            Limits(pace.max_concurrent_downloads, pace.download_tries, pace.cdn_patience_seconds)
        )
        began = time.monotonic()
        for hotkey, submission in current.required_submissions.items():
            known = current.submitted(hotkey)
            missing = [stem for stem in self.stems if known is None or stem not in known]
            files = [self._file(current, hotkey, stem, submission.cdn_url) for stem in missing]
            self.miners += bool(files)
            cdns.add(hotkey, files, began + random.uniform(0, pace.download_jitter_seconds))  # noqa: S311 -- no secret
        return cdns

    def _file(self, current: Round, hotkey: str, stem: str, cdn_url: str) -> File:
        again = current.again.of_prompt(hotkey, stem)
        url = file_url(cdn_url, stem, self.format)
        stored = again[-1].before.model if again else None
        return File(hotkey, stem, url, again=len(again), stored=stored)

    def run(self) -> None:
        with ThreadPoolExecutor(self.work.pace.max_concurrent_downloads) as pool:
            try:
                self._gather(pool)
            # An interrupt, too: what has come is published before this run ends.
            except BaseException:
                self._stop()
                raise
        if self.left:
            self._publish_if_possible()
            raise self._fault()
        self.fetching.steadily(self._publish, last=True)
        self.fetching.tell()

    def _gather(self, pool: ThreadPoolExecutor) -> None:
        """Try what may be tried until nothing is left, and publish now and then."""
        while self.under_way or self.cdns:
            while file := self.cdns.start(time.monotonic()):
                self._try(pool, file)
            publish = self.published + self.work.pace.publish_interval_seconds
            pause = max(_SHORTEST_PAUSE, min(publish, self.cdns.next()) - time.monotonic())
            with suppress(Empty):
                self._take(self.ended.get(timeout=pause))
            self.fetching.tell()
            if time.monotonic() >= publish:
                self.published = time.monotonic()
                self._report()
                self._publish_if_possible()

    def _report(self) -> None:
        """Tell the operator how many files have come."""
        in_already = self.total - len(self.cdns) - len(self.under_way) - len(self.left)
        failing = (
            f"; CDNs that fail, and are tried again: {self.cdns.failing}"
            if self.cdns.failing
            else ""
        )
        self.work.say(f"{in_already} of {self.total} files are in{failing}")

    def _try(self, pool: ThreadPoolExecutor, file: File) -> None:
        download = pool.submit(self.fetching.fetch, file)
        self.under_way.add(download)
        download.add_done_callback(lambda done: self.ended.put(_Try(file, done)))

    def _take(self, ended: _Try) -> None:
        """Keep what a try has brought, have it repeated later, or leave it for a later run. Raises
        the fault where nothing goes on."""
        self.under_way.discard(ended.download)
        file = ended.file
        fault = ended.download.exception()
        if isinstance(fault, Exception):
            self._leave(file, fault)
            return
        done = ended.download.result()
        if isinstance(done.result, MinerFault):
            given_up = self.cdns.failed(file, done.result, done.began, done.ended)
        else:
            self.in_a_row = 0
            given_up = self.cdns.succeeded(file, done.ended - done.began)
            self.collected[file.hotkey][file.stem] = done.result
        for lost in given_up:
            self.collected[lost.hotkey][lost.stem] = self.fetching.entry(
                None, None, 0, lost.attempts, lost.reason
            )

    def _leave(self, file: File, fault: Exception) -> None:
        """A file that this side fails to keep: the others go on, unless all of them fail as well,
        whoever's they are."""
        self.cdns.set_aside(file)
        self.left.append((file, fault))
        self.in_a_row += 1
        self.work.say(f"{file.hotkey}, {file.stem}: left for later: {fault}")
        last = self.left[-self.in_a_row :]
        miners = min(_MINERS_IN_A_ROW, self.miners)
        if (
            self.in_a_row >= self.work.pace.max_concurrent_downloads
            and len({failed.hotkey for failed, _ in last}) >= miners
        ):
            raise self._fault()

    def _fault(self) -> Exception:
        """Why files are left; a bug as it is, so that its traceback is seen."""
        faults = [fault for _, fault in self.left]
        bug = next((each for each in faults if not isinstance(each, InfrastructureFault)), None)
        if bug is not None:
            return bug
        left = f"{len(faults)} of {self.total} files can't be kept here, and are tried again later"
        return InfrastructureFault(f"{left}: {faults[-1]}")

    def _stop(self) -> None:
        """Begin no further file; what comes nevertheless is published."""
        self.fetching.stopping.set()
        while self.under_way:
            ended = self.ended.get()
            self.under_way.discard(ended.download)
            if ended.download.exception() is None:
                result = ended.download.result().result
                if isinstance(result, Output):
                    self.collected[ended.file.hotkey][ended.file.stem] = result
        self.fetching.tell()
        with suppress(Overtaken):
            self._publish_if_possible()

    def _publish_if_possible(self) -> None:
        """What can't be published now is published later."""
        try:
            self._publish()
        except InfrastructureFault as fault:
            self.work.say(f"what has come is published later: {fault}")

    def _publish(self, *, last: bool = False) -> None:
        collected = {hotkey: dict(outputs) for hotkey, outputs in self.collected.items() if outputs}
        if not collected and not last:
            return
        messages = [
            f"Update submitted for round {self.number}, miner {hotkey[:10]}" for hotkey in collected
        ]

        def derive(now: Round) -> Mapping[str, bytes | None]:
            files: dict[str, bytes | None] = {}
            complete = last  # the stage goes on only with the last publication
            submissions = now.required_submissions
            for hotkey in (
                submissions.names
            ):  # a person may have added one, or a prompt, since: it is due then
                outputs = _joined(now.submitted(hotkey), collected.get(hotkey, {}), now.stems)
                complete = complete and is_in(outputs, now.stems)
                if hotkey in collected:
                    path = Asset.RENDERS.path(self.number, hotkey)
                    files[path] = outputs.to_bytes(now.files.read(path))
            return files | (state_file(now, Stage.DUELS, self.work.rules) if complete else {})

        self.work.publish(
            [f"Round {self.number}: duels", *messages] if last else messages,
            {Stage.DOWNLOADING},
            derive,
        )
        self.collected = defaultdict(dict)


def _joined(known: Outputs | None, collected: Mapping[str, Output], stems: list[str]) -> Outputs:
    """What the repository has, and what was collected besides, in the order of the prompts."""
    entries = dict(collected) | (known.root if known is not None else {})
    order = [stem for stem in stems if stem in entries]
    return Outputs({stem: entries[stem] for stem in dict.fromkeys([*order, *entries])})
