"""Canary duels: questions whose answers are known, asked of the judge before it is asked anything
else, by the clock while it is asked, and before a match is recorded.

The good output is made of the prompt's own picture, four times, as a perfect rebuild would look
from four sides; the other shows noise. Neither depends on what miners or the leader have made.
"""

import hashlib
import io
import random
import threading
import time
from contextlib import suppress
from functools import lru_cache

from PIL import Image, ImageOps

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import Unusable
from gen404_assets.competition.round import Round
from gen404_assets.live.pictures import FORMATS, MAX_PICTURE_PIXELS
from gen404_assets.live.words import Effect, Shown, measure, write_on
from gen404_assets.live.words_measured import WordsMeasured
from gen404_assets.live.work import Work
from gpu.picture_size import GAP, GRID, SIDE
from gpu.unpacking import NoPicture, opened
from resources.deadlines import within
from resources.figures import FIGURES
from resources.judge import check_judge

_LONGEST_SECONDS = 600.0
"""So long canary duels take at most, with all that they wait for."""
_WORDS_SECONDS = 120.0
"""Seconds for the four questions of `measure_words`: matches wait for them, and nothing follows
from them."""
_PROMPTS = 3
"""On so many prompts a judge may give canary duels no usable answer before it is out of order: a
picture may provoke that."""


class JudgeOutOfOrder(InfrastructureFault):
    """The judge's answers to canary duels are wrong, so its other answers can't be trusted."""


class Canaries:
    """The canary duels of one run, each on another of the round's prompts that have a picture.

    Answers to them are not kept. What comes of them is told to those who keep the other answers
    (`KeptAnswers.vouch` and `distrust`).
    """

    def __init__(self, work: Work) -> None:
        self._work, self._flown, self._words_measured = work, 0, False
        self._seconds = work.pace.canary_seconds
        # When the last flights began that went well, and that didn't.
        self._passed = self._failed = float("-inf")
        self._fault = InfrastructureFault()
        self._lock = threading.Lock()

    @property
    def due_in(self) -> float:
        """In how many seconds canary duels are due again by the clock; 0 where they are."""
        return max(0.0, self._passed + self._seconds - time.monotonic())

    def fly(self, current: Round) -> None:
        """See whether the judge is in order, unless it was `CANARY_SECONDS` ago.

        Raises JudgeOutOfOrder where it isn't, another InfrastructureFault where nobody knows; that
        says nothing of any duel.
        """
        self._since(time.monotonic() - self._seconds, current)

    def confirm(self, current: Round) -> None:
        """See whether the judge is in order now, by canary duels begun after this call.

        Any thread may call.
        Raises InfrastructureFault where it isn't: then what it said just now is no attempt at a
        question.
        """
        self._since(time.monotonic(), current)

    def measure_words(self, current: Round) -> None:
        """Tell, once a run, how far the judge obeys words in a picture; nothing follows from it.

        Call it after canary duels that went well. What can't be measured is said.
        """
        if self._words_measured or not current.prompts_with_picture:
            return
        self._words_measured = True
        try:
            effect = within(_WORDS_SECONDS, self._words_effect, current)
        except (Unusable, InfrastructureFault, TimeoutError) as fault:
            self._work.say(f"whether the judge obeys words in a picture isn't known: {fault}")
            self._keep_words(current, None)
            return
        outcome = "obeyed" if effect.obeyed else "resisted"
        FIGURES.add("words_in_pictures", round=str(current.number), outcome=outcome)
        self._keep_words(current, effect)
        self._work.say(f"round {current.number}: {effect}")
        if effect.obeyed:
            self._work.alert(
                f"the judge {self._work.outside.judge.model} obeys words that a picture shows: "
                f"{effect}. Duels of round {current.number} may be decided by what miners write "
                "on their models: look at the winner's pictures before its source is passed"
            )

    def _keep_words(self, current: Round, effect: Effect | None) -> None:
        """For the pages of the round; a disk that fails is no reason not to judge."""
        with suppress(InfrastructureFault):
            WordsMeasured(self._work.outside.shared.notes).add(current.number, effect)

    def _words_effect(self, current: Round) -> Effect:
        outside, prompt = self._work.outside, current.prompts_with_picture[0]
        prompt_picture = outside.pictures.url(current.number, prompt)
        shown = Shown(
            prompt_picture,
            self._put("good", _four_times(outside.read(prompt_picture), prompt)),
            self._put("noise", _noise()),
            self._put("noise-with-words", write_on(_noise())),
        )
        return measure(outside.judge.judge, shown, current.required_seed.seed)

    def _since(self, moment: float, current: Round) -> None:
        """Fly unless a flight that began at `moment` or later has passed; all who wait share
        one.
        """
        called = time.monotonic()
        with self._lock:
            if self._passed >= moment:
                return
            # The flight that this call waited for has failed: its fault counts here as well.
            if self._failed >= called:
                wrong = isinstance(self._fault, JudgeOutOfOrder)
                raise (JudgeOutOfOrder if wrong else InfrastructureFault)(str(self._fault))
            begun = time.monotonic()
            try:
                self._fly_once(current, begun)
            except InfrastructureFault as fault:
                self._failed, self._fault = begun, fault
                self._passed = float("-inf")
                raise
            self._passed = begun

    def _fly_once(self, current: Round, begun: float) -> None:
        answers = self._work.outside.judge
        try:
            within(_LONGEST_SECONDS, self._fly, current)
        except TimeoutError:
            raise InfrastructureFault(
                f"the judge did not answer canary duels within {_LONGEST_SECONDS:g} s"
            ) from None
        except JudgeOutOfOrder as fault:
            with suppress(InfrastructureFault):  # `vouch` makes up for what the store didn't take
                answers.distrust(str(fault))
            raise
        answers.vouch(begun)

    def _fly(self, current: Round) -> None:
        prompts = current.prompts_with_picture
        seed = current.required_seed.seed
        outside = self._work.outside
        # `left`: how many further prompts may be tried.
        for left in reversed(range(min(_PROMPTS, len(prompts)))):
            prompt = prompts[self._flown % len(prompts)]
            self._flown += 1
            shown = outside.pictures.url(current.number, prompt)
            good = self._put("good", _four_times(outside.read(shown), prompt))
            noise = self._put("noise", _noise())
            try:
                wrong = check_judge(outside.judge.judge, shown, good, noise, seed)
            except Unusable as unusable:
                if not left:
                    raise JudgeOutOfOrder(
                        f"the judge has gone wrong, as canary duels on {prompt} show: {unusable}"
                    ) from unusable
                continue
            if wrong:
                raise JudgeOutOfOrder(
                    f"the judge has gone wrong, as canary duels on {prompt} show: {wrong}"
                )
            return

    def _put(self, what: str, picture: bytes) -> str:
        """A picture's URL; objects are named by content, since another release of PIL may write
        other bytes.
        """
        key = f"canaries/{what}-{hashlib.sha256(picture).hexdigest()}.png"
        return self._work.outside.store.put(key, picture, "image/png")


@lru_cache(maxsize=8)
def _four_times(prompt: bytes, url: str) -> bytes:
    """The prompt's picture where a rebuild's four views are. Raises InfrastructureFault for one
    that can't be read, since it could when it was copied."""
    try:
        with opened(prompt, FORMATS, MAX_PICTURE_PIXELS) as picture:
            shown = ImageOps.contain(picture.convert("RGBA"), (SIDE, SIDE))
    except NoPicture as error:
        raise InfrastructureFault(f"the picture of prompt {url} can't be read: {error}") from error
    view = Image.new("RGB", (SIDE, SIDE), "white")
    view.paste(shown, ((SIDE - shown.width) // 2, (SIDE - shown.height) // 2), shown)
    grid = Image.new("RGB", (GRID, GRID), "black")
    for place in ((0, 0), (SIDE + GAP, 0), (0, SIDE + GAP), (SIDE + GAP, SIDE + GAP)):
        grid.paste(view, place)
    return _png(grid)


@lru_cache(maxsize=1)
def _noise() -> bytes:
    coarse = GRID // 4
    grain = random.Random(404).randbytes(3 * coarse * coarse)  # noqa: S311 -- the same noise always
    return _png(
        Image.frombytes("RGB", (coarse, coarse), grain).resize(
            (GRID, GRID), Image.Resampling.NEAREST
        )
    )


def _png(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()
