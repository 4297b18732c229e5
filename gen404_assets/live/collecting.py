"""DOWNLOADING: every miner's files are fetched, rendered and stored; what can't be had is recorded as such."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.round import Round, is_in, miner_path
from gen404_assets.competition.state import Stage
from gen404_assets.live.work import Work, state_file
from gpu.remarks import remarks_of
from resources.faults import MinerFault
from resources.object_store import ObjectConflict

_TYPES = {"glb": "model/gltf-binary", "ply": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt's file of one miner, to be fetched not before `ready` (monotonic seconds)."""

    hotkey: str
    stem: str
    url: str
    ready: float


def collect(work: Work) -> None:
    """Fetch what is missing, and publish it now and then and at the end, with the stage DUELS.

    A miner's fault is recorded, with its reason; one of ours ends the work with an InfrastructureFault, after what is
    done has been published, so that nothing is held against a miner.
    """
    due, current = work.due()
    if due.of("renders") is None:
        return
    if due.stage is Stage.MINER_GENERATION:
        messages = [f"Round {work.number}: downloading"]
        work.publish(messages, {Stage.MINER_GENERATION}, lambda now: state_file(now, Stage.DOWNLOADING, work.rules))
        due, current = work.due()
    if due.stage is not Stage.DOWNLOADING:
        return
    with TemporaryDirectory(prefix="gen404-collect-") as folder:
        _Collection(work, current, Path(folder)).run()


class _Collection:
    def __init__(self, work: Work, current: Round, folder: Path) -> None:
        self.work, self.folder = work, folder
        self.format, self.stems, self.number = current.config.output_format, current.stems, current.number
        self.submissions = current.need(current.path("submissions.json"), current.submissions)
        self.found: dict[str, dict[str, Output]] = defaultdict(dict)
        self.in_vain: dict[str, float] = defaultdict(float)
        self.stop = threading.Event()
        self.tasks = self._tasks(current)

    def _tasks(self, current: Round) -> list[Task]:
        """What is not recorded yet; each miner begins after a delay of its own, to spread the load."""
        tasks: list[Task] = []
        began = time.monotonic()
        for hotkey, submission in self.submissions.items():
            ready = began + random.uniform(0, self.work.pace.download_jitter_seconds)  # noqa: S311 -- no secret
            known = current.submitted(hotkey)
            tasks += [
                Task(hotkey, stem, f"{submission.cdn_url}/{stem}.{self.format}", ready)
                for stem in self.stems
                if known is None or stem not in known
            ]
        return sorted(tasks, key=lambda task: task.ready)

    def run(self) -> None:
        with ThreadPoolExecutor(self.work.pace.max_concurrent_downloads) as pool:
            pending = {pool.submit(self._fetch, task): task for task in self.tasks}
            try:
                self._gather(pending)
            except BaseException:
                self._give_up(pending)
                raise
        self._publish(last=True)

    def _give_up(self, pending: Mapping[Future[Output], Task]) -> None:
        """Begin no further file; what has come nevertheless is published."""
        self.stop.set()
        for future in pending:
            future.cancel()
        wait(pending)
        for future, task in pending.items():
            if not future.cancelled() and future.exception() is None:
                self.found[task.hotkey][task.stem] = future.result()
        self._publish()

    def _gather(self, pending: dict[Future[Output], Task]) -> None:
        """Take what is done out of `pending` until it is empty, and publish now and then."""
        total, published = len(pending), time.monotonic()
        while pending:
            finished, _ = wait(pending, timeout=1, return_when=FIRST_COMPLETED)
            for future in finished:
                output = future.result()
                task = pending.pop(future)
                self.found[task.hotkey][task.stem] = output
            if time.monotonic() - published > self.work.pace.publish_interval_seconds:
                published = time.monotonic()
                self.work.say(f"{total - len(pending)} of {total} files are in")
                self._publish()

    def _fetch(self, task: Task) -> Output:
        if self.stop.wait(max(0.0, task.ready - time.monotonic())):
            raise InterruptedError
        path = self.folder / f"{task.hotkey}-{task.stem}.{self.format}"
        attempts, reason = 0, f"its CDN has kept {self.work.pace.cdn_patience_seconds:.0f} s waiting in vain"
        try:
            while attempts < self.work.pace.download_tries and not self._out_of_patience(task.hotkey):
                attempts += 1
                began = time.monotonic()
                try:
                    size = self.work.outside.downloads.download(task.url, path)
                except MinerFault as fault:
                    reason = str(fault)
                    self.in_vain[task.hotkey] += time.monotonic() - began
                else:
                    return self._store(task, path, size, attempts)
            return self._output(None, None, 0, attempts, reason)
        finally:
            path.unlink(missing_ok=True)

    def _out_of_patience(self, hotkey: str) -> bool:
        """A CDN that lets every download run into its deadline would hold up everyone for hours."""
        return self.in_vain[hotkey] >= self.work.pace.cdn_patience_seconds

    def _store(self, task: Task, path: Path, size: int, attempt: int) -> Output:
        """The stored file with its preview; a file that can't be rendered keeps its URL, and the reason. Where the
        preview was drawn in spite of something in the file, the reason says of what."""
        key = miner_path(self.number, task.hotkey, f"submitted/{task.stem}")
        store = self.work.outside.store
        try:
            url = store.put(f"{key}.{self.format}", path, _TYPES[self.format])
        except ObjectConflict:  # an earlier attempt, cut off before it was recorded, got other bytes: they stand
            url = store.url(f"{key}.{self.format}")
            store.fetch(f"{key}.{self.format}", path)
            size = path.stat().st_size
        try:
            preview = self.work.outside.renderer.render(path, self.format)
        except MinerFault as fault:
            return self._output(url, None, size, attempt, str(fault))
        with suppress(ObjectConflict):  # likewise, drawn on another machine
            store.put(f"{key}.png", preview, "image/png")
        return self._output(url, store.url(f"{key}.png"), size, attempt, remarks_of(preview))

    def _output(self, model: str | None, png: str | None, size: int, attempts: int, reason: str = "") -> Output:
        content: dict[str, object] = {self.format: model, "png": png, "generation_time": 0.0, "size": size}
        content |= {"attempts": attempts, "distance": 0.0} | ({"reason": reason} if reason else {})
        return Output.model_validate(content)

    def _publish(self, *, last: bool = False) -> None:
        found = {hotkey: dict(outputs) for hotkey, outputs in self.found.items() if outputs}
        if not found and not last:
            return
        messages = [f"Update submitted for round {self.number}, miner {hotkey[:10]}" for hotkey in found]

        def derive(now: Round) -> Mapping[str, bytes | None]:
            files: dict[str, bytes | None] = {}
            complete = last
            submissions = now.need(now.path("submissions.json"), now.submissions)
            for hotkey in submissions.names:  # a person may have added one, or a prompt, since: it is due then
                outputs = _joined(now.submitted(hotkey), found.get(hotkey, {}), now.stems)
                complete = complete and is_in(outputs, now.stems)
                if hotkey in found:
                    path = miner_path(self.number, hotkey, "submitted.json")
                    files[path] = outputs.to_bytes(now.files.read(path))
            return files | (state_file(now, Stage.DUELS, self.work.rules) if complete else {})

        self.work.publish([f"Round {self.number}: duels", *messages] if last else messages, {Stage.DOWNLOADING}, derive)
        self.found = defaultdict(dict)


def _joined(known: Outputs | None, found: Mapping[str, Output], stems: list[str]) -> Outputs:
    """What the repository has, and what was found beside it, in the order of the prompts."""
    entries = dict(found) | (known.root if known is not None else {})
    order = [stem for stem in stems if stem in entries]
    return Outputs({stem: entries[stem] for stem in [*order, *(stem for stem in entries if stem not in set(order))]})
