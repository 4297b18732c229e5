"""The pods of one image on the operator's providers: started, found and deleted by exact name, and
held by the process that works with them.

A pod's name says whose it is: `{prefix}{owner}-{index}`, where the owner is this installation.
Pods of other installations on the same account are never touched.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import ParamSpec, TypeVar

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.live.shared import Shared
from resources.deadlines import in_background, within
from resources.figures import FIGURES
from resources.providers.provider import NoCapacity, Pod, Provider, StartRefused

P = ParamSpec("P")
T = TypeVar("T")

CALL_SECONDS = 120.0
"""Seconds that one call to a provider may take; its SDK may hang."""
ALL_SECONDS = 300.0
"""How long the deletions of many pods may take together."""

_DELETES = 3
"""Tries of a deletion; a pod that is left costs money until the sensor `reaper` comes by."""
_LEASE_SECONDS = 0.2
"""Seconds for which a lease that is taken is tried again: those who only look let go at once."""
_INSTALLATION = "installation"
_OWNER = re.compile(r"[0-9a-f]{8}")
_OURS = re.compile(r"(miner-\d{2,}-[a-z0-9]{1,10}-)([0-9a-f]{8})-(\d+)")
"""The prefix of an image's pods (round, hotkey), the owner, and the index."""


@dataclass(frozen=True, slots=True)
class Started:
    """A pod that a provider has taken, with the token made for it alone."""

    name: str
    provider: Provider
    token: str = field(repr=False)


class Fleet:
    """Pods named `{prefix}{owner}-{index}`, on `providers` in order of preference. Its methods
    block; threads may share it.
    """

    def __init__(self, providers: Sequence[Provider], prefix: str, owner: str) -> None:
        self._providers, self._prefix = providers, f"{prefix}{owner}-"
        self._next, self._token = 0, secrets.token_urlsafe(24)
        self._made: dict[tuple[str, str], Started] = {}  # by name and provider's name
        self._unsure: dict[tuple[str, str], Started] = {}
        self._since: dict[tuple[str, str], float] = {}
        self._at_work = Lock()

    def start(self, image: str) -> Started:
        """Start one pod on the first provider that takes it.

        Raises NoCapacity if no provider has a GPU free, or the InfrastructureFault of one that is
        out of order. A start that may have made a pod after all is looked for at the next one.
        """
        with self._at_work:
            if (adopted := self._made_after_all()) is not None:
                return adopted
            refused: list[InfrastructureFault] = []
            for provider in self._providers:
                started = Started(f"{self._prefix}{self._next}", provider, self._token)
                try:
                    _call(provider, "start", provider.start, started.name, image, started.token)
                except StartRefused as fault:
                    refused.append(fault)
                except InfrastructureFault as fault:
                    if self._is_listed(started):
                        return self._take(started)
                    # It may exist and cost money: looked for at the next start.
                    self._unsure[started.name, provider.name] = started
                    refused.append(fault)
                else:
                    return self._take(started)
            # NoCapacity only where each refusal was that: a fault hides behind no other.
            full = all(isinstance(fault, NoCapacity) for fault in refused)
            raise (NoCapacity if full else InfrastructureFault)("; ".join(map(str, refused)))

    def listed(self, providers: Sequence[Provider]) -> dict[str, Pod]:
        """The fleet's pods as these providers list them now."""
        pods = [pod for provider in providers for pod in _call(provider, "list", provider.pods)]
        return {pod.name: pod for pod in pods if pod.name.startswith(self._prefix)}

    def has(self, started: Started) -> bool:
        """Whether its provider lists the pod now."""
        return started.name in self.listed([started.provider])

    def delete(self, name: str) -> None:
        """Delete a pod wherever it may be; tried a few times, then an InfrastructureFault."""
        faults = _delete_all((provider, name) for provider in self._providers)
        if faults:
            raise InfrastructureFault("; ".join(faults.values()))
        self._count_time(name)

    def delete_all(self) -> None:
        """Delete every pod of the fleet, of earlier runs too. Raises InfrastructureFault, after the
        others are gone.
        """
        with self._at_work:  # a start that is under way ends first, so that its pod is listed
            faults: list[str] = []
            known = {**self._made, **self._unsure}.values()
            doomed = {(started.provider.name, started.name) for started in known}
            for provider, pods in listed(self._providers):
                if isinstance(pods, InfrastructureFault):
                    faults.append(str(pods))
                    continue
                ours = [pod.name for pod in pods if pod.name.startswith(self._prefix)]
                doomed |= {(provider.name, name) for name in ours}
                # A name that a provider still lists is not used again.
                self._next = max([self._next, *(1 + _index(name) for name in ours)])
            left = _delete_all(
                (provider, name)
                for provider in self._providers
                for its_provider, name in sorted(doomed)
                if its_provider == provider.name
            )
            faults += left.values()
            if faults:
                raise InfrastructureFault("; ".join(faults))
            self._made.clear()
            self._unsure.clear()
            for name, _ in list(self._since):
                self._count_time(name)

    def _count_time(self, name: str) -> None:
        """Count how long a pod has been there, now that it is gone."""
        for key in [key for key in self._since if key[0] == name]:
            if (since := self._since.pop(key, None)) is not None:
                FIGURES.add("pod_seconds", time.monotonic() - since, provider=key[1])

    def _take(self, started: Started) -> Started:
        """Count a pod as made; the next one has another name and token."""
        key = (started.name, started.provider.name)
        self._made[key] = started
        self._since.setdefault(key, time.monotonic())
        FIGURES.add("pods", provider=started.provider.name)
        self._unsure.pop(key, None)
        self._next, self._token = self._next + 1, secrets.token_urlsafe(24)
        return started

    def _made_after_all(self) -> Started | None:
        """The pod of an earlier start that seemed to fail, if its provider lists it now.

        Where another provider has made the pod of this name meanwhile, it is deleted instead.
        """
        for key, started in list(self._unsure.items()):
            if not self._is_listed(started):
                continue
            if started.name == f"{self._prefix}{self._next}":
                return self._take(started)
            _deleted(started.provider, started.name)
            del self._unsure[key]
        return None

    def _is_listed(self, started: Started) -> bool:
        with suppress(InfrastructureFault):
            return self.has(started)
        return False


def owner(shared: Shared) -> str:
    """The eight letters and digits by which pods of this installation are told from others'."""
    digits = shared.notes.create(_INSTALLATION, secrets.token_hex(4).encode()).decode().strip()
    if not _OWNER.fullmatch(digits):
        raise InfrastructureFault(
            f"{_INSTALLATION} must hold eight hexadecimal digits, by which this installation's "
            "pods are known; delete it if none of them is left"
        )
    return digits


@contextmanager
def lease(shared: Shared, prefix: str) -> Iterator[None]:
    """Hold the pods of a prefix while the context lasts.

    It is held with the process: it needs no renewal, so that nothing slow can keep it from being
    renewed, and it ends with the process, whatever ended that. Raises InfrastructureFault if
    another process holds it.
    """
    # Whoever looks at it holds it for a moment.
    with shared.claims.hold(_lease_of(prefix), seconds=_LEASE_SECONDS) as held:
        if not held:
            raise InfrastructureFault(f"another run holds the pods {prefix}*")
        yield


def is_held(shared: Shared, pod_name: str) -> bool:
    """Whether a process that lives holds the pod."""
    match = _OURS.fullmatch(pod_name)
    return match is not None and shared.claims.is_held(_lease_of(match[1]))


def holder(shared: Shared, pod_name: str) -> str:
    """Who holds a pod that a provider lists, in words."""
    match = _OURS.fullmatch(pod_name)
    if match is None or match[2] != owner(shared):
        return "not of this installation"
    return "held by a run" if is_held(shared, pod_name) else "held by no run"


def reap(providers: Sequence[Provider], shared: Shared) -> list[str]:
    """Delete the pods of this installation that no live run holds, by exact name; those deleted.

    No run begins with their image meanwhile, so that no new pod of the same name is met. Raises
    InfrastructureFault for what can't be listed or deleted, after all that can be is gone.
    """
    faults: list[str] = []
    ours: list[tuple[Provider, str, str]] = []
    for provider, pods in listed(providers):
        if isinstance(pods, InfrastructureFault):
            faults.append(str(pods))
            continue
        matches = [match for pod in pods if (match := _OURS.fullmatch(pod.name))]
        ours += [(provider, m[0], m[1]) for m in matches if m[2] == owner(shared)]
    with ExitStack() as held:
        free = {prefix for _, _, prefix in ours if _is_free(held, shared, prefix)}
        doomed = [(provider, name) for provider, name, prefix in ours if prefix in free]
        left = _delete_all(doomed)
    faults += left.values()
    reaped = [name for _, name in doomed if name not in left]
    if faults:
        gone = f" ({', '.join(reaped)} deleted)" if reaped else ""
        raise InfrastructureFault("; ".join(faults) + gone)
    return reaped


def _is_free(held: ExitStack, shared: Shared, prefix: str) -> bool:
    """Take the lease of a prefix until `held` is closed; whether nobody else has it."""
    try:
        held.enter_context(lease(shared, prefix))
    except InfrastructureFault:
        return False
    return True


def _index(name: str) -> int:
    match = _OURS.fullmatch(name)
    return int(match[3]) if match else 0


def _lease_of(prefix: str) -> str:
    return f"leases/{prefix.rstrip('-')}"


def listed(
    providers: Sequence[Provider],
) -> list[tuple[Provider, list[Pod] | InfrastructureFault]]:
    """What each provider lists, or why it doesn't; all are asked at the same time."""
    asked = [
        (provider, in_background(_call, provider, "list", provider.pods)) for provider in providers
    ]
    answers: list[tuple[Provider, list[Pod] | InfrastructureFault]] = []
    for provider, future in asked:
        try:
            answers.append((provider, future.result()))
        except InfrastructureFault as fault:
            answers.append((provider, fault))
    return answers


def _delete_all(doomed: Iterable[tuple[Provider, str]]) -> dict[str, str]:
    """Delete pods, all at the same time; of those that could not be deleted, why, by name."""
    deadline = time.monotonic() + ALL_SECONDS
    futures: list[tuple[str, Future[str]]] = [
        (name, in_background(_deleted, provider, name)) for provider, name in doomed
    ]
    left: dict[str, str] = {}
    for name, future in futures:
        try:
            reason = future.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            reason = f"{name}: not deleted within {ALL_SECONDS:g} s"
        if reason:
            left[name] = reason
    return left


def _deleted(provider: Provider, name: str) -> str:
    """Delete a pod; why it could not be deleted, after a few tries."""
    for attempt in range(_DELETES):
        try:
            _call(provider, "delete", provider.delete, name)
        except InfrastructureFault as fault:
            reason = f"{name}: {fault}"
            time.sleep(0.2 * 4**attempt if attempt < _DELETES - 1 else 0)  # 0.2 s, then 0.8 s
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
