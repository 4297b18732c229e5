"""Where clean workers come from: the template that is forked, or on a GPU templates that each
become one worker, started ahead.
"""

import itertools
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu.faults import RendererDown
from gpu.workers.process import WATCH, Died, Template, Worker, worker_environment
from gpu.workers.sandbox import FILES

# A template takes 2 to 10 s once `gen404 warm-up` has run; otherwise it compiles for a minute.
START_SECONDS = 120.0
IDLE_SECONDS = 10.0  # without a further file, and a batch is over
NEEDED = ("Landlock", WATCH)
"""What a kernel must give. Namespaces and a user of its own are a matter of rights, which no
container and no ordinary user has."""
_TRIES = 2  # templates that are asked for a worker: one may just have ended
_MESA = Path("/usr/share/glvnd/egl_vendor.d/50_mesa.json")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """How workers are to be. `gpu`: they draw on a GPU, where there is one. `weak`: they draw even
    where the machine lacks a layer that such workers need. `compiles`: compile what is missing, and
    draw nothing of anybody's. `start_seconds`: what a start may take."""

    gpu: bool = True
    weak: bool = False
    compiles: bool = False
    start_seconds: float = START_SECONDS


class Supply:
    """Templates and workers. Threads may share it; close it when done."""

    def __init__(self, environment: Mapping[str, str], terms: Terms) -> None:
        self._environment = worker_environment(environment)
        if not terms.gpu:
            self._environment |= {"CUDA_VISIBLE_DEVICES": "", "LIBGL_ALWAYS_SOFTWARE": "1"}
            if _MESA.exists():
                self._environment["__EGL_VENDOR_LIBRARY_FILENAMES"] = str(_MESA)
        self._terms = terms
        self._numbers = itertools.count()
        self._changed = threading.Condition()  # what is below
        self._templates: list[Template] = []  # that are ready
        self._coming = 0  # templates that will be
        self._starting: set[Template] = set()
        self._waiting: list[tuple[str, Worker]] = []  # for the next file of their batch
        self._closed = False
        self._report: dict[str, Any] = {}

    def take(self, batch: str | None = None) -> Worker:
        """A worker that has seen no file, or none but those of this batch. Raises RendererDown."""
        for _ in range(_TRIES):
            ready = self._ready(batch)
            if isinstance(ready, Worker):
                return ready
            template = ready or self._started(kept=False)
            try:
                return template.worker(next(self._numbers))
            except Died:  # somebody has ended the template
                self._drop(template)
        raise RendererDown("the renderer's workers are being killed")

    def give_back(self, worker: Worker, batch: str | None) -> None:
        """End a worker after its file, unless it may wait for the next of its batch."""
        with self._changed:
            may_wait = worker.alone and batch is not None and worker.files < FILES
            if may_wait and batch is not None and not self._closed:
                self._waiting.append((batch, worker))
                self._changed.notify_all()
                end = threading.Timer(IDLE_SECONDS, self._end_idle, [worker, worker.files])
                end.daemon = True
                end.start()
                return
        self.discard(worker)

    def _end_idle(self, worker: Worker, files: int) -> None:
        """End a worker whose batch is over: nothing of it has come since its last file."""
        with self._changed:
            waits = [each for each in self._waiting if each[1] is worker and worker.files == files]
            for each in waits:
                self._waiting.remove(each)
        if waits:
            self.discard(worker)

    def discard(self, worker: Worker) -> float | None:
        """End a worker, and on a GPU start another in its place. Its seconds of CPU, as
        `Worker.end`."""
        used = worker.end()
        if worker.alone and not self._closed:
            threading.Thread(target=self._replace, daemon=True).start()
        return used

    def health(self) -> dict[str, Any]:
        """What the last template said when it was ready. Raises RendererDown."""
        with self._changed:
            while not self._report and self._coming:
                self._changed.wait()
        if not self._report:
            self.start(1)
        return self._report

    def start(self, workers: int) -> None:
        """Have a template ready; on a GPU, as many as there may be workers. Raises RendererDown."""
        with self._changed:
            if any(template.forks for template in self._templates):
                return
            self._coming += 1
        if self._started(kept=True).forks or workers < 2:
            return
        with self._changed:
            self._coming += workers - 1
        with ThreadPoolExecutor(workers - 1) as threads:
            starts = [threads.submit(self._started, kept=True) for _ in range(workers - 1)]
            for start in starts:
                start.result()

    def close(self) -> None:
        """End all, including what is still starting."""
        with self._changed:
            self._closed = True
            templates, self._templates = self._templates, []
            waiting, self._waiting = self._waiting, []
            for template in self._starting:
                template.stop()
            self._changed.notify_all()
        for _, worker in waiting:
            worker.end()
        for template in templates:
            template.end()

    def _ready(self, batch: str | None) -> Worker | Template | None:
        """What there is, once there is something; None where the caller is to start a template."""
        with self._changed:
            while True:
                if self._closed:
                    raise RendererDown("the renderer is closed")
                for place, (name, worker) in enumerate(self._waiting):
                    if name == batch:
                        del self._waiting[place]
                        return worker
                if self._templates:
                    first = self._templates[0]
                    if not first.forks:
                        del self._templates[0]
                    return first
                if not self._coming:
                    break
                self._changed.wait()
            self._coming += 1
            idle = self._waiting.pop(0)[1] if self._waiting else None
        if idle is not None:  # it is another batch's, and makes room
            idle.end()
        return None

    def _started(self, *, kept: bool) -> Template:
        """A new template, which was counted as coming; `kept` for whoever takes one next, as every
        template is that can be forked."""
        template: Template | None = None
        try:
            template = Template(self._environment, compiles=self._terms.compiles)
            with self._changed:
                self._starting.add(template)
                if self._closed:
                    template.stop()
            self._report = {}
            report = template.wait(self._terms.start_seconds)
            self._check(template)
            self._report = report
            return template
        finally:
            with self._changed:
                self._coming -= 1
                closed = self._closed
                if template is not None:
                    self._starting.discard(template)
                    if self._report and (kept or template.forks) and not closed:
                        self._templates.append(template)
                self._changed.notify_all()
            if closed and template is not None:
                template.end()

    def _check(self, template: Template) -> None:
        """Raises RendererDown for a template whose workers could do harm on this machine."""
        if self._terms.weak or self._terms.compiles:
            return
        why = None
        if not (self._terms.gpu or template.forks):
            why = (
                "it would be drawn on a GPU, in the platform's own process tree: start the render "
                "service and set RENDER_URL"
            )
        elif missing := [each for each in NEEDED if each in template.ready["lacking"]]:
            why = (
                f"the kernel gives no {', no '.join(missing)}, without which a file that takes "
                "over a worker has one layer less between itself and this machine"
            )
        if why is not None:
            template.end()
            raise RendererDown(
                f"{why}; to draw nevertheless, allow a weak sandbox (ALLOW_WEAK_SANDBOX, or the "
                "service's --allow-weak-sandbox)"
            )

    def _drop(self, template: Template) -> None:
        with self._changed:
            if template in self._templates:
                self._templates.remove(template)
        template.end()

    def _replace(self) -> None:
        with self._changed:
            if self._closed:
                return
            self._coming += 1
        try:
            self._started(kept=True)
        except RendererDown as down:
            if not self._closed:
                _LOG.error("a worker can't be replaced: %s", down)
