"""What a bug of ours has spoilt is made again by an act that names what and why: under a new name,
with what there was before beside it.
"""

import json
from pathlib import Path

import pytest

from gen404_assets.commands.again import make_again
from gen404_assets.commands.operating import pause, resume_round
from gen404_assets.commands.refused import Refused
from gen404_assets.competition.again import object_name
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.commits import by_hand_alone, by_person
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.live.collecting import collect
from gen404_assets.replay.rounds import replay_round
from simulators.examples import MINERS
from simulators.outside import SimulatedDownloads, SimulatedOutside, SimulatedRenderer
from simulators.rounds import generating, now, stage, work

MINER, OTHER = MINERS[:2]
REASON = "the renderer left out textures"


class Mended(SimulatedRenderer):
    """Draws otherwise than it did."""

    def render(self, path: Path, output_format: str) -> bytes:
        return b"mended " + super().render(path, output_format)


@pytest.fixture
def collected() -> SimulatedOutside:
    outside = generating([MINER, OTHER])
    collect(work(outside))
    assert stage(outside) is Stage.DUELS
    return outside


def pngs(outside: SimulatedOutside, hotkey: str = MINER) -> dict[str, str | None]:
    outputs = now(outside).submitted(hotkey)
    assert outputs is not None
    return {stem: output.png for stem, output in outputs.items()}


def test_a_preview_is_drawn_again_from_the_stored_file_under_a_new_name(
    collected: SimulatedOutside,
) -> None:
    outside, before, others = collected, pngs(collected), pngs(collected, OTHER)
    (stem, *rest), asked = list(before), len(collected.downloads.asked)
    outside.renderer = Mended()
    outside.downloads.served = lambda _: b"something else by now"
    assert make_again(outside, MINER, [stem], REASON) == [stem]  # type: ignore[arg-type]
    assert stage(outside) is Stage.DOWNLOADING
    collect(work(outside))
    assert stage(outside) is Stage.DUELS
    assert len(outside.downloads.asked) == asked, "the file that was submitted stands"
    after = pngs(outside)
    assert after[stem] == f"https://store.example/rounds/0/{MINER}/submitted/{stem}-2.png"
    assert [after[each] for each in rest] == [before[each] for each in rest]
    assert pngs(outside, OTHER) == others
    old, new = (outside.store.read(str(url[stem])) for url in (before, after))
    assert new == b"mended " + old
    (entry,) = json.loads(outside.repository.head.read("rounds/0/again.json") or b"")
    assert (entry["hotkey"], entry["stem"], entry["reason"]) == (MINER, stem, REASON)
    assert entry["before"]["png"] == before[stem]


def test_without_the_act_the_old_preview_stands(collected: SimulatedOutside) -> None:
    before = pngs(collected)
    path = f"rounds/0/{MINER}/submitted.json"
    collected.renderer = Mended()
    state = json.loads(collected.repository.head.read("state.json") or b"")
    files = {path: None, "state.json": json.dumps({**state, "stage": "downloading"}).encode()}
    collected.repository.commit(files, "By hand")
    collect(work(collected))
    assert pngs(collected) == before


def test_it_can_be_done_twice_and_each_time_has_its_name(collected: SimulatedOutside) -> None:
    stem = next(iter(pngs(collected)))
    for number in (2, 3):
        make_again(collected, MINER, [stem], REASON)  # type: ignore[arg-type]
        collect(work(collected))
        assert str(pngs(collected)[stem]).endswith(f"/{stem}-{number}.png")
    assert [object_name("oak", number) for number in range(3)] == ["oak", "oak-2", "oak-3"]


def test_what_was_not_had_is_fetched_again_and_all_of_a_miner_s_is_taken_where_none_is_named() -> (
    None
):
    outside = generating([MINER, OTHER])
    serve = outside.downloads.served
    outside.downloads = SimulatedDownloads(
        lambda url: "status 404" if "cdn0" in url else serve(url)
    )
    collect(work(outside))
    assert set(pngs(outside).values()) == {None}
    outside.downloads = SimulatedDownloads(serve)
    assert len(make_again(outside, MINER, [], "our resolver was out of order")) == 4  # type: ignore[arg-type]
    collect(work(outside))
    assert all(str(png).endswith("-2.png") for png in pngs(outside).values())


def test_a_round_that_is_paused_stays_so_until_it_is_resumed(collected: SimulatedOutside) -> None:
    pause(collected, "the previews are wrong")  # type: ignore[arg-type]
    make_again(collected, MINER, [], REASON)  # type: ignore[arg-type]
    assert stage(collected) is Stage.PAUSED
    assert resume_round(collected, "").stage is Stage.DOWNLOADING  # type: ignore[arg-type]


def test_what_was_judged_is_not_made_again(collected: SimulatedOutside) -> None:
    matrix = f"left,right,margin\nleader,{MINER},0.1\n".encode()
    collected.repository.commit({"rounds/0/matches_matrix.csv": matrix}, "By hand")
    with pytest.raises(Refused, match="matches were played with the entries"):
        make_again(collected, MINER, [], REASON)  # type: ignore[arg-type]
    assert make_again(collected, OTHER, [], REASON)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hotkey", "stems", "why"),
    [(MINERS[5], [], "has no submitted.json"), (MINER, ["nothing"], "no entry for nothing")],
)
def test_what_is_not_there_is_not_made_again(
    collected: SimulatedOutside, hotkey: str, stems: list[str], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        make_again(collected, hotkey, stems, REASON)  # type: ignore[arg-type]


def test_the_act_is_a_persons_and_the_replay_shows_what_there_was_and_what_there_is(
    collected: SimulatedOutside,
) -> None:
    stem, before = next(iter(pngs(collected).items()))
    make_again(collected, MINER, [stem], REASON)  # type: ignore[arg-type]
    assert by_person(collected.repository.messages[-1])
    assert by_hand_alone("rounds/0/again.json")
    collect(work(collected))
    replayed = replay_round(collected.repository.history(), 0, Rules(), assets=[Asset.RENDERS])
    notes = [note for file in replayed.files if MINER in file.path for note in file.notes]
    assert notes == [
        f"{stem} was made again ({REASON}): before {before}, now {pngs(collected)[stem]}"
    ]
