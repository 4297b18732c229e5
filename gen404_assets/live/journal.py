"""The results of a regeneration, kept at once, so that nothing is generated twice after a crash."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gen404_assets.competition.outputs import Output, Outputs
from resources.notes import Notes


class Journal:
    """The results of one image's attempts, in a note of JSON lines, `name`, of its own.

    `identity` says what was asked of the image. `recorded` is what the repository has now: where
    that is neither what the journal began with nor what it last saw published, a person changed it,
    and the journal begins anew from it.

    A journal with lines that can't be read is set aside and written anew from the others; what
    those lines stood for is made again.
    """

    def __init__(
        self,
        notes: Notes,
        name: str,
        identity: Mapping[str, object],
        recorded: Outputs | None,
    ) -> None:
        self._notes, self._name = notes, name
        self._first = {"identity": dict(identity), "recorded": _digest(recorded)}
        self._last_publishing: dict[str, str | None] = {}
        self.results: dict[int, tuple[str, Output]] = {}
        lines, spoilt, cut_off = _lines(notes.read(name) or b"")
        if spoilt:
            notes.set_aside(name, f"line {spoilt}")
        continues = self._continues(lines, _digest(recorded))
        if not continues:
            lines = [self._first]
            if recorded is not None:
                lines += [
                    _result(number, stem, output)
                    for number, (stem, output) in enumerate(recorded.items())
                ]
        if spoilt or cut_off or not continues:
            notes.write(name, b"".join(map(_to_bytes, lines)))
        for line in lines:
            if "result" in line:
                self.results[line["result"]] = (line["stem"], Output.model_validate(line["output"]))

    def add(self, stem: str, output: Output, number: int | None = None) -> int:
        """Keep a result, or that of `number` as it is known by now; its number."""
        number = max(self.results, default=-1) + 1 if number is None else number
        self.results[number] = (stem, output)
        self._append(_result(number, stem, output))
        return number

    def publishing(self, outputs: Outputs) -> None:
        """These outputs may be in the repository from now on."""
        line = {"publishing": _digest(outputs)}
        if line != self._last_publishing:
            self._append(line)
        self._last_publishing = line

    def published(self, outputs: Outputs) -> None:
        """These outputs are in the repository."""
        self._append({"recorded": _digest(outputs)})

    def _continues(self, lines: list[dict[str, Any]], recorded: str | None) -> bool:
        if not lines or lines[0].get("identity") != self._first["identity"]:
            return False
        known: list[str | None] = []
        for line in lines:
            if "recorded" in line:
                known = [line["recorded"]]
            elif "publishing" in line:
                # Announced, and perhaps pushed: a run can die between the two.
                known.append(line["publishing"])
        return recorded in known

    def _append(self, line: Mapping[str, object]) -> None:
        self._notes.append(self._name, _to_bytes(line))


def _result(number: int, stem: str, output: Output) -> dict[str, object]:
    return {
        "result": number,
        "stem": stem,
        "output": output.model_dump(mode="json", exclude_unset=True),
    }


def _to_bytes(line: Mapping[str, object]) -> bytes:
    return f"{json.dumps(line)}\n".encode()


def _lines(raw: bytes) -> tuple[list[dict[str, Any]], int | None, bool]:
    """The lines that can be read, the number of the first that can't, if any, and whether the last
    was cut off.

    A last line that was cut off is taken away: its writing was interrupted. Any other line that
    can't be read, such as two that a full disk has run into one, stood for a result that is made
    again.
    """
    whole = raw[: raw.rfind(b"\n") + 1]
    lines, spoilt = [], None
    for number, text in enumerate(whole.splitlines(), 1):
        line = _parsed(text)
        if line is None:
            spoilt = spoilt or number
        else:
            lines.append(line)
    return lines, spoilt, whole != raw


def _parsed(text: bytes) -> dict[str, Any] | None:
    """A line's content; None for what is no line of a journal."""
    try:
        line = json.loads(text)
        if not isinstance(line, dict):
            return None
        if "result" in line:
            Output.model_validate(line["output"])
            if not (isinstance(line["result"], int) and isinstance(line["stem"], str)):
                return None
    except (ValueError, LookupError):
        return None
    known = {"result", "identity", "recorded", "publishing"}
    return line if known & line.keys() else None


def _digest(outputs: Outputs | None) -> str | None:
    return None if outputs is None else hashlib.sha256(outputs.to_bytes()).hexdigest()
