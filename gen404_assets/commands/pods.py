"""`gen404 pods`: the pods on the GPU providers, and the end of those that no run holds."""

from collections.abc import Mapping

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.live import fleet
from gen404_assets.live.shared import open_shared
from resources.providers.opening import open_providers


def print_pods(environment: Mapping[str, str], *, reap: bool) -> None:
    """Print a line for each pod, on every provider that answers; with `reap`, delete first what no
    live run holds.

    Raises InfrastructureFault for what a provider didn't answer, after all else is done.
    """
    providers, shared = open_providers(environment), open_shared(environment)
    faults: list[str] = []
    if reap:
        try:
            deleted = fleet.reap(providers, shared)
        except InfrastructureFault as fault:
            deleted = []
            faults.append(str(fault))
        for name in deleted:
            print(f"{name}: deleted")
    count = 0
    for provider, pods in fleet.listed(providers):
        if isinstance(pods, InfrastructureFault):
            faults.append(str(pods))
            continue
        count += len(pods)
        for pod in pods:
            state = "failed" if pod.failed else fleet.holder(shared, pod.name)
            print(f"{pod.name} on {provider.name}: {state}")
    if not count and not faults:
        print(f"no pods on {', '.join(provider.name for provider in providers)}")
    if faults:
        raise InfrastructureFault("; ".join(dict.fromkeys(faults)))
