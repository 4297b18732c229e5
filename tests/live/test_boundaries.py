"""One miner's URL, file, image or audit stops nobody else, whatever it raises; nor does a file that
a person mistyped.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.competition.audits import AuditOutcome
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.state import Stage
from gen404_assets.live.auditing import audit_candidates, make_baseline
from gen404_assets.live.collecting import collect
from gen404_assets.live.judging import judge_matches
from resources.downloads import Downloads
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import dueling, generating, now, stage, work

UNUSUAL_URLS = [
    "https://xn--a..com",
    "https://my_bucket.xn--p1ai",
    "https://xn--",
    "https://xn--a.xn--b.xn--c",
    "https://\u0130stanbul..com",
    "https://" + "a" * 64 + ".com",
    "https://" + "a." * 130 + "com",
    "https://[::1",
    "https://1.2.3.4.5",
    "https://0x7f.1",
    "https://user@host.com",
    "https://host:99999",
    "https://\U0001f4a9.la",
    "https://%00.com",
    "http://",
]


@pytest.mark.parametrize("url", UNUSUAL_URLS)
def test_g10_a_url_that_breaks_what_reads_it_is_its_miners_fault_and_the_others_files_are_collected(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = generating(MINERS[:2])
    path = "rounds/0/submissions.json"
    submissions = json.loads(outside.repository.head.read(path) or b"")
    submissions[MINERS[0]]["cdn_url"] = url
    outside.repository.commit({path: json.dumps(submissions).encode()}, "Submissions")
    real = Downloads(timeout=5.0)
    simulated = outside.downloads.download

    def download(address: str, to: Path) -> int:
        return (real.download if address.startswith(url) else simulated)(address, to)

    monkeypatch.setattr(outside.downloads, "download", download)
    outside.environment = {**outside.environment, "CDN_PATIENCE_SECONDS": "1"}
    collect(work(outside))
    assert stage(outside) is Stage.DUELS
    current = now(outside)
    entries = [current.submitted(hotkey) for hotkey in MINERS[:2]]
    assert [
        {output.model is not None for _, output in result.items()} if result else None
        for result in entries
    ] == [{False}, {True}]


@pytest.mark.parametrize("what", ["download", "render"])
def test_g10_an_exception_that_nobody_has_foreseen_is_held_against_the_miner_and_told_as_a_bug(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    outside = generating(MINERS[:2])
    owner = outside.downloads if what == "download" else outside.renderer
    call: Callable[..., Any] = getattr(owner, what)

    def broken(first: Any, second: Any) -> Any:
        url_or_path = str(first)
        if "cdn0.example" in url_or_path or MINERS[0] in url_or_path:
            raise KeyError("idna")
        return call(first, second)

    monkeypatch.setattr(owner, what, broken)
    log: list[str] = []
    collect(work(outside, messages=log))
    assert stage(outside) is Stage.DUELS
    current = now(outside)
    entries = [current.submitted(hotkey) for hotkey in MINERS[:2]]
    assert [
        {output.png is not None for _, output in result.items()} if result else None
        for result in entries
    ] == [{False}, {True}]
    assert any("a bug" in line and "KeyError" in line for line in log)


def audited(candidates: int = 2) -> SimulatedOutside:
    """A round whose candidates are all to be audited."""
    outside = dueling(MINERS[:candidates])
    outside.judging.penalty = lambda url: 9 if LEADER in url else 5 if MINERS[0] in url else 0
    judge_matches(work(outside))
    return outside


def test_g11_an_audit_that_meets_a_bug_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = audited()
    due, _ = work(outside).due()
    first, *others = due.hotkeys("audits") or ()
    assert others
    regenerate = outside.regenerate

    def broken(subject: Any, *more: Any) -> Any:
        if subject.hotkey == first:
            raise KeyError("a bug")
        return regenerate(subject, *more)

    monkeypatch.setattr(outside, "regenerate", broken)
    log: list[str] = []
    with pytest.raises(KeyError):
        audit_candidates(work(outside, messages=log))
    assert set(now(outside).audits.names) == set(others)
    assert any(f"a bug: the audit of {first}" in line for line in log)


@pytest.mark.parametrize("text", [b"{", b'{"stage": "duel"}', b"\xff"])
def test_g17_a_mistyped_file_neither_ends_a_regeneration_nor_costs_it_its_pods(
    monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    outside = generating(MINERS[:1])
    regenerate, log, answers = outside.regenerate, list[str](), list[bool]()

    def meanwhile(subject: Any, say: Any, progress: Any, unwanted: Callable[[], bool]) -> Any:
        typed = outside.repository.head.read("state.json")
        outside.repository.commit({"state.json": text}, "By hand")
        answers.extend([unwanted(), unwanted()])
        outside.repository.commit({"state.json": typed}, "Mended by hand")
        return regenerate(subject, say, progress, unwanted)

    monkeypatch.setattr(outside, "regenerate", meanwhile)
    make_baseline(work(outside, messages=log))
    assert answers == [False, False]
    assert now(outside).baseline is not None
    assert sum("state.json:1:" in line for line in log) == 1


def test_g17_a_mistyped_file_at_the_end_of_an_audit_leaves_the_others_and_what_was_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = audited(1)
    regenerate = outside.regenerate
    typed = outside.repository.head.read("state.json")

    def meanwhile(*arguments: Any) -> Any:
        result = regenerate(*arguments)
        outside.repository.commit({"state.json": b"{"}, "By hand")
        return result

    monkeypatch.setattr(outside, "regenerate", meanwhile)
    log: list[str] = []
    with pytest.raises((InfrastructureFault, ValueError), match=r"state\.json:1:"):
        audit_candidates(work(outside, messages=log))
    assert any("neither passed nor rejected: state.json:1:" in line for line in log)
    outside.repository.commit({"state.json": typed}, "Mended by hand")
    monkeypatch.setattr(outside, "regenerate", regenerate)
    audit_candidates(work(outside))
    assert now(outside).audits[MINERS[0]].outcome is AuditOutcome.PASSED
