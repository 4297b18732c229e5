"""The pods of one image on the operator's providers: started, found and deleted by exact name, and
held by a lease.
"""

import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import ParamSpec, TypeVar

from gen404_assets.competition.faults import InfrastructureFault
from resources.deadlines import within
from resources.providers.provider import NoCapacity, Pod, Provider

P = ParamSpec("P")
T = TypeVar("T")

CALL_SECONDS = 120.0
LEASE_SECONDS = 900.0
_DELETES = 3
_OURS = re.compile(r"(miner-\d{2,}-[a-z0-9]{1,10}-)(\d+)")


@dataclass(frozen=True, slots=True)
class Started:
    """A pod that a provider has taken, with the token made for it alone."""

    name: str
    provider: Provider
    token: str = field(repr=False)


class Fleet:
    """Pods named `{prefix}{index}`, on `providers` in order of preference. Its methods block;
    threads may share it.
    """

    def __init__(self, providers: Sequence[Provider], prefix: str) -> None:
        self._providers, self._prefix = providers, prefix
        self._next = 0
        self._names: set[str] = set()
        self._at_work = Lock()

    def start(self, image: str) -> Started:
        """Start one pod on the first provider that takes it.

        Raises NoCapacity if no provider has a GPU free, or the InfrastructureFault of one that is
        out of order.
        """
        with self._at_work:
            name, token = f"{self._prefix}{self._next}", secrets.token_urlsafe(24)
            self._next += 1
            self._names.add(name)
            refused: list[InfrastructureFault] = []
            for provider in self._providers:
                try:
                    _call(provider, "start", provider.start, name, image, token)
                except InfrastructureFault as fault:
                    if not isinstance(fault, NoCapacity) and self._exists(provider, name):
                        return Started(name, provider, token)
                    refused.append(fault)
                else:
                    return Started(name, provider, token)
            full = all(isinstance(fault, NoCapacity) for fault in refused)
            raise (NoCapacity if full else InfrastructureFault)("; ".join(map(str, refused)))

    def listed(self, providers: Sequence[Provider]) -> dict[str, Pod]:
        """The fleet's pods as these providers list them now."""
        pods = [pod for provider in providers for pod in _call(provider, "list", provider.pods)]
        return {pod.name: pod for pod in pods if self._is_ours(pod.name)}

    def has(self, started: Started) -> bool:
        """Whether its provider lists the pod now."""
        return started.name in self.listed([started.provider])

    def delete(self, name: str) -> None:
        """Delete a pod wherever it may be; tried a few times, then an InfrastructureFault."""
        faults = [reason for provider in self._providers if (reason := _deleted(provider, name))]
        if faults:
            raise InfrastructureFault("; ".join(faults))

    def delete_all(self) -> None:
        """Delete every pod of the fleet, of earlier runs too. Raises InfrastructureFault, after the
        others are gone.
        """
        with self._at_work:  # a start that is under way ends first, so that its pod is listed
            faults: list[str] = []
            names = set(self._names)
            for provider in self._providers:
                try:
                    listed = {
                        pod.name
                        for pod in _call(provider, "list", provider.pods)
                        if self._is_ours(pod.name)
                    }
                except InfrastructureFault as fault:
                    faults.append(str(fault))
                    listed = set()
                faults += [
                    reason
                    for name in sorted(listed | names)
                    if (reason := _deleted(provider, name))
                ]
                indices = [int(name.removeprefix(self._prefix)) for name in listed]
                self._next = max([self._next, *(index + 1 for index in indices)])
            if faults:
                raise InfrastructureFault("; ".join(faults))
            self._names.clear()

    def _is_ours(self, name: str) -> bool:
        match = _OURS.fullmatch(name)
        return match is not None and match[1] == self._prefix

    def _exists(self, provider: Provider, name: str) -> bool:
        """Whether a start that failed half-way has made the pod; what can't be known is deleted."""
        with suppress(InfrastructureFault):
            if any(pod.name == name for pod in _call(provider, "list", provider.pods)):
                return True
        _deleted(provider, name)
        return False


@contextmanager
def lease(home: Path, prefix: str) -> Iterator[Callable[[], None]]:
    """Hold the pods of a prefix while the context lasts and its `renew` is called; a process that
    dies lets go.

    Raises InfrastructureFault if another process holds it.
    """
    path = _lease_path(home, prefix)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InfrastructureFault(f"another run holds the pods {prefix}*") from None
        os.utime(path)
        yield lambda: os.utime(path)


def is_held(home: Path, pod_name: str) -> bool:
    """Whether a live run on this machine holds the pod: its lease is locked, and was renewed
    lately.
    """
    match = _OURS.fullmatch(pod_name)
    if match is None:
        return False
    try:
        with _lease_path(home, match[1]).open("rb") as file:
            if time.time() - os.fstat(file.fileno()).st_mtime > LEASE_SECONDS:
                return False
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def reap(providers: Sequence[Provider], live: Callable[[str], bool]) -> list[str]:
    """Delete the pods named like ours that no live run holds, by exact name; those deleted.

    `live` tells of a pod's name whether one does (`is_held`). Raises InfrastructureFault for what
    can't be listed or deleted, after all that can be is gone.
    """
    reaped: list[str] = []
    faults: list[str] = []
    for provider in providers:
        try:
            names = [pod.name for pod in _call(provider, "list", provider.pods)]
        except InfrastructureFault as fault:
            faults.append(str(fault))
            continue
        for name in names:
            if _OURS.fullmatch(name) and not live(name):
                reason = _deleted(provider, name)
                (faults if reason else reaped).append(reason or name)
    if faults:
        gone = f" ({', '.join(reaped)} deleted)" if reaped else ""
        raise InfrastructureFault("; ".join(faults) + gone)
    return reaped


def _lease_path(home: Path, prefix: str) -> Path:
    return home / "leases" / f"{prefix.rstrip('-')}.lock"


def _deleted(provider: Provider, name: str) -> str:
    """Delete a pod; why it could not be deleted, after a few tries."""
    for attempt in range(_DELETES):
        try:
            _call(provider, "delete", provider.delete, name)
        except InfrastructureFault as fault:
            reason = f"{name}: {fault}"
            time.sleep(0.2 * 4**attempt if attempt < _DELETES - 1 else 0)
        else:
            return ""
    return reason


def _call(
    provider: Provider, action: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    try:
        return within(CALL_SECONDS, call, *args, **kwargs)
    except TimeoutError:
        raise InfrastructureFault(
            f"{provider.name}: {action}: no answer within {CALL_SECONDS:.0f} s"
        ) from None
