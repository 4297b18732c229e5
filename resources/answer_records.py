"""The judge's answers as objects of the store: kept ones, provisional ones, and what says that the
judge was out of order.
"""

from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import NotJudged, Reply

LONGEST_INTERVAL = 600.0
"""Good canary duels that are further apart than so many seconds do not vouch for what was answered
between them (`rules.md`, Judge, Provisional answers).
"""


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


class AnswerRecord(BaseModel):
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

    @classmethod
    def read(cls, data: bytes, key: str) -> "AnswerRecord":
        """The record that an object holds. Raises InfrastructureFault where it holds none."""
        try:
            record = cls.model_validate_json(data)
            if record.unusable is None:
                record.reply.answer()
        except (ValidationError, NotJudged) as error:
            raise InfrastructureFault(f"{key} in the store is no kept answer: {error}") from error
        return record


def provisional_key(key: str, number: int) -> str:
    """Where the `number`-th provisional answer to a question lies. `key`: where the answer is kept
    in the end.
    """
    digest = key.removeprefix("answers/").removesuffix(".json")
    return f"provisional/{digest}-{number}.json"


def out_of_order_key(name: str) -> str:
    """Where it is recorded that bad canary duels followed the good ones of that name."""
    return f"provisional/out-of-order-{name}.json"
