"""The timeline against a judge who knows no formula: he plays the tournament match by match, as a
person would.
"""

import random
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.matches import Pair
from gen404_assets.competition.timeline import Timeline, Verdicts

MARGIN = 0.05
NOBODY = Verdicts()


def rejecting(*hotkeys: str) -> Verdicts:
    return Verdicts(rejected=frozenset(hotkeys))


def approving(*hotkeys: str) -> Verdicts:
    return Verdicts(approved=frozenset(hotkeys))


@dataclass
class PlainJudge:
    """Plays a round from event to event, with lists on paper: who is to qualify, who has, who is
    king, who is next.
    """

    to_qualify: deque[str]
    qualified: list[str] = field(default_factory=list)
    king: str = "leader"
    kings: list[str] = field(default_factory=list)
    challengers: deque[str] | None = None
    results: dict[Pair, float] = field(default_factory=dict)
    audited: list[tuple[str, Pair]] = field(default_factory=list)
    approved: set[str] = field(default_factory=set)

    def ask_for_audit(self, hotkey: str, match: Pair) -> None:
        if hotkey not in [asked for asked, _ in self.audited]:
            self.audited.append((hotkey, match))

    def next_match(self) -> Pair | None:
        if self.to_qualify:
            return "leader", self.to_qualify[0]
        if self.challengers is None:
            self.start_line()
        self.use_known_results()
        if self.challengers:
            return self.king, self.challengers[0]
        if self.winner() is not None:
            return None
        for number, left in enumerate(self.qualified):
            for right in self.qualified[number + 1 :]:
                if (left, right) not in self.results:
                    return left, right
        return None

    def start_line(self) -> None:
        self.king, self.kings, self.challengers = "leader", [], deque(self.qualified)
        self.use_known_results()

    def use_known_results(self) -> None:
        while self.challengers and (self.king, self.challengers[0]) in self.results:
            challenger = self.challengers.popleft()
            if self.results[self.king, challenger] >= MARGIN:
                self.ask_for_audit(challenger, (self.king, challenger))
                self.king = challenger
                self.kings.append(challenger)

    def hear_result(self, match: Pair, margin: float) -> None:
        assert match not in self.results, "a match is played once"
        self.results[match] = margin
        if self.to_qualify and match == ("leader", self.to_qualify[0]):
            hotkey = self.to_qualify.popleft()
            if margin >= MARGIN:
                self.qualified.append(hotkey)
            self.audit_first_to_qualify()
        if not self.to_qualify and self.challengers is None:
            self.start_line()
        self.use_known_results()

    def audit_first_to_qualify(self) -> None:
        if self.qualified:
            self.ask_for_audit(self.qualified[0], ("leader", self.qualified[0]))

    def hear_rejections(self, hotkeys: Collection[str]) -> None:
        """Verdicts told at one time: those rejected are struck off every list before anything else
        is done.
        """
        qualifying = bool(self.to_qualify)
        for hotkey in hotkeys:
            for group in (self.to_qualify, self.qualified, self.challengers):
                if group and hotkey in group:
                    group.remove(hotkey)
        if set(hotkeys) & set(self.kings) or (qualifying and not self.to_qualify):
            self.start_line()
        elif self.to_qualify:
            self.audit_first_to_qualify()
        elif self.challengers is not None:
            self.use_known_results()

    def winner(self) -> str | None:
        if self.to_qualify or self.challengers or not set(self.kings) <= self.approved:
            return None
        return self.king


@dataclass(frozen=True)
class Fate:
    """What will be found about a miner: how long its audit takes from the request, in matches, and
    how it ends.
    """

    delay: int
    passes: bool
    struck_at: int | None
    """When a person rejects its source code unasked, in matches from the start; None: never."""


def play(order: list[str], results: Mapping[Pair, float], fates: Mapping[str, Fate]) -> list[Pair]:
    """Play a round twice at once, by the timeline and by the plain judge, and compare at every
    step.
    """
    timeline = Timeline(order, MARGIN)
    judge = PlainJudge(deque(order))
    if not order:
        judge.start_line()
    margins: dict[Pair, float] = {}
    approved: set[str] = set()
    rejected: set[str] = set()
    requested: dict[str, tuple[int, Pair]] = {}
    now = 0
    for _ in range(2 * (len(order) + 2) ** 2 + 100):
        verdicts = Verdicts(frozenset(approved), frozenset(rejected))
        for hotkey, pair in timeline.audits_due(margins, verdicts):
            requested.setdefault(hotkey, (now, pair))
        due = list(timeline.matches_due(margins, verdicts))
        assert (due[0] if due else None) == judge.next_match()
        assert len(due) == len(set(due))
        assert sorted(timeline.by_need(margins, verdicts)) == sorted(due)
        assert not set(due) & set(margins)
        assert [(hotkey, pair) for hotkey, (_, pair) in requested.items()] == judge.audited
        winner = timeline.winner(margins, verdicts)
        assert winner == judge.winner()
        if winner is not None:
            assert due == []
            assert winner == "leader" or winner in approved
            return list(margins)
        waiting = {hotkey for hotkey in requested if hotkey not in approved | rejected}
        assert due or waiting, "nothing left to play and nobody to wait for"
        good, bad = verdicts_at(now, order, requested, fates, approved | rejected)
        if good or bad:  # verdicts are told between two matches
            approved |= good
            judge.approved |= good
            rejected |= bad
            judge.hear_rejections(bad)
        elif due:
            margins[due[0]] = results[due[0]]
            judge.hear_result(due[0], results[due[0]])
            now += 1
        else:
            now += 1000
    pytest.fail("the round does not end")


def verdicts_at(
    now: int,
    order: list[str],
    requested: Mapping[str, tuple[int, Pair]],
    fates: Mapping[str, Fate],
    known: set[str],
) -> tuple[set[str], set[str]]:
    """Who is approved and who rejected at that time."""
    good: set[str] = set()
    bad: set[str] = set()
    for hotkey in order:
        fate = fates[hotkey]
        decided = hotkey in requested and now >= requested[hotkey][0] + fate.delay
        struck = fate.struck_at is not None and now >= fate.struck_at
        if hotkey not in known and (decided or struck):
            (good if decided and fate.passes and not struck else bad).add(hotkey)
    return good, bad


margins_of_matches = st.sampled_from([-100.0, -0.1, 0.0, 0.049, MARGIN, 0.06, 0.2, 100.0])
fates_of_miners = st.builds(
    Fate,
    delay=st.integers(0, 12),
    passes=st.booleans(),
    struck_at=st.none() | st.none() | st.integers(0, 15),
)


@st.composite
def rounds(
    draw: st.DrawFn, miners: int = 6
) -> tuple[list[str], dict[Pair, float], dict[str, Fate]]:
    order = draw(st.permutations([f"m{number}" for number in range(draw(st.integers(0, miners)))]))
    pairs = [(left, right) for left in ["leader", *order] for right in order if left != right]
    results = {pair: draw(margins_of_matches) for pair in pairs}
    return order, results, {hotkey: draw(fates_of_miners) for hotkey in order}


@settings(max_examples=400, deadline=None)
@given(rounds())
def test_the_timeline_plays_audits_and_crowns_like_a_plain_judge(
    played: tuple[list[str], dict[Pair, float], dict[str, Fate]],
) -> None:
    play(*played)


@pytest.mark.parametrize("seed", range(60))
def test_a_large_round_ends_like_a_plain_judges(seed: int) -> None:
    rng = random.Random(seed)
    order = [f"m{number:02}" for number in range(14)]
    rng.shuffle(order)
    win = rng.choice([0.3, 0.6, 0.9])
    pairs = [(left, right) for left in ["leader", *order] for right in order if left != right]
    results = {pair: 0.1 if rng.random() < win else -0.1 for pair in pairs}
    fates = {
        hotkey: Fate(
            rng.randint(0, 40), rng.random() < 0.4, rng.choice([None] * 9 + [rng.randint(0, 40)])
        )
        for hotkey in order
    }
    matches = play(order, results, fates)
    assert len(matches) == len(set(matches)) <= len(order) * (len(order) + 1) // 2


@settings(max_examples=100, deadline=None)
@given(rounds(), st.randoms(use_true_random=False))
def test_g08_no_result_depends_on_the_order_in_which_a_map_was_read(
    played: tuple[list[str], dict[Pair, float], dict[str, Fate]], rng: random.Random
) -> None:
    order, results, fates = played
    some = dict(rng.sample([*results.items()], rng.randint(0, len(results))))
    turned = dict(rng.sample([*some.items()], len(some)))
    verdicts = Verdicts(
        {h for h in order if fates[h].passes}, {h for h in order if fates[h].struck_at}
    )
    timeline = Timeline(order, MARGIN)

    def derived(margins: dict[Pair, float]) -> tuple[object, ...]:
        return (
            timeline.line(margins, verdicts),
            list(timeline.matches_due(margins, verdicts)),
            timeline.audits_due(margins, verdicts),
            timeline.winner(margins, verdicts),
        )

    before = list(some.items())
    assert derived(some) == derived(some) == derived(turned)
    assert list(some.items()) == before


THREE = Timeline(["a", "b", "c"], MARGIN)
ALL_QUALIFIED = {("leader", "a"): 0.1, ("leader", "b"): MARGIN, ("leader", "c"): 0.3}


def due(margins: Mapping[Pair, float], verdicts: Verdicts = NOBODY) -> list[Pair]:
    return list(THREE.matches_due(margins, verdicts))


def test_every_submission_plays_the_leader_first_in_order() -> None:
    assert due({}) == [("leader", "a"), ("leader", "b"), ("leader", "c")]
    assert due({("leader", "b"): 0.1}) == [("leader", "a"), ("leader", "c")]


def test_the_first_to_qualify_is_audited_while_qualification_still_runs() -> None:
    assert THREE.audits_due({("leader", "a"): -0.1}, NOBODY) == []
    assert THREE.audits_due({("leader", "a"): -0.1, ("leader", "b"): MARGIN}, NOBODY) == [
        ("b", ("leader", "b"))
    ]
    assert THREE.audits_due({("leader", "a"): 0.1}, NOBODY) == [("a", ("leader", "a"))]


def test_who_qualified_while_an_earlier_match_is_still_played_may_not_be_the_first() -> None:
    assert THREE.audits_due({("leader", "b"): 0.1}, NOBODY) == []
    assert THREE.audits_due({("leader", "b"): 0.1}, rejecting("a")) == [("b", ("leader", "b"))]


def test_the_match_against_the_leader_is_not_played_again_in_the_main_line() -> None:
    assert due(ALL_QUALIFIED) == [("a", "b")]
    assert due(ALL_QUALIFIED | {("a", "b"): 0.0}) == [("a", "c")]
    assert due(ALL_QUALIFIED | {("a", "b"): MARGIN}) == [("b", "c")]


def test_every_defender_is_audited_for_the_match_that_made_it_one() -> None:
    margins = ALL_QUALIFIED | {("a", "b"): 0.1, ("b", "c"): 0.0}
    assert THREE.audits_due(margins, NOBODY) == [("a", ("leader", "a")), ("b", ("a", "b"))]


def test_the_missing_pairs_are_played_while_audits_run_and_only_then() -> None:
    margins = ALL_QUALIFIED | {("a", "b"): 0.1, ("b", "c"): 0.0}
    assert due(margins) == [("a", "c")]
    assert due(margins, approving("a", "b")) == []
    assert THREE.winner(margins, approving("a", "b")) == "b"


def test_of_the_missing_pairs_those_come_first_that_a_rejection_would_need() -> None:
    timeline = Timeline(["a", "b", "c", "d", "e"], MARGIN)
    margins = {("leader", hotkey): 0.1 for hotkey in "abcde"}
    margins |= {("a", "b"): 0.0, ("a", "c"): 0.1, ("c", "d"): 0.0, ("c", "e"): 0.1}
    # Without a, b would defend next, against c; without c, a against d; without e, nothing is
    # missing.
    missing = [("a", "d"), ("a", "e"), ("b", "c"), ("b", "d"), ("b", "e"), ("d", "e")]
    assert list(timeline.matches_due(margins, NOBODY)) == missing
    assert timeline.by_need(margins, NOBODY) == [
        ("b", "c"),
        ("a", "d"),
        ("a", "e"),
        ("b", "d"),
        ("b", "e"),
        ("d", "e"),
    ]
    assert timeline.by_need(margins, approving("a"))[:2] == [("a", "d"), ("a", "e")]
    assert timeline.by_need(margins, approving("a", "c", "e")) == []


def test_a_rejection_draws_the_line_again_without_the_rejected() -> None:
    margins = ALL_QUALIFIED | {("a", "b"): 0.1, ("b", "c"): 0.0, ("a", "c"): 0.1}
    assert THREE.line(margins, rejecting("b")).defenders == ["a", "c"]
    assert THREE.winner(margins, Verdicts({"a", "c"}, {"b"})) == "c"
    assert THREE.winner(margins, Verdicts({"c"}, {"a", "b"})) == "c"


def test_the_line_is_final_only_when_every_defender_is_approved() -> None:
    margins = ALL_QUALIFIED | {("a", "b"): 0.1, ("b", "c"): 0.0, ("a", "c"): 0.0}
    assert THREE.winner(margins, approving("b")) is None
    assert THREE.winner(margins, approving("a", "b")) == "b"


def test_an_audit_is_not_awaited_of_who_does_not_defend() -> None:
    margins = ALL_QUALIFIED | {("a", "b"): 0.0, ("a", "c"): 0.0}
    assert THREE.winner(margins, approving("a")) == "a"


def test_a_rejected_miner_has_no_match_to_play() -> None:
    assert due({}, rejecting("a")) == [("leader", "b"), ("leader", "c")]
    assert due(ALL_QUALIFIED, rejecting("a")) == [("b", "c")]


@pytest.mark.parametrize(
    ("margins", "verdicts"),
    [
        (dict.fromkeys(ALL_QUALIFIED, 0.049), NOBODY),
        (dict.fromkeys(ALL_QUALIFIED, -100.0), NOBODY),
        (ALL_QUALIFIED, rejecting("a", "b", "c")),
        ({}, rejecting("a", "b", "c")),
    ],
)
def test_g11_the_leader_wins_when_nobody_qualified_or_all_are_rejected(
    margins: dict[Pair, float], verdicts: Verdicts
) -> None:
    assert THREE.winner(margins, verdicts) == "leader"
    assert due(margins, verdicts) == []
    assert THREE.audits_due(margins, verdicts) == []


def test_g11_the_leader_wins_a_round_without_submissions() -> None:
    assert Timeline([], MARGIN).winner({}, NOBODY) == "leader"
