"""`gen404 check --cdn URL --round N --repo REPO`: what a collection would find at a CDN."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gen404_assets.commands.check_file import write_preview
from gen404_assets.commands.checking import Finding, look_at, ready_renderer, size_note
from gen404_assets.commands.refused import Refused
from gen404_assets.competition.commitments import is_cdn_url
from gen404_assets.competition.faults import MinerFault, TryLater
from gen404_assets.competition.round import Round
from gen404_assets.competition.submissions import file_url
from gen404_assets.competition_repository import open_repository
from gen404_assets.live.work import Pace
from resources.downloads import Downloads, open_downloads
from resources.renderer import Renderer
from resources.settings import read_settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a round asks for: a file of `output_format` for each of its prompts' stems."""

    stems: list[str]
    output_format: str


def wanted_in(repository: str, branch: str, number: int, environment: Mapping[str, str]) -> Wanted:
    """What a round of a competition's repository asks for. Raises Refused where its prompts aren't
    known yet, and InfrastructureFault for a repository that can't be read.
    """
    opened = open_repository(repository, branch, environment)
    current = Round(opened.snapshot(opened.refresh()), number)
    if not current.stems:
        if current.schedule is None:
            raise Refused(f"{repository} has no round {number} on {branch}")
        raise Refused(
            f"round {number} has no prompts yet: they are drawn at block "
            f"{current.schedule.latest_reveal_block}"
        )
    return Wanted(current.stems, current.config.output_format)


def check_cdn(
    cdn_url: str, wanted: Wanted, previews: Path | None, environment: Mapping[str, str]
) -> Iterator[Finding]:
    """What a collection would record of each prompt's file, in the round's order; each is asked
    for once. Previews go to the folder `previews`, if there is one.

    Raises InfrastructureFault where this machine can't fetch or draw.
    """
    if not is_cdn_url(cdn_url):
        yield Finding(cdn_url, "not a valid cdn_url")
        return
    at_once = read_settings(Pace, environment).max_concurrent_downloads
    with (
        TemporaryDirectory(prefix="gen404-check-") as folder,
        ready_renderer(environment) as renderer,
        ThreadPoolExecutor(at_once) as pool,
    ):
        downloads = open_downloads(environment)
        check = _Check(cdn_url.rstrip("/"), wanted, downloads, renderer, Path(folder), previews)
        yield from pool.map(check.finding, dict.fromkeys(wanted.stems))


@dataclass(frozen=True)
class _Check:
    """One CDN's files; threads share it."""

    cdn_url: str
    wanted: Wanted
    downloads: Downloads
    renderer: Renderer
    folder: Path
    previews: Path | None

    def finding(self, stem: str) -> Finding:
        """What a collection would record of one prompt's file."""
        output_format = self.wanted.output_format
        url = file_url(self.cdn_url, stem, output_format)
        path = self.folder / f"{stem}.{output_format}"
        began = time.monotonic()
        try:
            size = self.downloads.download(url, path)
        except TryLater as fault:
            return Finding(url, str(fault), notes=["a collection would ask again later"])
        except MinerFault as fault:
            return Finding(url, str(fault))
        fetched = f"fetched in {time.monotonic() - began:.1f} s"
        try:
            look = look_at(self.renderer, path, output_format)
        finally:
            path.unlink(missing_ok=True)
        notes = [f"{fetched}; {size_note(size, self.downloads.limit)}", look.note()]
        if look.preview is not None and self.previews is not None:
            written = write_preview(self.previews, path.name, look.preview)
            notes.append(f"preview: {written}")
        return Finding(url, look.reason, look.tolerated, notes)
