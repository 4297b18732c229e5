"""What stands in deploy/ is what the platform and Dagster understand: names of settings, commands,
probes and ports, and nothing secret.
"""

import copy
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from gen404_assets.commands.cli import gen404
from gen404_assets.commands.monitor import PORT as MONITOR_PORT
from gen404_assets.commands.settings import settings_table
from gen404_assets.settings import PlatformSettings
from gpu.services.distance import TOKEN as DISTANCE_TOKEN
from gpu.services.render import PORT as RENDER_PORT
from gpu.services.render import TOKEN, create_app
from resources.settings import read_settings
from simulators.dagster_chart import ChartValues
from simulators.judge_serving import serving
from tests.deployed import DEPLOY, ROOT, documents, read_compose, read_values

if TYPE_CHECKING:
    from gpu.workers.pool import Pool

SECRET = "a-token-of-thirty-characters-x"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
KNOWN = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", settings_table(), re.MULTILINE))
DAGSTER_S = {"DAGSTER_HOME", "HOME"}
CODE_PORT = int(PlatformSettings().code_server.rpartition(":")[2])


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read_compose()


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return read_values()


def variables(lines: str) -> list[str]:
    return re.findall(r"^([A-Z0-9_]+)=", lines, re.MULTILINE)


def test_every_setting_of_the_example_is_one_and_no_secret_has_a_value() -> None:
    text = (DEPLOY / "settings.example").read_text()
    assert set(variables(text)) <= KNOWN
    assert not re.search(r"^[A-Z0-9_]*(TOKEN|KEY|KEY_ID)=.", text, re.MULTILINE)


def test_every_variable_of_the_composition_is_a_setting(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if service.get("image") == "gen404":
            assert set(service["environment"]) <= KNOWN | DAGSTER_S, name


def test_each_process_of_the_composition_is_a_command_and_may_do_little(
    compose: dict[str, Any],
) -> None:
    ours = {n: s for n, s in compose["services"].items() if s.get("image") == "gen404"}
    started = {service["command"][0] for service in ours.values()}
    (process,) = [each for each in gen404.commands["start"].params if each.name == "process"]
    assert started == set(getattr(process.type, "choices"))  # noqa: B009 -- click types it as any
    for service in ours.values():
        assert service["entrypoint"][2:] == ["gen404", "start"]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]


def test_each_health_check_of_the_composition_asks_what_answers_there(
    compose: dict[str, Any],
) -> None:
    """A service without one of its own has the image's, which asks for /healthz on port 4000."""
    for name, service in compose["services"].items():
        if service.get("image") != "gen404":
            continue
        process, *options = service["command"]
        own = " ".join(service.get("healthcheck", {}).get("test", ()))
        port = options[options.index("--port") + 1] if "--port" in options else ""
        asked = {
            "code-server": f"grpc-health-check -p {CODE_PORT}",
            "daemon": "dagster-daemon liveness-check",
            "webserver": f"http://127.0.0.1:{port}/server_info",
            "monitor": "",
        }[process]
        assert asked in own, name
        assert bool(own) is bool(asked), name
    image = (DEPLOY / "Containerfile").read_text()
    assert f"http://127.0.0.1:{MONITOR_PORT}/healthz" in image
    assert compose["services"]["monitor"]["command"] == ["monitor", "--port", str(MONITOR_PORT)]


def test_every_part_of_the_composition_that_is_named_is_there(compose: dict[str, Any]) -> None:
    volumes = [
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
    ]
    assert len(volumes) == len(set(volumes)), "each process has a home of its own"
    assert set(volumes) == set(compose["volumes"])
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        assert set(service.get("networks", ["default"])) <= set(compose["networks"])
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        if build := service.get("build"):
            assert (DEPLOY / build["context"] / build["dockerfile"]).exists()


def test_only_the_read_only_webserver_is_open_to_others(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for port in service.get("ports", ()):
            if not port.startswith("127.0.0.1:"):
                assert "--read-only" in service["command"]


def test_the_operator_s_webserver_can_change_what_this_host_asks_and_the_public_s_nothing(
    compose: dict[str, Any],
) -> None:
    changes = {}
    for name, service in compose["services"].items():
        if service.get("command", [""])[0] == "webserver":
            settings = read_settings(PlatformSettings, service["environment"])
            changes[name] = not settings.looks_only and "--read-only" not in service["command"]
            (port,) = service["ports"]
            assert port.startswith("127.0.0.1:") is changes[name]
    assert changes == {"webserver": True, "public": False}


def test_the_chart_knows_every_value_that_it_is_given(values: dict[str, Any]) -> None:
    assert ChartValues.model_validate(values).user_deployments.deployments


@pytest.mark.parametrize(
    "path",
    [
        ("dagsterWebserver", "envSecret"),
        ("dagsterDaemon", "runMonitoring", "poll_interval_seconds"),
        ("dagster-user-deployments", "deployments", 0, "replicaCount"),
        ("runLauncher", "config", "k8sRunLauncher", "runK8sConfig", "podSpec"),
        ("run_queue",),
    ],
)
def test_a_value_that_the_chart_does_not_know_is_found(
    values: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    changed = copy.deepcopy(values)
    *above, key = path
    part: Any = changed
    for each in above:
        part = part[each]
    part[key] = 1
    with pytest.raises(ValueError, match=str(key)):
        ChartValues.model_validate(changed)


def test_the_chart_s_values_say_what_dagster_yaml_says(values: dict[str, Any]) -> None:
    (instance,) = documents(ROOT / "dagster.yaml")
    queue = values["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["maxConcurrentRuns"] == instance["run_queue"]["max_concurrent_runs"]
    assert queue["tagConcurrencyLimits"] == instance["run_queue"]["tag_concurrency_limits"]
    assert values["dagsterDaemon"]["sensors"]["numWorkers"] == instance["sensors"]["num_workers"]
    assert values["dagsterDaemon"]["runRetries"]["enabled"] == instance["run_retries"]["enabled"]
    assert not values["telemetry"]["enabled"]


def test_nothing_runs_as_root_or_writes_its_root_in_the_cluster(values: dict[str, Any]) -> None:
    (code,) = values["dagster-user-deployments"]["deployments"]
    assert set(code["env"]) <= KNOWN | DAGSTER_S
    assert code["port"] == CODE_PORT
    for part in (code, values["dagsterDaemon"]):
        assert part["podSecurityContext"]["runAsNonRoot"]
        assert part["securityContext"]["readOnlyRootFilesystem"]
        assert {mount["mountPath"] for mount in part["volumeMounts"]} == {"/var/lib/gen404", "/tmp"}


def test_dagster_s_commands_can_be_named_in_place_of_the_image_s_own(
    values: dict[str, Any],
) -> None:
    """The chart and the jobs of runs give a whole command as a container's arguments."""
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    assert 'ENTRYPOINT ["tini", "--"]' in lines
    assert [line for line in lines if line.startswith("CMD [")]
    (code,) = values["dagster-user-deployments"]["deployments"]
    assert code["startupProbe"]["enabled"], "the chart leaves out a probe that isn't"


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_every_label_that_is_selected_is_given(path: Path, values: dict[str, Any]) -> None:
    runs = values["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    (code,) = values["dagster-user-deployments"]["deployments"]
    given = {
        *("render", "monitor", "webserver", "public"),
        code["labels"]["gen404"],
        runs["podTemplateSpecMetadata"]["labels"]["gen404"],
    }
    assert set(re.findall(r"gen404: ([a-z-]+)", path.read_text())) <= given


def test_a_render_service_is_reached_at_its_port_and_reaches_nobody() -> None:
    deployment, service = documents(DEPLOY / "kubernetes" / "render.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"containerPort": RENDER_PORT}]
    assert service["spec"]["ports"] == [{"port": RENDER_PORT}]
    policy = documents(DEPLOY / "kubernetes" / "network-policy.yaml")[0]["spec"]
    assert policy["podSelector"]["matchLabels"] == service["spec"]["selector"]
    assert policy["egress"] == []


def test_the_monitor_is_one_and_reaches_the_chart_s_code_server(values: dict[str, Any]) -> None:
    deployment, service = documents(DEPLOY / "kubernetes" / "monitor.yaml")
    spec = deployment["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    template = spec["template"]
    (container,) = template["spec"]["containers"]
    (code,) = values["dagster-user-deployments"]["deployments"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["CODE_SERVER"] == f"{code['name']}:{code['port']}"
    assert set(environment) <= KNOWN | DAGSTER_S
    assert container["envFrom"][0]["secretRef"]["name"] == code["envSecrets"][0]["name"]
    assert template["spec"]["securityContext"] == code["podSecurityContext"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {each["mountPath"] for each in container["volumeMounts"]} == {"/var/lib/gen404", "/tmp"}
    command = ["gen404", "start", "monitor", "--port", str(MONITOR_PORT)]
    assert container["args"] == command
    assert service["spec"]["ports"] == [{"port": MONITOR_PORT}]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    (asked,) = [
        policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
        for policy in documents(DEPLOY / "kubernetes" / "network-policy.yaml")
        if policy["metadata"]["name"] == "gen404-code-server"
    ]
    assert asked.items() <= template["metadata"]["labels"].items()


def containers() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each container of our own manifests: its name, its pod and itself."""
    return [
        (container["name"], pod["spec"], container)
        for path in MANIFESTS
        if path.name != "values.yaml"
        for document in documents(path)
        if document["kind"] == "Deployment"
        for pod in [document["spec"]["template"]]
        for container in pod["spec"]["containers"]
    ]


def given(container: dict[str, Any]) -> dict[str, Any]:
    """The variables of a container: values, or where they come from."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def test_g23_the_chart_starts_no_webserver_and_ours_stand_behind_the_guard(
    values: dict[str, Any],
) -> None:
    """The chart's command is `dagster-webserver`, which asks nobody anything."""
    chart_s = values["dagsterWebserver"]
    assert (chart_s["replicaCount"], chart_s["enableReadOnly"]) == (0, False)
    started = {name: container for name, _, container in containers()}
    command = ["gen404", "start", "webserver", "--port", "3000"]
    assert started["webserver"]["args"] == command
    assert started["public"]["args"] == [*command, "--read-only"]
    changes = {}
    for name in ("webserver", "public"):
        variables = given(started[name])
        known = {key: value for key, value in variables.items() if isinstance(value, str)}
        assert set(variables) <= KNOWN | DAGSTER_S
        secrets = {key for key, value in variables.items() if not isinstance(value, str)}
        assert secrets <= {"DATABASE_URL", "UI_HOSTS"}, "no other key"
        changes[name] = not read_settings(PlatformSettings, known).looks_only
    assert changes == {"webserver": True, "public": False}
    services = [
        document["spec"]["selector"]["gen404"]
        for document in documents(DEPLOY / "kubernetes" / "webserver.yaml")
        if document["kind"] == "Service"
    ]
    assert services == ["public"], "the operator's is reached by a port that is forwarded"


def test_g26_whatever_listens_beyond_loopback_has_its_token_or_changes_nothing(
    compose: dict[str, Any],
) -> None:
    image = (ROOT / "gpu" / "Containerfile").read_text()
    assert '"--host", "0.0.0.0"' in image, "the render service listens to its pod's network"
    services = compose["services"]
    ours = "${RENDER_TOKEN:-}"
    assert services["render"]["environment"] == {TOKEN: ours}, "and no other key"
    assert "env_file" not in services["render"]
    assert services["code-server"]["environment"][TOKEN] == ours
    for name, _, container in containers():
        variables = given(container)
        if name == "render":
            source = {"secretKeyRef": {"name": "gen404-settings", "key": TOKEN}}
            assert variables == {TOKEN: source}
            assert "envFrom" not in container
        elif variables["BIND_ADDRESS"] != "127.0.0.1":
            assert name == "monitor" or "--read-only" in container["args"]
    example = re.findall(r"^([A-Z0-9_]+)=", (DEPLOY / "settings.example").read_text(), re.MULTILINE)
    assert {TOKEN, DISTANCE_TOKEN} <= set(example)


def probes(container: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = ("startupProbe", "readinessProbe", "livenessProbe")
    return [container[kind] for kind in kinds if kind in container]


def test_each_probe_asks_what_answers_it(compose: dict[str, Any]) -> None:
    """The guard answers to loopback's names, and the render service to its token alone."""
    commands = [compose["services"]["render"]["healthcheck"]["test"][-1]]
    for name, _, container in containers():
        for probe in probes(container):
            if name == "render":
                commands.append(probe["exec"]["command"][-1])
            elif name == "webserver":
                assert "exec" in probe, "nobody outside the pod reaches it"
            elif name == "public":
                host = {"name": "Host", "value": "localhost"}
                assert probe["httpGet"]["httpHeaders"] == [host]
    with render_service() as port:
        for command in set(commands):
            here = command.replace(str(RENDER_PORT), str(port))
            for token, well in ((SECRET, True), ("another", False)):
                ran = subprocess.run(
                    [sys.executable, "-c", here],
                    env={TOKEN: token},
                    capture_output=True,
                    check=False,
                    timeout=60,
                )
                assert (ran.returncode == 0) is well


@contextmanager
def render_service() -> Iterator[int]:
    """One that answers /health, behind its token."""
    with serving(create_app(cast("Pool", Healthy()), SECRET)) as url:
        yield int(url.rpartition(":")[2])


class Healthy:
    """As much of a pool as its health takes."""

    size = 1

    def start(self) -> None: ...
    def close(self) -> None: ...
    def health(self) -> dict[str, Any]:
        return {"lacking": []}


def test_nothing_of_our_own_manifests_runs_with_more_rights_than_it_needs() -> None:
    for name, pod, container in containers():
        assert container["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["securityContext"]["runAsNonRoot"], name
        assert not pod["automountServiceAccountToken"], name
        assert container["securityContext"]["readOnlyRootFilesystem"], name
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name


def test_the_composition_s_render_service_may_do_little(compose: dict[str, Any]) -> None:
    render = compose["services"]["render"]
    assert render["read_only"]
    assert render["cap_drop"] == ["ALL"]
    assert render["tmpfs"] == ["/tmp"]
    assert render["ulimits"] == {"core": 0}
