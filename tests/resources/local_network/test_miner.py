"""What the miners of the local network do in a round, each a real process."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2

from resources.local_network import process
from resources.local_network.cast import FIRST_LEADER, Member, member
from resources.local_network.lathe import Skill, rebuild
from resources.local_network.miner import Cdn, hotkey, publish_code
from tests.resources.local_network.conftest import FIRST_BLOCK, Network, eventually

STEMS = ("bottle-0000", "bottle-0001", "bottle-0002")


def served(cdn_url: str, stem: str, output_format: str = "glb") -> bytes | None:
    """The file on a miner's CDN, None if it is not there or the miner isn't."""
    try:
        url = f"{cdn_url}/{stem}.{output_format}"
        answer = httpx2.get(url, follow_redirects=True, timeout=120)
    except httpx2.ConnectError:
        return None
    return answer.content if answer.status_code == 200 else None


def all_served(cdn_url: str, output_format: str = "glb") -> list[bytes]:
    def look() -> list[bytes]:
        files = [served(cdn_url, stem, output_format) for stem in STEMS]
        return [file for file in files if file is not None] if None not in files else []

    return eventually(look)


def published_skill(network: Network, commitment: dict[str, str]) -> Skill:
    command = json.loads((network.folder / "code.json").read_text())[
        f"{commitment['repo']}@{commitment['commit']}"
    ]
    return Skill.parse(command[command.index("--skill") + 1])


def made_by(network: Network, skill: Skill, output_format: str = "glb") -> list[bytes]:
    pictures = [(network.folder / "prompts" / f"{stem}.png").read_bytes() for stem in STEMS]
    return [
        rebuild(picture, seed=7, skill=skill, output_format=output_format) for picture in pictures
    ]


def test_an_honest_miner_serves_what_its_code_makes_and_the_copier_the_very_same(
    network: Network,
) -> None:
    network.open_round()
    network.start("fine", "copier")
    fine = network.commitment("fine")
    assert fine.keys() == {"repo", "commit", "cdn_url"}
    copy = network.commitment("copier")
    assert (copy["repo"], copy["commit"]) == (fine["repo"], fine["commit"])
    assert copy["cdn_url"] != fine["cdn_url"]
    assert network.reveals("copier")[0][0] > network.reveals("fine")[0][0]
    assert served(fine["cdn_url"], STEMS[0]) is None  # nobody knows the prompts yet
    network.draw_seed(seed=7)
    assert all_served(fine["cdn_url"]) == made_by(network, published_skill(network, fine))
    assert all_served(copy["cdn_url"]) == all_served(fine["cdn_url"])
    assert len(network.reveals("fine")) == 1


def test_a_miner_goes_on_after_a_restart_under_the_same_address(network: Network) -> None:
    network.open_round()
    network.start("fine")
    before = network.commitment("fine")
    process.stop([network.running["fine"]])
    network.draw_seed()
    network.start("fine")
    assert all_served(before["cdn_url"])
    assert len(network.reveals("fine")) == 1
    network.open_round(1)
    eventually(lambda: len(network.revealed("fine")) == 2)
    after = network.commitment("fine")
    assert after["commit"] == before["commit"]  # no new version yet
    assert after["cdn_url"] == before["cdn_url"].removesuffix("/0") + "/1"


def test_a_miner_told_to_stop_ends_at_once(network: Network) -> None:
    network.open_round()
    network.start("poor")
    network.commitment("poor")
    network.running["poor"].send_signal(signal.SIGTERM)
    assert network.running["poor"].wait(20) == 0


def test_the_cheat_submits_splats_that_its_code_does_not_make(network: Network) -> None:
    network.open_round(output_format="ply")
    network.start("cheat")
    commitment = network.commitment("cheat")
    network.draw_seed(seed=7)
    published = published_skill(network, commitment)
    submitted = all_served(commitment["cdn_url"], "ply")
    assert submitted == made_by(network, member("cheat").skill(0), "ply")
    assert all(
        one != other
        for one, other in zip(submitted, made_by(network, published, "ply"), strict=True)
    )


def test_garbage_is_committed_within_the_window(network: Network) -> None:
    network.open_round()
    network.start("garbage")
    ((block, text),) = network.revealed("garbage")
    assert "�" in text  # as the chain's adapter shows what is no UTF-8
    assert FIRST_BLOCK < block <= network.latest


def test_a_miner_that_is_late_does_not_commit_after_the_window(network: Network) -> None:
    network.open_round(blocks=1)
    network.start("fine")
    eventually(lambda: "CDN at" in (network.folder / "logs" / "fine").read_text())
    time.sleep(1.5)
    assert network.reveals("fine") == []


@contextmanager
def cdn(who: Member, folder: Path) -> Iterator[str]:
    with closing(Cdn(who, folder)) as opened:
        (folder / "cdn" / "0").mkdir(parents=True)
        for number in range(40):
            (folder / "cdn" / "0" / f"{number}.glb").write_bytes(b"glTF" * 100)
        yield opened.url


def test_a_good_cdn_serves_the_files_of_rounds_and_nothing_else(tmp_path: Path) -> None:
    with cdn(member("fine"), tmp_path) as url:
        assert httpx2.get(f"{url}/0/7.glb").content == b"glTF" * 100
        for path in ("0/99.glb", "1/7.glb", "port", "cdn/port", "..%2fport", "0/../../port"):
            assert httpx2.get(f"{url}/{path}").status_code == 404


def test_a_failing_cdn_refuses_cuts_short_closes_and_hangs(tmp_path: Path) -> None:
    seen = set()
    with cdn(member("unreachable"), tmp_path) as url:
        for number in range(40):
            try:
                seen.add(str(httpx2.get(f"{url}/0/{number}.glb", timeout=1).status_code))
            except httpx2.TimeoutException:
                seen.add("hangs")
            except httpx2.RemoteProtocolError as error:
                seen.add(
                    "cut short"
                    if "incomplete" in str(error) or "peer closed" in str(error)
                    else "closed"
                )
    assert seen == {"200", "500", "hangs", "cut short", "closed"}


def test_a_cdn_whose_port_is_taken_moves(tmp_path: Path) -> None:
    with cdn(member("fine"), tmp_path / "one") as url:
        (tmp_path / "two").mkdir()
        (tmp_path / "two" / "port").write_text((tmp_path / "one" / "port").read_text())
        with cdn(member("poor"), tmp_path / "two") as other:
            assert other != url
            assert httpx2.get(f"{other}/0/1.glb").status_code == 200


def test_the_first_leaders_code_is_published_beside_the_others(tmp_path: Path) -> None:
    leader = publish_code(tmp_path, FIRST_LEADER, 0, "glb")
    fine = publish_code(tmp_path, member("fine"), 0, "glb")
    again = publish_code(tmp_path, member("fine"), 0, "glb")
    assert fine == again == member("fine").commit(hotkey(member("fine")), 0)
    code = json.loads((tmp_path / "code.json").read_text())
    assert list(code) == [f"{FIRST_LEADER.repo}@{leader}", f"{member('fine').repo}@{fine}"]
