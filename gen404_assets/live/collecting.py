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

from gen404_assets.competition.faults import MinerFault
from gen404_assets.competition.output_formats import OUTPUT_FORMATS
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.round import Round, is_in, miner_path
from gen404_assets.competition.state import Stage
from gen404_assets.live.boundary import held_against_miner
from gen404_assets.live.cdns import Cdns, File, Limits
from gen404_assets.live.work import Work, state_file
from gpu.remarks import remarks_of
from resources.object_store import ObjectConflict

_SHORTEST_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class _Try:
    """A try to fetch a file that has ended: `result` holds its entry, or what it was refused or
    failed for."""

    file: File
    began: float
    ended: float
    result: Future[Output]


def collect(work: Work) -> None:
    """Fetch what is missing, and publish it now and then and at the end, with the stage DUELS.

    A miner's fault is recorded, with its reason; one of ours ends the work with an
    InfrastructureFault, after what is done has been published, so that nothing is held against a
    miner.
    """
    due, current = work.due()
    if due.hotkeys("renders") is None:
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
    with TemporaryDirectory(prefix="gen404-collect-") as folder:
        _Collection(work, current, Path(folder)).run()


class _Collection:
    def __init__(self, work: Work, current: Round, folder: Path) -> None:
        self.work, self.folder = work, folder
        self.format, self.stems, self.number = (
            current.config.output_format,
            current.stems,
            current.number,
        )
        self.collected: dict[str, dict[str, Output]] = defaultdict(dict)
        self.ended: SimpleQueue[_Try] = SimpleQueue()
        self.under_way: set[Future[Output]] = set()
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
            files = [
                File(hotkey, stem, f"{submission.cdn_url}/{stem}.{self.format}") for stem in missing
            ]
            cdns.add(hotkey, files, began + random.uniform(0, pace.download_jitter_seconds))  # noqa: S311 -- no secret
        return cdns

    def run(self) -> None:
        with ThreadPoolExecutor(self.work.pace.max_concurrent_downloads) as pool:
            try:
                self._gather(pool)
            except BaseException:
                self._stop()
                raise
        self._publish(last=True)

    def _gather(self, pool: ThreadPoolExecutor) -> None:
        """Try what may be tried until nothing is left, and publish now and then."""
        while self.under_way or self.cdns:
            while file := self.cdns.start(time.monotonic()):
                self._try(pool, file)
            publish = self.published + self.work.pace.publish_interval_seconds
            pause = max(_SHORTEST_PAUSE, min(publish, self.cdns.next()) - time.monotonic())
            with suppress(Empty):
                self._take(self.ended.get(timeout=pause))
            if time.monotonic() >= publish:
                self.published = time.monotonic()
                self._report()
                self._publish()

    def _report(self) -> None:
        """Tell the operator how many files have come."""
        in_already = self.total - len(self.cdns) - len(self.under_way)
        failing = (
            f"; CDNs that fail, and are tried again: {self.cdns.failing}"
            if self.cdns.failing
            else ""
        )
        self.work.say(f"{in_already} of {self.total} files are in{failing}")

    def _try(self, pool: ThreadPoolExecutor, file: File) -> None:
        began = time.monotonic()
        result = pool.submit(self._fetch, file)
        self.under_way.add(result)
        result.add_done_callback(
            lambda done: self.ended.put(_Try(file, began, time.monotonic(), done))
        )

    def _take(self, ended: _Try) -> None:
        """Keep what a try has brought, or have it repeated later. Raises what is no miner's
        fault."""
        self.under_way.discard(ended.result)
        try:
            output = ended.result.result()
        except MinerFault as fault:
            for file in self.cdns.failed(ended.file, fault, ended.began, ended.ended):
                self.collected[file.hotkey][file.stem] = self._output(
                    None, None, 0, file.attempts, file.reason
                )
        else:
            self.cdns.succeeded(ended.file)
            self.collected[ended.file.hotkey][ended.file.stem] = output

    def _stop(self) -> None:
        """Begin no further file; what comes nevertheless is published."""
        while self.under_way:
            ended = self.ended.get()
            self.under_way.discard(ended.result)
            if ended.result.exception() is None:
                self.collected[ended.file.hotkey][ended.file.stem] = ended.result.result()
        self._publish()

    def _fetch(self, file: File) -> Output:
        """The entry of a file that came. Raises MinerFault if it didn't."""
        path = self.folder / f"{file.hotkey}-{file.stem}.{self.format}"
        try:
            with held_against_miner(f"the URL {file.url[:200]!r}", self.work.alert):
                size = self.work.outside.downloads.download(file.url, path)
            return self._store(file, path, size)
        finally:
            path.unlink(missing_ok=True)

    def _store(self, file: File, path: Path, size: int) -> Output:
        """The stored file with its preview; a file that can't be rendered keeps its URL, and the
        reason. Where the preview was drawn in spite of something in the file, the reason says of
        what."""
        key = miner_path(self.number, file.hotkey, f"submitted/{file.stem}")
        store = self.work.outside.store
        try:
            url = store.put(f"{key}.{self.format}", path, OUTPUT_FORMATS[self.format])
        except (
            ObjectConflict
        ):  # an earlier attempt, cut off before it was recorded, got other bytes: they stand
            url = store.url(f"{key}.{self.format}")
            store.fetch(f"{key}.{self.format}", path)
            size = path.stat().st_size
        try:
            with held_against_miner(f"the file {url}", self.work.alert):
                preview = self.work.outside.renderer.render(path, self.format)
                remarks = remarks_of(preview)
        except MinerFault as fault:
            return self._output(url, None, size, file.attempts, str(fault))
        with suppress(ObjectConflict):  # likewise, drawn on another machine
            store.put(f"{key}.png", preview, "image/png")
        return self._output(url, store.url(f"{key}.png"), size, file.attempts, remarks)

    def _output(
        self, model: str | None, png: str | None, size: int, attempts: int, reason: str = ""
    ) -> Output:
        content: dict[str, object] = {
            self.format: model,
            "png": png,
            "generation_time": 0.0,
            "size": size,
        }
        content |= {"attempts": attempts, "distance": 0.0} | ({"reason": reason} if reason else {})
        return Output.model_validate(content)

    def _publish(self, *, last: bool = False) -> None:
        collected = {hotkey: dict(outputs) for hotkey, outputs in self.collected.items() if outputs}
        if not collected and not last:
            return
        messages = [
            f"Update submitted for round {self.number}, miner {hotkey[:10]}" for hotkey in collected
        ]

        def derive(now: Round) -> Mapping[str, bytes | None]:
            files: dict[str, bytes | None] = {}
            complete = last
            submissions = now.required_submissions
            for hotkey in (
                submissions.names
            ):  # a person may have added one, or a prompt, since: it is due then
                outputs = _joined(now.submitted(hotkey), collected.get(hotkey, {}), now.stems)
                complete = complete and is_in(outputs, now.stems)
                if hotkey in collected:
                    path = miner_path(self.number, hotkey, "submitted.json")
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
    return Outputs(
        {
            stem: entries[stem]
            for stem in [*order, *(stem for stem in entries if stem not in set(order))]
        }
    )
