"""Matches put to the judge: many questions at once, in an order that its cache likes, and a match's
report once its plays are over.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import partial
from typing import NamedTuple

from gen404_assets.competition.duels import MatchReport, report_of
from gen404_assets.competition.evidence import DuelQuestion
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.judgement import PROMPT_VERSION, NotJudged, Question, Reply
from gen404_assets.competition.match_under_play import MatchUnderPlay, PlayUnderWay
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.round import Round
from gen404_assets.live.canaries import Canaries, JudgeOutOfOrder
from gen404_assets.live.watching import Watch
from gen404_assets.live.work import Work
from resources.kept_answers import KeptAnswers

_TOGETHER = 8
"""Matches played side by side, prompt by prompt: so often in a row the judge sees one prompt, and
one defender.
"""

_FAULTS_IN_A_ROW = 8
"""So many questions without an answer, one after another, are an outage: no further one is
asked.
"""


class JudgedPlay:
    """A play put to the judge: its questions, and the evidence that the answers are.

    `picture`: the URL under which the judge is shown a prompt, given the prompt's own.
    """

    def __init__(
        self, play: PlayUnderWay, judge: KeptAnswers, picture: Callable[[str], str]
    ) -> None:
        self.play = play
        self._judge, self._picture = judge, picture
        self._replies: dict[tuple[str, bool], Sequence[Reply]] = {}

    def question(self, prompt: str, *, swapped: bool) -> Question:
        """What the judge is asked about a prompt that is open."""
        left, right = self.play.pictures(prompt)
        question = Question(self._picture(prompt), left, right, self.play.seed)
        return question.swapped() if swapped else question

    def ask(self, prompt: str, watch: Watch, *, swapped: bool) -> Sequence[Reply] | None:
        """All attempts at a question (`KeptAnswers.attempts`); None once the play is over.

        Raises InfrastructureFault, and what `Watch.check` raises.
        """
        if self.play.over:
            return None
        watch.check()
        return self._judge.attempts(self.question(prompt, swapped=swapped), watch.confirm)

    def take(self, prompt: str, replies: Sequence[Reply], *, swapped: bool) -> None:
        """All attempts at a question have been made. Those of both orders are a duel's evidence."""
        self._replies[prompt, swapped] = replies
        first, second = self._replies.get((prompt, False)), self._replies.get((prompt, True))
        if first is None or second is None or self.play.over:
            return
        digests = self._judge.digests(self.question(prompt, swapped=False))
        asked = DuelQuestion(*digests, self._judge.model, PROMPT_VERSION, self.play.seed)
        self.play.take(prompt, asked.evidence(first, second))

    def is_kept(self) -> bool:
        """Whether all that has been answered is kept, and no longer provisional."""
        return all(
            self._judge.are_kept(self.question(prompt, swapped=swapped), replies)
            for (prompt, swapped), replies in self._replies.items()
        )


class Asked(NamedTuple):
    """A question of a play: the URL of its prompt, and whether the sides are exchanged."""

    play: JudgedPlay
    prompt: str
    swapped: bool


class QuestionsAsked:
    """The questions of several plays, put to the judge as this is made."""

    def __init__(self, plays: Sequence[JudgedPlay], pool: ThreadPoolExecutor, watch: Watch) -> None:
        self._asked: dict[Future[Sequence[Reply] | None], Asked] = {
            pool.submit(each.play.ask, each.prompt, watch, swapped=each.swapped): each
            for each in in_order(plays)
        }
        self._answered = as_completed(list(self._asked))
        self._faults: list[InfrastructureFault] = []
        self._faults_in_a_row = 0

    def finish(self, play: PlayUnderWay) -> None:
        """Take answers as they come, also those of the other plays, until this play is over.

        A question that is not answered does not keep the others from being asked, unless many in a
        row are not. Raises InfrastructureFault when the judge doesn't judge, and what `Watch.check`
        raises.
        """
        while not play.over:
            answered = next(self._answered, None)
            if answered is None:  # all have been answered, and the play still lacks some
                raise self._faults[0]
            self._take(answered)

    def _take(self, answered: Future[Sequence[Reply] | None]) -> None:
        asked = self._asked.pop(answered)
        try:
            replies = answered.result()
        except JudgeOutOfOrder:
            raise
        except InfrastructureFault as fault:
            self._faults.append(fault)
            self._faults_in_a_row += 1
            if self._faults_in_a_row == _FAULTS_IN_A_ROW:
                raise
            return
        self._faults_in_a_row = 0
        if replies is not None:
            asked.play.take(asked.prompt, replies, swapped=asked.swapped)


class MatchesAtOnce:
    """Matches that are played at the same time, all on the round as it was when they began.

    As a context manager: questions are asked inside it alone. Entering it raises
    InfrastructureFault where canary duels show that the judge is out of order.
    """

    def __init__(
        self, work: Work, current: Round, matches: Sequence[MatchUnderPlay], canaries: Canaries
    ) -> None:
        self._work, self._current, self._canaries = work, current, canaries
        self._watch = Watch(work, current, canaries)
        first_seed = current.required_seed.seed
        self._plays = {
            match.pair: self._judged(PlayUnderWay(match, first_seed)) for match in matches
        }

    def __enter__(self) -> "MatchesAtOnce":
        if any(not judged.play.over for judged in self._plays.values()):
            self._canaries.fly(self._current)
            self._canaries.measure_words(self._current)
            self._watch.begin()
        # A duel is two questions.
        self._pool = ThreadPoolExecutor(2 * self._work.pace.max_concurrent_duels)
        self._questions = QuestionsAsked(list(self._plays.values()), self._pool, self._watch)
        return self

    def __exit__(self, *_error: object) -> None:
        # First, so that no question begins while the watch ends.
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._watch.end()
        self._pool.shutdown(wait=True)

    def report(self, pair: Pair) -> MatchReport:
        """The report of one of the matches, once it has been played: twice more if it is close and
        the competition plays such a match again.

        Raises InfrastructureFault when the judge doesn't judge, or has judged out of order, and
        what `Watch.check` raises.
        """
        judged = [self._plays[pair]]
        first = judged[0].play
        self._questions.finish(first)
        plays = [first.result()]
        match = first.match
        if match.is_played_again(plays[0].score):
            margin = f"{plays[0].margin:+.3f}"
            self._work.say(f"{names(pair)}: {margin} is close, so it is played twice more")
            again = [self._judged(PlayUnderWay(match, seed)) for seed in match.seeds[1:]]
            questions = QuestionsAsked(again, self._pool, self._watch)
            for repeated in again:
                questions.finish(repeated.play)
                plays.append(repeated.play.result())
            judged += again
        self._require_kept(pair, judged)
        return report_of(*pair, plays)

    def _require_kept(self, pair: Pair, plays: Sequence[JudgedPlay]) -> None:
        """See that canary duels vouch for all that was answered. Raises InfrastructureFault where
        they don't.
        """
        if all(judged.is_kept() for judged in plays):
            return
        self._watch.confirm()
        if not all(judged.is_kept() for judged in plays):
            raise NotJudged(
                f"canary duels don't vouch for all that was answered in {names(pair)}, so that is "
                "asked again"
            )

    def _judged(self, play: PlayUnderWay) -> JudgedPlay:
        picture = partial(self._work.outside.pictures.url, self._current.number)
        return JudgedPlay(play, self._work.outside.judge, picture)


def names(pair: Pair) -> str:
    """A match as messages name it."""
    return f"{short(pair[0])} vs {short(pair[1])}"


def in_order(plays: Sequence[JudgedPlay]) -> Iterator[Asked]:
    """All questions of the plays, those beside each other that begin with the same text and
    pictures.
    """
    for first in range(0, len(plays), _TOGETHER):
        group = plays[first : first + _TOGETHER]
        prompts = dict.fromkeys(prompt for each in group for prompt in each.play.open)
        for prompt in prompts:
            for swapped in (False, True):
                yield from (
                    Asked(each, prompt, swapped) for each in group if prompt in each.play.open
                )
