"""The judge's answers as they are kept in the object store: provisional until canary duels vouch
for them.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import Any

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import (
    ATTEMPTS,
    PROMPT_VERSION,
    Answer,
    Digests,
    Question,
    Reply,
    Unusable,
    answer_key,
    asked,
)
from resources.answer_records import AnswerRecord, AnswerStore
from resources.judge import Judge
from resources.object_store import ObjectConflict
from resources.provisional_answers import ProvisionalAnswer, ProvisionalAnswers

_PUTS_AT_ONCE = 8  # answers written to the store at a time


class KeptAnswers:
    """A judge whose answers are kept in the object store, so that no question is asked twice.

    The key of an answer is made of the question: model, prompt version, seed and the SHA-256 of the
    three pictures. Another file with the same bytes is therefore the same question.

    An answer is provisional at first, and recorded as such under `provisional/`. It is kept under
    `answers/` once good canary duels have come before and after it (`vouch`). Those of a judge that
    was found out of order (`distrust`) are asked for again; their records stay. Whoever comes after
    a crash finds the provisional answers, and goes on from them. Threads may share this.
    """

    def __init__(self, judge: Judge, store: AnswerStore) -> None:
        self._judge = judge
        self._store = store
        # Digests only, 64 characters each: those of a round's pictures stay known.
        self._digest = lru_cache(maxsize=1 << 16)(
            lambda url: hashlib.sha256(store.read(url)).hexdigest()
        )
        self._lock = threading.Lock()
        self._asking: dict[str, Future[Answer]] = {}
        self._kept: dict[str, Reply] = {}
        self._provisional = ProvisionalAnswers(store)

    @property
    def model(self) -> str:
        return self._judge.model

    @property
    def judge(self) -> Judge:
        """The judge itself, which keeps no answers."""
        return self._judge

    def digests(self, question: Question) -> Digests:
        """Those of a question's pictures, each read once for each URL."""
        return Digests(*map(self._digest, question.pictures))

    def key(self, question: Question) -> str:
        """Where the answer is kept in the store, and with it all that is needed to check it."""
        return answer_key(self._asked(question))

    def are_kept(self, question: Question, replies: Sequence[Reply]) -> bool:
        """Whether these, all attempts at a question, are what is kept: nothing may rest on
        others.
        """
        keys = [self.key(replace(question, attempt=number)) for number in range(len(replies))]
        return [self._kept.get(key) for key in keys] == list(replies)

    def attempts(self, question: Question, confirm: Callable[[], None]) -> list[Reply]:
        """All attempts at a question: up to the first usable answer, or five unusable ones.

        `confirm` is called when an answer can't be used. It raises InfrastructureFault unless it
        finds the judge in order now, after that answer. Raises that, NotJudged, and what the store
        raises.
        """
        replies = []
        for number in range(ATTEMPTS):
            try:
                answer = self.ask(replace(question, attempt=number), confirm)
            except Unusable as unusable:
                replies.append(unusable.reply)
            else:
                return [*replies, Reply(answer.model, answer.raw)]
        return replies

    def ask(self, question: Question, confirm: Callable[[], None] | None = None) -> Answer:
        """The known answer to one attempt, or else the judge's, once the store has a record of it.

        Raises Unusable, NotJudged, and what the store raises. Without `confirm`, nothing unusable
        is recorded.
        """
        question_asked = self._asked(question)
        key = answer_key(question_asked)
        with self._lock:
            answer = self._asking.get(key)
            if mine := answer is None:
                answer = self._asking[key] = Future()
        if mine:
            try:
                reply = self._known(key) or self._new(key, question_asked, question, confirm)
                answer.set_result(reply.answer())
            # Whatever it is: others may wait for this answer, and would wait for ever.
            except BaseException as error:
                answer.set_exception(error)
                raise
            finally:
                with self._lock:
                    del self._asking[key]
        return answer.result()

    def vouch(self, begun: float) -> None:
        """Canary duels that began at `begun`, by the monotonic clock, came out right.

        They and the good ones before vouch for the provisional answers that were known at `begun`,
        unless they are too far apart: then those answers are asked for again. Raises what the store
        raises, and InfrastructureFault where another process has kept another answer.
        """
        vouched = self._provisional.vouch(begun)
        with ThreadPoolExecutor(_PUTS_AT_ONCE) as pool:
            list(pool.map(self._keep, vouched, vouched.values()))

    def distrust(self, reason: str) -> None:
        """Canary duels came out wrong: what was answered since the last good ones is asked for
        again, also by who comes after a crash.
        """
        self._provisional.distrust(reason)

    def _asked(self, question: Question) -> dict[str, Any]:
        return asked(
            self.model, PROMPT_VERSION, question.seed, self.digests(question), question.attempt
        )

    def _known(self, key: str) -> Reply | None:
        """The answer that is kept, or the provisional one; None where there is none."""
        if reply := self._kept.get(key):
            return reply
        if answer := self._provisional.get(key):
            return self._provisional.recorded(key, answer)
        data = self._store.get(key)
        if data is None:
            return self._provisional.find(key)
        reply = self._kept[key] = AnswerRecord.read(data, key).reply
        return reply

    def _new(
        self,
        key: str,
        question_asked: Mapping[str, Any],
        question: Question,
        confirm: Callable[[], None] | None,
    ) -> Reply:
        times_distrusted = self._provisional.times_distrusted
        unusable_fields: dict[str, str] = {}
        try:
            answer = self._judge.ask(question)
            reply = Reply(answer.model, answer.raw)
        except Unusable as unusable:
            if confirm is None:
                raise
            reply = unusable.reply
            if reply.finish_reason is not None:
                unusable_fields["finish_reason"] = reply.finish_reason
            unusable_fields["unusable"] = str(unusable)
        answered = {"answered_by": reply.model, "answer": reply.text}
        content = {**question_asked, **answered, **unusable_fields}
        counted = self._provisional.add(key, reply, content, times_distrusted)
        if unusable_fields and confirm is not None:
            confirm()
        return counted

    def _keep(self, key: str, answer: ProvisionalAnswer) -> None:
        """Keep an answer that canary duels have vouched for."""
        try:
            self._store.put(key, json.dumps(answer.content, indent=1).encode(), "application/json")
        except ObjectConflict:
            self._provisional.discard(key)
            raise InfrastructureFault(
                f"another process has kept another answer as {key}: two platforms judge this round "
                "at the same time, and its matches are played again with what was kept first"
            ) from None
        self._kept[key] = answer.reply
        self._provisional.discard(key)
