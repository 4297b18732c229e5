"""No adapter brings a key of ours into a message where a server says it again (guarantee 23), not
even the part of it that stands before the place where a text is cut.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.judgement import REFUSED, Question, Reply, Unusable
from gen404_assets.competition.plain_text import keep_secret
from gen404_assets.competition.verdict import NoVerdict
from resources.builds import Builds
from resources.distance import DistanceService
from resources.git_commands import GitCommands
from resources.judge import ServedJudge
from resources.object_store import Credentials, ObjectStore
from resources.providers.targon import Targon
from resources.providers.verda import Verda
from resources.renderer import RenderService
from simulators.strangers import status, stranger

KEY = "canary-of-a-key-0123456789-0123456789"
CUTS = (40, 300, 1000, 4000)
OFFSETS = [
    cut - back for cut in CUTS for back in (0, 3, 9, 20, len(KEY) - 1, len(KEY)) if cut > back
]


def judged(url: str) -> None:
    with closing(ServedJudge(url, KEY, "model", retries=0)) as judge:
        judge.ask(Question("p", "a", "b", 0))


def measured(url: str) -> None:
    with closing(DistanceService(url, KEY)) as distance:
        distance.measure("a", "b")


def drawn(url: str) -> None:
    with closing(RenderService(url, KEY)) as renderer:
        renderer.render(Path(__file__), "glb")


def stored(url: str) -> None:
    keep_secret(KEY)
    ObjectStore(url, "bucket", "http://cdn.invalid", credentials=Credentials(KEY, KEY)).get("a")


ADAPTERS: dict[str, Callable[[str], object]] = {
    "judge": judged,
    "distance": measured,
    "renderer": drawn,
    "GitHub": lambda url: Builds("owner/name", token=KEY, api=url).workflow_run(0),
    "Targon": lambda url: Targon(KEY, url).pods(),
    "Verda": lambda url: Verda("id", KEY, KEY, url).pods(),
    "store": stored,
}
QUOTING = {"judge", "distance", "renderer"}


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_g23_no_part_of_a_key_that_a_server_says_again_is_told(adapter: str) -> None:
    said, kind = "", "Content-Type: text/plain"
    with stranger(lambda _: [status(400, kind, body=said.encode())]) as server:
        for offset in OFFSETS if adapter in QUOTING else OFFSETS[:1]:
            said = "x" * offset + KEY
            with pytest.raises((InfrastructureFault, MinerFault)) as raised:
                ADAPTERS[adapter](server.url)
            assert ("xxx" in str(raised.value)) == (adapter in QUOTING)
            assert KEY[:3] not in str(raised.value), offset


def test_g23_no_part_of_a_key_that_git_or_a_remote_says_again_is_told(tmp_path: Path) -> None:
    git = GitCommands(tmp_path, str(tmp_path), KEY, 60)
    for offset in OFFSETS:
        for stream in ("1", "2"):
            alias = f"alias.said=!printf %s {'x' * offset}{KEY} >&{stream}; exit 1"
            with pytest.raises(InfrastructureFault, match="git said: xxx") as raised:
                git.run("-c", alias, "said")
            assert KEY[:3] not in str(raised.value), (offset, stream)


@pytest.mark.parametrize("ended", [REFUSED, None])
def test_g23_no_part_of_a_key_that_a_judges_answer_repeats_is_told(ended: str | None) -> None:
    keep_secret(KEY)
    for offset in OFFSETS:
        said = "x" * offset + KEY
        text = said if ended else f'{{"penalty_1": "{said}", "penalty_2": 0, "issues": "i"}}'
        with pytest.raises((Unusable, NoVerdict)) as raised:
            Reply("model", text, ended).answer()
        assert KEY[:3] not in str(raised.value), offset
