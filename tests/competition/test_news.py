"""What the people who run a competition hear of, each thing once."""

import json
from typing import Any

import pytest

from gen404_assets.competition.news import News, news_of
from gen404_assets.competition.round import Overlay, Round
from simulators.examples import MINERS

STAGES = ["open", "miner_generation", "downloading", "duels", "finalizing"]


class NoFiles:
    def read(self, path: str) -> bytes | None:  # noqa: ARG002 -- there is none
        return None


def entry(hotkey: str, block: int, weight: float = 1.0) -> dict[str, Any]:
    made = {"repo": "a/b", "commit": "0" * 40, "docker": None, "weight": weight}
    return {"hotkey": hotkey, "effective_block": block} | made


def output(glb: str | None, png: str | None) -> dict[str, Any]:
    numbers = {"generation_time": 0, "size": 1, "attempts": 1, "distance": 0}
    return {"glb": glb, "png": png} | numbers


def round_with(stage: str, number: int = 3, under_way: int = 3, **files: Any) -> Round:
    """Round `number` of a competition whose state is that; files by name, `/` written as `__`."""
    state = {"current_round": under_way, "stage": stage, "next_stage_eta": None}
    known: dict[str, Any] = {"state.json": state, "leader.json": [entry(MINERS[0], 1)]}
    for name, content in files.items():
        path = f"{name.replace('__', '/')}.json"
        known[path if name == "leader" else f"rounds/{number}/{path}"] = content
    written = {path: json.dumps(content).encode() for path, content in known.items()}
    return Round(Overlay(NoFiles(), written), number)


def told(current: Round) -> dict[str, News]:
    news = news_of(current)
    assert len({each.key for each in news}) == len(news)
    return {each.key: each for each in news}


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_that_was_reached_is_told_though_nobody_looked_meanwhile(stage: str) -> None:
    begun = [key for key in told(round_with(stage)) if ":begun:" in key]
    assert begun == [f"3:begun:{each}" for each in STAGES[: STAGES.index(stage) + 1]]


def test_a_stages_end_and_the_next_ones_beginning_are_one_sentence() -> None:
    text = told(round_with("duels"))["3:begun:duels"].text
    assert text == "round 3: downloading has ended, duels begins"


def test_a_pause_hides_nothing() -> None:
    paused = round_with("paused")
    assert [key for key in told(paused) if ":begun:" in key] == []
    state = {"current_round": 3, "stage": "paused", "next_stage_eta": None}
    files = {"state.json": json.dumps(state | {"interrupted_stage": "duels"}).encode()}
    assert "3:begun:duels" in told(Round(Overlay(paused.files, files), 3))


def test_a_persons_pause_is_told_and_its_end_names_it() -> None:
    paused = told(round_with("paused"))
    assert paused["3:paused"].text == "round 3 is paused by a person"
    assert not any(each.ends for each in paused.values())
    over = told(round_with("duels"))["3:goes on"]
    assert (over.text, over.ends) == ("round 3 goes on with duels: the pause is over", "3:paused")
    # The round ended before anybody looked again.
    later = told(round_with("open", under_way=4))["3:goes on"]
    assert (later.text, later.ends) == ("round 3 goes on: the pause is over", "3:paused")


def test_a_round_that_is_over_has_ended_and_says_who_won() -> None:
    winner = {"winner_hotkey": MINERS[1], "repo": "a/b", "commit": "0" * 40, "docker_image": None}
    news = told(round_with("open", under_way=4, winner=winner))
    assert news["3:ended"].text == f"round 3 has ended, {MINERS[1]} has won"
    assert "finished" not in news
    news = told(round_with("finished", winner=winner))
    assert news["finished"].text == "the competition has ended"
    assert "3:ended" in news


def test_a_collection_is_told_with_what_was_refused_and_who_has_nothing() -> None:
    submission: dict[str, Any] = {"repo": "a/b", "commit": "0" * 40, "cdn_url": "http://x.y"}
    submission |= {"revealed_at_block": 1, "round": "x-3"}
    files: dict[str, Any] = {
        "submissions": dict.fromkeys(MINERS[:3], submission),
        f"{MINERS[0]}__submitted": {"a": output("u", "p"), "b": output("u", None)},
        f"{MINERS[1]}__submitted": {"a": output(None, None), "b": output(None, None)},
    }
    assert "3:collected" not in told(round_with("downloading", **files))
    assert told(round_with("duels", **files))["3:collected"].text == (
        "round 3: 3 submissions collected, 2 files, 1 refused, 2 missing; 2 miners without any file"
    )


def test_an_audit_is_told_when_asked_for_while_a_person_is_waited_for_and_when_it_ends() -> None:
    hotkey = MINERS[1]
    asked: dict[str, Any] = {"require_audit": [{"hotkey": hotkey, "critical_prompts": []}]}
    news = told(round_with("duels", **asked))
    assert news[f"3:audit:{hotkey}"].text == f"round 3: an audit of {hotkey} is asked for"
    waits = news[f"3:waits:{hotkey}"]
    assert waits.lasts
    assert waits.text == f"round 3 waits for a person's source audit of {hotkey}"
    audit = {"hotkey": hotkey, "outcome": "rejected", "checked_prompts": 1, "failed_prompts": 0}
    audit |= {"failed_critical": 0, "generation_time": None, "reason": "too slow"}
    news = told(round_with("duels", **asked, generation_audits={hotkey: audit}))
    ended = f"round 3: the audit of {hotkey} has ended, rejected: too slow"
    assert news[f"3:audited:{hotkey}:rejected"].text == ended
    assert f"3:waits:{hotkey}" not in news
    people = [{"hotkey": hotkey, "verdict": "passed", "reason": "read"}]
    news = told(round_with("duels", **asked, source_audit=people))
    assert f"3:source:{hotkey}:passed" in news
    assert f"3:waits:{hotkey}" not in news


def test_a_round_that_is_over_waits_for_nobody() -> None:
    asked: dict[str, Any] = {"require_audit": [{"hotkey": MINERS[1], "critical_prompts": []}]}
    assert not any(each.lasts for each in told(round_with("open", under_way=4, **asked)).values())


def test_another_leader_is_told_and_a_decay_is_not() -> None:
    first, second = MINERS[0], MINERS[1]
    leaders = [entry(first, 1), entry(first, 10, 0.9), entry(second, 20)]
    news = told(round_with("open", leader=leaders))
    found = [each.text for key, each in news.items() if key.startswith("leader:")]
    assert found == [f"the leader changes to {second} at block 20"]
