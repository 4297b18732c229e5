"""The results of a regeneration, written to disk at once, so that nothing is generated twice
after a crash.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gen404_assets.competition.outputs import Output, Outputs


class Journal:
    """The results of one image's attempts, in a file of JSON lines; `path` is its own.

    `identity` says what was asked of the image. `recorded` is what the repository has now: where
    that is neither what the journal began with nor what it last saw published, a person changed it,
    and the journal begins anew from it.
    """

    def __init__(
        self, path: Path, identity: Mapping[str, object], recorded: Outputs | None
    ) -> None:
        self._path = path
        self._first = {"identity": dict(identity), "recorded": _digest(recorded)}
        self._last_publishing: dict[str, str | None] = {}
        self.results: dict[int, tuple[str, Output]] = {}
        lines = _lines(path)
        if not self._continues(lines, _digest(recorded)):
            lines = [self._first]
            if recorded is not None:
                lines += [
                    _result(number, stem, output)
                    for number, (stem, output) in enumerate(recorded.items())
                ]
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".draft")
            draft.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
            draft.replace(path)
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
                known.append(line["publishing"])
        return recorded in known

    def _append(self, line: Mapping[str, object]) -> None:
        with self._path.open("a") as file:
            file.write(f"{json.dumps(line)}\n")
            file.flush()
            os.fsync(file.fileno())


def _result(number: int, stem: str, output: Output) -> dict[str, object]:
    return {
        "result": number,
        "stem": stem,
        "output": output.model_dump(mode="json", exclude_unset=True),
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines that were written whole; a last one that was cut off is taken away."""
    if not path.exists():
        return []
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if whole != raw:
        os.truncate(path, len(whole))
    return [json.loads(line) for line in whole.splitlines()]


def _digest(outputs: Outputs | None) -> str | None:
    return None if outputs is None else hashlib.sha256(outputs.to_bytes()).hexdigest()
