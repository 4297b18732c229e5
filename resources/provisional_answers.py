"""Answers of the judge that no canary duels have vouched for yet: who vouches for them, and which
are asked for again.
"""

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from gen404_assets.competition.judgement import NotJudged, Reply
from resources.answer_records import (
    AnswerRecord,
    AnswerStore,
    Canary,
    out_of_order_key,
    provisional_key,
)
from resources.object_store import ObjectConflict


@dataclass(slots=True)
class ProvisionalAnswer:
    """An answer that was given.

    `content`: the object that is kept in the end. `known`: since when the answer is known here, by
    the monotonic clock. `before`: the last good canary duels before it. `recorded_before`: the same
    as the record in the store names it; `recorded`: whether the store has that record.
    """

    reply: Reply
    content: Mapping[str, Any]
    known: float
    before: Canary
    recorded_before: Canary
    recorded: bool = False
    vouched: bool = False


class ProvisionalAnswers:
    """The provisional answers of one judge, by the key under which each is kept in the end.

    Each is recorded in the store, so that whoever comes after a crash goes on from it. Threads may
    share this.
    """

    def __init__(self, store: AnswerStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._answers: dict[str, ProvisionalAnswer] = {}
        self._canary: Canary | None = None
        self._times_distrusted, self._last_distrusted = 0, datetime.min.replace(tzinfo=UTC)
        self._why = "no canary duels have come out right yet"
        self._distrusted: dict[str, bytes | None] = {}
        """By the name of good canary duels that bad ones followed: the object that says so, None
        once the store has it.
        """

    @property
    def times_distrusted(self) -> int:
        """How often the judge was found out of order."""
        return self._times_distrusted

    def get(self, key: str) -> ProvisionalAnswer | None:
        """The answer that is known here; None where there is none."""
        return self._answers.get(key)

    def discard(self, key: str) -> None:
        """Forget an answer: it is kept now, or another is."""
        with self._lock:
            self._answers.pop(key, None)

    def add(
        self, key: str, reply: Reply, content: Mapping[str, Any], times_distrusted: int
    ) -> Reply:
        """Record an answer that the judge has given; the answer that counts (`recorded`).

        `times_distrusted`: what it was when the judge was asked. Raises NotJudged where no good
        canary duels came before, or the judge was found out of order since.
        """
        with self._lock:
            before = self._canary
            if before is None or self._times_distrusted != times_distrusted:
                raise NotJudged(f"an answer of the judge doesn't count: {self._why}")
            # Held until the store has it: asking again would cost again, and could differ.
            answer = ProvisionalAnswer(reply, content, time.monotonic(), before, before)
            self._answers[key] = answer
        return self.recorded(key, answer)

    def recorded(self, key: str, answer: ProvisionalAnswer) -> Reply:
        """An answer, once the store has a record of it; where another process has recorded one
        meanwhile, that one.
        """
        number = 1
        while not answer.recorded:
            canary = answer.recorded_before.model_dump(mode="json")
            data = json.dumps({**answer.content, "canary": canary}, indent=1).encode()
            try:
                self._store.put(provisional_key(key, number), data, "application/json")
            except ObjectConflict:
                if others := self.find(key):
                    return others
                number += 1
            else:
                answer.recorded = True
        return answer.reply

    def find(self, key: str) -> Reply | None:
        """The answer that another process, or one before, has recorded, where canary duels may
        still vouch for it.
        """
        number = 1
        while (data := self._store.get(provisional_key(key, number))) is not None:
            # A record that nobody can vouch for any more is passed over: a later number may hold
            # one.
            if answer := self._read(provisional_key(key, number), data):
                with self._lock:
                    self._answers[key] = answer
                return answer.reply
            number += 1
        return None

    def vouch(self, begun: float) -> Mapping[str, ProvisionalAnswer]:
        """Canary duels that began at `begun`, by the monotonic clock, came out right.

        They and the good ones before vouch for the answers that were known at `begun`, which are
        returned, unless they are too far apart: then those answers are asked for again.
        """
        now = datetime.now(UTC)
        began = datetime.fromtimestamp(now.timestamp() - (time.monotonic() - begun), UTC)
        canary = Canary(name=uuid4().hex, passed=now)
        with self._lock:
            self._canary = canary
            for key, answer in list(self._answers.items()):
                if answer.known >= begun:  # given beside these duels: the next ones vouch for it
                    answer.before = canary
                elif answer.vouched or answer.before.vouches_until(began):
                    answer.vouched = True
                else:
                    del self._answers[key]
            vouched = {key: answer for key, answer in self._answers.items() if answer.vouched}
        self._record_distrusted()
        return vouched

    def distrust(self, reason: str) -> None:
        """Canary duels came out wrong: what was answered since the last good ones is asked for
        again, also by who comes after a crash.
        """
        record = json.dumps({"reason": reason}, indent=1).encode()
        with self._lock:
            self._canary = None
            self._times_distrusted += 1
            self._last_distrusted, self._why = datetime.now(UTC), reason
            for key, answer in list(self._answers.items()):
                if not answer.vouched:
                    self._distrusted.setdefault(answer.recorded_before.name, record)
                    del self._answers[key]
        self._record_distrusted()

    def _record_distrusted(self) -> None:
        for name, record in list(self._distrusted.items()):
            if record is not None:
                with suppress(ObjectConflict):  # another process has found it out too
                    self._store.put(out_of_order_key(name), record, "application/json")
                self._distrusted[name] = None

    def _read(self, key: str, data: bytes) -> ProvisionalAnswer | None:
        read = AnswerRecord.read(data, key)
        before = read.canary
        if before is None or not before.vouches_until(datetime.now(UTC)):
            return None
        if before.passed <= self._last_distrusted:  # bad canary duels came after it
            return None
        if before.name in self._distrusted or self._store.get(out_of_order_key(before.name)):
            return None
        content = {name: value for name, value in json.loads(data).items() if name != "canary"}
        return ProvisionalAnswer(
            read.reply, content, time.monotonic(), before, before, recorded=True
        )
