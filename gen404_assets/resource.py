"""The competition repository as a Dagster resource: one pinned commit a run."""

import os
from functools import lru_cache

import dagster as dg

from gen404_assets.competition.replay.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.competition_repository import history_at, open_repository
from resources.repository import Repository


class CompetitionResource(dg.ConfigurableResource[None]):
    """`url` and `branch` of the competition's repository (`COMPETITION_REPO`, `GITHUB_BRANCH`)."""

    url: str
    branch: str = "main"

    def repository(self) -> Repository:
        return _repository(self.url, self.branch)

    def history(self, run_id: str) -> History:
        """The history up to the head that the run's first step saw; all of its steps read that commit."""
        return history_at(self.repository(), _head(self.url, self.branch, run_id))

    def rules(self) -> Rules:
        return Rules.from_environment(os.environ)


@lru_cache(maxsize=4)
def _repository(url: str, branch: str) -> Repository:
    return open_repository(url, branch)


@lru_cache(maxsize=64)
def _head(url: str, branch: str, run_id: str) -> str:  # noqa: ARG001 -- the run is what the head is remembered for
    return _repository(url, branch).refresh()
