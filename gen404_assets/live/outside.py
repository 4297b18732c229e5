"""Everything outside that the platform works with: one adapter each, opened by its settings when
first used.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.settings import Rules
from gen404_assets.competition_repository import open_repository
from gen404_assets.live.leftovers import forget_round
from gen404_assets.live.sandbox_note import note_sandbox
from gen404_assets.live.shared import Shared, open_shared
from gen404_assets.live.waiting import Waiting
from gen404_assets.settings import RepositorySettings
from resources.figures import FIGURES
from resources.settings import read_settings

if TYPE_CHECKING:
    from gen404_assets.live.pictures import PromptPictures
    from gen404_assets.live.regenerating import Progress, Regenerated
    from gen404_assets.live.results import Subject
    from resources.builds import Builds
    from resources.chain.subtensor import Chain
    from resources.distance import Distance
    from resources.downloads import Downloads
    from resources.kept_answers import KeptAnswers
    from resources.object_store import ObjectStore
    from resources.providers.provider import Provider
    from resources.renderer import Renderer
    from resources.repository import Repository

# Each adapter is imported where it is opened: whoever needs one doesn't wait for all.
# ruff: noqa: PLC0415


class Outside:
    """The adapters that `environment` names. Each property raises BadSetting for a setting that
    can't be used. `by_person`: what is published is a person's act, not this installation's.
    """

    def __init__(self, environment: Mapping[str, str], *, by_person: bool = False) -> None:
        self.environment, self._by_person = environment, by_person
        self._open = ExitStack()
        FIGURES.keep_in(lambda: self.shared.totals)

    def close(self) -> None:
        """Close what was opened."""
        self._open.close()

    @cached_property
    def rules(self) -> Rules:
        return read_settings(Rules, self.environment)

    @cached_property
    def repository(self) -> "Repository":
        settings = read_settings(RepositorySettings, self.environment)
        url, branch = settings.competition_repo or "", settings.github_branch
        maker = None if self._by_person else self.installation  # which the database may hold
        return open_repository(url, branch, self.environment, maker)

    def installation(self) -> str:
        """The digits by which this platform's pods and commits are told from others'."""
        from gen404_assets.live.fleet import owner

        return owner(self.shared)

    @cached_property
    def shared(self) -> Shared:
        return open_shared(self.environment)

    @cached_property
    def waiting(self) -> Waiting:
        return Waiting(self.shared.notes)

    @cached_property
    def chain(self) -> "Chain":
        from resources.chain.opening import open_chain

        chain = open_chain(self.environment)
        self._open.callback(chain.close)
        return chain

    @cached_property
    def store(self) -> "ObjectStore":
        from resources.object_store import open_object_store

        return open_object_store(self.environment)

    @cached_property
    def downloads(self) -> "Downloads":
        from resources.downloads import open_downloads

        return open_downloads(self.environment)

    @cached_property
    def pictures(self) -> "PromptPictures":
        from gen404_assets.live.pictures import PromptPictures

        return PromptPictures(self.store, self.downloads)

    @cached_property
    def renderer(self) -> "Renderer":
        from resources.renderer import open_renderer

        renderer = open_renderer(self.environment, self._note_sandbox)
        self._open.callback(renderer.close)
        return renderer

    def _note_sandbox(self, lacking: Sequence[str]) -> None:
        with suppress(InfrastructureFault):  # of the disk or the database: no reason not to draw
            note_sandbox(self.shared.notes, lacking)

    @cached_property
    def judge(self) -> "KeptAnswers":
        from resources.judge import open_judge
        from resources.kept_answers import KeptAnswers

        return KeptAnswers(open_judge(self.environment), _Answers(self))

    @cached_property
    def distance(self) -> "Distance":
        from resources.distance import open_distance

        return open_distance(self.environment, self.read)

    @cached_property
    def providers(self) -> "Sequence[Provider]":
        from resources.providers.opening import open_providers

        return open_providers(self.environment)

    @cached_property
    def builds(self) -> "Builds":
        from resources.builds import open_builds

        return open_builds(self.environment)

    def now(self) -> datetime:
        """The chain's time, by which commits are dated; this machine's while the chain can't be
        asked.
        """
        try:
            return self.chain.finalized().time
        except InfrastructureFault:
            return datetime.now(UTC)

    def regenerate(
        self,
        subject: "Subject",
        say: Callable[[str], None],
        progress: "Progress",
        cancelled: Callable[[], bool],
    ) -> "Regenerated":
        """Run an image on the operator's GPUs; see `gen404_assets.live.regenerating`."""
        from gen404_assets.competition.pods import PodRules
        from gen404_assets.live.regenerating import regenerate
        from gen404_assets.live.results import Means

        means = Means(
            providers=self.providers,
            picture=self.read,
            render=self.renderer.render,
            put=self.store.put,
            measure=self.distance.measure,
            shared=self.shared,
            say=say,
            embedder=lambda: self.distance.model,
            limit=self.downloads.limit,
        )
        return regenerate(
            subject,
            means,
            self.rules,
            read_settings(PodRules, self.environment),
            progress,
            cancelled,
        )

    def forget_round(self, number: int) -> None:
        """Remove what the platform has kept of a round, and of those before, since it is past."""
        forget_round(self.shared, number)

    def read(self, url: str) -> bytes:
        """The bytes behind a URL of ours: an object's, or a prompt picture's, wherever the pool
        keeps it.

        Raises InfrastructureFault.
        """
        try:
            self.store.key(url)  # raises ValueError where the URL is no object's
        except ValueError:
            return self._prompt(url)
        return self.store.read(url)

    def _prompt(self, url: str) -> bytes:
        with TemporaryDirectory(prefix="gen404-prompt-") as folder:
            path = Path(folder) / "prompt"
            try:
                self.downloads.download(url, path)
            except MinerFault as fault:  # prompts are the operator's
                raise InfrastructureFault(f"prompt {url}: {fault}") from fault
            return path.read_bytes()


class _Answers:
    """Where the judge's answers are kept: the object store, with pictures read wherever they
    are.
    """

    def __init__(self, outside: Outside) -> None:
        self.get, self.put, self.read = outside.store.get, outside.store.put, outside.read
