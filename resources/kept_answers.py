"""The judge's answers as they are kept in the object store: provisional until canary duels vouch
for them.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import (
    ATTEMPTS,
    PROMPT_VERSION,
    Answer,
    NotJudged,
    Question,
    Reply,
    Unusable,
    answer_key,
    asked,
)
from resources.judge import Judge
from resources.object_store import ObjectConflict

LONGEST_INTERVAL = 600.0
"""Good canary duels that are further apart than so many seconds do not vouch for what was answered
between them (`rules.md`, Judge, Provisional answers).
"""
_PUTS_AT_ONCE = 8


class AnswerStore(Protocol):
    """What is needed of the object store. Every failure is an InfrastructureFault."""

    def get(self, key: str) -> bytes | None:
        """The object's content; None if there is none."""

    def put(self, key: str, data: bytes, content_type: str) -> str:
        """Keep an object; its public URL. Raises ObjectConflict where the key holds other bytes."""

    def read(self, url: str) -> bytes:
        """The content behind a public URL."""


class Canary(BaseModel):
    """Canary duels that came out right: a name for them, and when they ended."""

    model_config = ConfigDict(strict=True, frozen=True)

    name: str
    passed: datetime

    def vouches_until(self, moment: datetime) -> bool:
        """Whether these canary duels and good ones begun at `moment` vouch for what was answered
        between them.
        """
        return 0 <= (moment - self.passed).total_seconds() <= LONGEST_INTERVAL


@dataclass(slots=True)
class _Provisional:
    """An answer that was given, and that no canary duels have vouched for yet.

    `known`: since when it is known here, by the monotonic clock. `before`: the last good canary
    duels before it. `recorded_before`: the same as the record in the store names it; `recorded`:
    whether the store has that record.
    """

    reply: Reply
    content: Mapping[str, Any]
    known: float
    before: Canary
    recorded_before: Canary
    recorded: bool = False
    vouched: bool = False


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
        self._digest = lru_cache(maxsize=1 << 16)(
            lambda url: hashlib.sha256(store.read(url)).hexdigest()
        )
        self._lock = threading.Lock()
        self._asking: dict[str, Future[Answer]] = {}
        self._kept: dict[str, Reply] = {}
        self._provisional: dict[str, _Provisional] = {}
        self._canary: Canary | None = None
        self._times_distrusted, self._last_distrusted = 0, datetime.min.replace(tzinfo=UTC)
        self._why = "no canary duels have come out right yet"
        self._distrusted: dict[str, bytes | None] = {}
        """By the name of good canary duels that bad ones followed: the object that says so, None
        once the store has it.
        """

    @property
    def model(self) -> str:
        return self._judge.model

    @property
    def judge(self) -> Judge:
        """The judge itself, which keeps no answers."""
        return self._judge

    def digests(self, question: Question) -> tuple[str, str, str]:
        """SHA-256 in hex of the prompt's, the first and the second picture, read once for each
        URL.
        """
        prompt, first, second = map(self._digest, question.pictures)
        return prompt, first, second

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
        now = datetime.now(UTC)
        began = datetime.fromtimestamp(now.timestamp() - (time.monotonic() - begun), UTC)
        canary = Canary(name=uuid4().hex, passed=now)
        with self._lock:
            self._canary = canary
            for key, answer in list(self._provisional.items()):
                if answer.known >= begun:  # given beside these duels: the next ones vouch for it
                    answer.before = canary
                elif answer.vouched or answer.before.vouches_until(began):
                    answer.vouched = True
                else:
                    del self._provisional[key]
            vouched = [key for key, answer in self._provisional.items() if answer.vouched]
        self._tell_distrusted()
        with ThreadPoolExecutor(_PUTS_AT_ONCE) as pool:
            list(pool.map(self._keep, vouched))

    def distrust(self, reason: str) -> None:
        """Canary duels came out wrong: what was answered since the last good ones is asked for
        again, also by who comes after a crash.
        """
        record = json.dumps({"reason": reason}, indent=1).encode()
        with self._lock:
            self._canary = None
            self._times_distrusted += 1
            self._last_distrusted, self._why = datetime.now(UTC), reason
            for key, answer in list(self._provisional.items()):
                if not answer.vouched:
                    self._distrusted.setdefault(answer.recorded_before.name, record)
                    del self._provisional[key]
        self._tell_distrusted()

    def _tell_distrusted(self) -> None:
        for name, record in list(self._distrusted.items()):
            if record is not None:
                with suppress(ObjectConflict):  # another process has found it out too
                    self._store.put(_distrust_key(name), record, "application/json")
                self._distrusted[name] = None

    def _asked(self, question: Question) -> dict[str, Any]:
        return asked(
            self.model, PROMPT_VERSION, question.seed, self.digests(question), question.attempt
        )

    def _known(self, key: str) -> Reply | None:
        """The answer that is kept, or the provisional one; None where there is none."""
        if reply := self._kept.get(key):
            return reply
        answer = self._provisional.get(key)
        if answer is not None:
            return self._recorded(key, answer)
        data = self._store.get(key)
        if data is None:
            return self._found(key)
        reply = self._kept[key] = _read(data, key).reply
        return reply

    def _found(self, key: str) -> Reply | None:
        """The provisional answer that another process, or one before, has recorded, where canary
        duels may still vouch for it.
        """
        number = 1
        while (data := self._store.get(_record_key(key, number))) is not None:
            if answer := self._read_record(key, number, data):
                with self._lock:
                    self._provisional[key] = answer
                return answer.reply
            number += 1
        return None

    def _read_record(self, key: str, number: int, data: bytes) -> _Provisional | None:
        read = _read(data, _record_key(key, number))
        before = read.canary
        if before is None or not before.vouches_until(datetime.now(UTC)):
            return None
        if before.passed <= self._last_distrusted:  # bad canary duels came after it
            return None
        if before.name in self._distrusted or self._store.get(_distrust_key(before.name)):
            return None
        content = {name: value for name, value in json.loads(data).items() if name != "canary"}
        return _Provisional(read.reply, content, time.monotonic(), before, before, recorded=True)

    def _new(
        self,
        key: str,
        question_asked: Mapping[str, Any],
        question: Question,
        confirm: Callable[[], None] | None,
    ) -> Reply:
        times_distrusted = self._times_distrusted
        unusable_fields: dict[str, str] = {}
        try:
            answer = self._judge.ask(question)
            reply = Reply(answer.model, answer.raw)
        except Unusable as unusable:
            if confirm is None:
                raise
            reply = unusable.reply
            unusable_fields = (
                {"finish_reason": reply.finish_reason} if reply.finish_reason is not None else {}
            )
            unusable_fields["unusable"] = str(unusable)
        content = {
            **question_asked,
            "answered_by": reply.model,
            "answer": reply.text,
        } | unusable_fields
        with self._lock:
            before = self._canary
            if before is None or self._times_distrusted != times_distrusted:
                raise NotJudged(f"an answer of the judge doesn't count: {self._why}")
            # Held until the store has it: asking again would cost again, and could differ.
            provisional = _Provisional(reply, content, time.monotonic(), before, before)
            self._provisional[key] = provisional
        counted = self._recorded(key, provisional)
        if unusable_fields and confirm is not None:
            confirm()
        return counted

    def _recorded(self, key: str, answer: _Provisional) -> Reply:
        """A provisional answer, once the store has a record of it; where another process has
        recorded one meanwhile, that one.
        """
        number = 1
        while not answer.recorded:
            canary = answer.recorded_before.model_dump(mode="json")
            data = json.dumps({**answer.content, "canary": canary}, indent=1).encode()
            try:
                self._store.put(_record_key(key, number), data, "application/json")
            except ObjectConflict:
                if others := self._found(key):
                    return others
                number += 1
            else:
                answer.recorded = True
        return answer.reply

    def _keep(self, key: str) -> None:
        """Keep an answer that canary duels have vouched for."""
        answer = self._provisional.get(key)
        if answer is None:
            return
        try:
            self._store.put(key, json.dumps(answer.content, indent=1).encode(), "application/json")
        except ObjectConflict:
            with self._lock:
                self._provisional.pop(key, None)
            raise InfrastructureFault(
                f"another process has kept another answer as {key}: two platforms judge this round "
                "at the same time, and its matches are played again with what was kept first"
            ) from None
        with self._lock:
            self._kept[key] = answer.reply
            self._provisional.pop(key, None)


def _record_key(key: str, number: int) -> str:
    digest = key.removeprefix("answers/").removesuffix(".json")
    return f"provisional/{digest}-{number}.json"


def _distrust_key(name: str) -> str:
    return f"provisional/out-of-order-{name}.json"


class _KeptAnswer(BaseModel):
    """An answer in the store, kept or provisional."""

    model_config = ConfigDict(strict=True)

    answered_by: str
    answer: str
    finish_reason: str | None = None
    unusable: str | None = None
    """Why it could not be used; None for an answer."""
    canary: Canary | None = None
    """The last good canary duels before a provisional answer."""

    @property
    def reply(self) -> Reply:
        return Reply(self.answered_by, self.answer, self.finish_reason)


def _read(data: bytes, key: str) -> _KeptAnswer:
    try:
        kept = _KeptAnswer.model_validate_json(data)
        if kept.unusable is None:
            kept.reply.answer()
    except (ValidationError, NotJudged) as error:
        raise InfrastructureFault(f"{key} in the store is no kept answer: {error}") from error
    return kept
