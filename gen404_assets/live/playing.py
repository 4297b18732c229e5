"""Matches on their way: many questions at once, in an order that the judge's cache likes; duels
counted in another.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from gen404_assets.competition.duels import (
    Duel,
    Outcome,
    Play,
    duel_entry,
    duel_outcome,
    make_play,
    match_score,
    without_judge,
)
from gen404_assets.competition.evidence import Evidence, Said
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.margins import clinched_score
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.round import Round
from gen404_assets.competition.settings import Rules
from resources.judge import PROMPT_VERSION, KeptAnswers, Question, Reply

_TOGETHER = 8
"""Matches played side by side, prompt by prompt: so often in a row the judge sees one prompt, and
one defender.
"""

_FAULTS_IN_A_ROW = 8
"""So many questions without an answer, one after another, are an outage: no further one is
asked.
"""

Asked = tuple["PlayUnderWay", str, bool]
"""A play, the URL of a prompt, and whether the sides are exchanged."""


class PlayUnderWay:
    """A match that is played with one seed. `picture`: the URL under which the judge is shown a
    prompt, given the prompt's own.

    Answers come in any order. Duels count in one order, those that need no judge first and the
    others by prompt, and a match that is clinched ends with the duel that clinches it: what is
    recorded depends on the answers alone.
    """

    def __init__(
        self,
        current: Round,
        pair: Pair,
        seed: int,
        judge: KeptAnswers,
        picture: Callable[[str], str],
        rules: Rules,
    ) -> None:
        self.pair, self.seed = pair, seed
        self._current, self._judge, self._rules = current, judge, rules
        self._picture = picture
        self._sides = sides(current, pair)
        self._replies: dict[tuple[str, bool], Sequence[Reply]] = {}
        self._clinched: int | None = None
        prompts = current.prompts or []
        forced = without_judge(prompts, self._sides, current.missing, rules)
        decided = {prompt: forced[stem(prompt)] for prompt in prompts}
        self._duels = [
            self._duel(prompt, outcome) for prompt, outcome in decided.items() if outcome
        ]
        self.open = [prompt for prompt, outcome in decided.items() if outcome is None]
        self.judged = len(self.open)
        self._clinch()

    @property
    def over(self) -> bool:
        return not self.open or self._clinched is not None

    def question(self, prompt: str, *, swapped: bool) -> Question:
        """What the judge is asked about a prompt that is open."""
        left, right = self._outputs(prompt)
        if left is None or right is None or left.png is None or right.png is None:
            raise AssertionError(f"{prompt}: neither the rules nor the judge decide")
        question = Question(self._picture(prompt), left.png, right.png, self.seed)
        return question.swapped() if swapped else question

    def ask(
        self, prompt: str, confirm: Callable[[], None], *, swapped: bool
    ) -> Sequence[Reply] | None:
        """All attempts at a question (`KeptAnswers.attempts`); None once the play is over.

        Raises InfrastructureFault.
        """
        return (
            None
            if self.over
            else self._judge.attempts(self.question(prompt, swapped=swapped), confirm)
        )

    def take(self, prompt: str, replies: Sequence[Reply], *, swapped: bool) -> None:
        """All attempts at a question have been made: count the duels that are decided now."""
        self._replies[prompt, swapped] = replies
        while not self.over:
            prompt = self.open[0]
            first, second = self._replies.get((prompt, False)), self._replies.get((prompt, True))
            if first is None or second is None:
                return
            self._duels.append(self._judged(prompt, first, second))
            self.open = self.open[1:]
            self._clinch()

    def result(self) -> Play:
        """The play, once it is over."""
        return make_play(self._duels, len(self._current.stems), self._clinched)

    def _clinch(self) -> None:
        if self._rules.clinch_matches and self.open:
            score = match_score([duel.winner for duel in self._duels])
            rules = (self._current.config.win_margin, self._rules)
            prompts = len(self._current.stems)
            self._clinched = clinched_score(score, len(self.open), self.judged, prompts, rules)

    def _judged(self, prompt: str, *replies: Sequence[Reply]) -> Duel:
        orders = [self.question(prompt, swapped=swapped) for swapped in (False, True)]
        said = [
            [
                _said(self._judge.key(replace(question, attempt=number)), reply)
                for number, reply in enumerate(attempts)
            ]
            for question, attempts in zip(orders, replies, strict=True)
        ]
        prompt_digest, left, right = self._judge.digests(orders[0])
        before = [attempts[:-1] for attempts in said]
        evidence = Evidence.model_validate(
            {
                "prompt": prompt_digest,
                "left": left,
                "right": right,
                "model": self._judge.model,
                "prompt_version": PROMPT_VERSION,
                "seed": self.seed,
                "answers": [attempts[-1] for attempts in said],
            }
            | ({"unusable": before} if any(before) else {})
        )
        return self._duel(prompt, duel_outcome(evidence), evidence)

    def _duel(
        self, prompt: str, decided: tuple[Outcome, str], evidence: Evidence | None = None
    ) -> Duel:
        entry = duel_entry(
            prompt, *self._outputs(prompt), decided, self._current.config.output_format
        )
        return Duel.model_validate(entry | ({"evidence": evidence} if evidence else {}))

    def _outputs(self, prompt: str) -> tuple[Output | None, Output | None]:
        left, right = self._sides
        return left.get(stem(prompt)), right.get(stem(prompt))


def _said(key: str, reply: Reply) -> Said:
    told = {"key": key, "model": reply.model, "text": reply.text}
    return Said.model_validate(
        told | ({"finish_reason": reply.finish_reason} if reply.finish_reason else {})
    )


def sides(current: Round, pair: Pair) -> tuple[Outputs, Outputs]:
    """What both play with; nothing where there is no file."""
    left, right = (current.played(hotkey) for hotkey in pair)
    return left if left is not None else Outputs({}), right if right is not None else Outputs({})


def played(
    plays: Sequence[PlayUnderWay], pool: ThreadPoolExecutor, confirm: Callable[[], None]
) -> Iterator[PlayUnderWay]:
    """The plays in their order, each as soon as it is over.

    `confirm` finds out whether the judge is in order (`KeptAnswers.attempts`).
    A question that is not answered does not keep the others from being asked, unless many in a row
    are not. Raises InfrastructureFault when the judge doesn't judge.
    """
    asked = {
        pool.submit(play.ask, prompt, confirm, swapped=swapped): (play, prompt, swapped)
        for play, prompt, swapped in in_order(plays)
    }
    waiting = deque(plays)
    faults: list[InfrastructureFault] = []
    in_a_row = 0
    for done in as_completed(asked):
        play, prompt, swapped = asked.pop(done)
        try:
            replies = done.result()
        except InfrastructureFault as fault:
            faults.append(fault)
            in_a_row += 1
            if in_a_row == _FAULTS_IN_A_ROW:
                raise
            continue
        in_a_row = 0
        if replies is not None:
            play.take(prompt, replies, swapped=swapped)
        while waiting and waiting[0].over:
            yield waiting.popleft()
    for play in waiting:
        if not play.over:
            raise faults[0]
        yield play


def in_order(plays: Sequence[PlayUnderWay]) -> Iterator[Asked]:
    """All questions of the plays, those beside each other that begin with the same text and
    pictures.
    """
    for first in range(0, len(plays), _TOGETHER):
        group = plays[first : first + _TOGETHER]
        prompts = dict.fromkeys(prompt for play in group for prompt in play.open)
        for prompt in prompts:
            for swapped in (False, True):
                yield from ((play, prompt, swapped) for play in group if prompt in play.open)
