"""What Dagster's official Helm chart takes as values, as far as ours give any.

Taken from the chart's own models (`helm/dagster/schema/schema/charts` in the repository
`dagster-io/dagster`, as of Dagster 1.13) and from its templates. The chart's defaults are laid
under what is given, so nothing is required here beyond what a list's entries must have. Stricter
than the chart in one point: it passes over an unknown key of a code deployment, or of
`postgresql`, in silence, and here such a key is an error, too.
"""

# Keys are spelt as the chart spells them.
# ruff: noqa: N815

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

Text = dict[StrictStr, StrictStr]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Named(_Part):
    """Of Kubernetes: SecretEnvSource, ConfigMapEnvSource, LocalObjectReference."""

    name: StrictStr
    optional: StrictBool = False


class _Image(_Part):
    repository: StrictStr
    tag: StrictStr
    pullPolicy: Literal["Always", "IfNotPresent", "Never"]


class _Probe(_Part):
    """Of Kubernetes; the chart adds its command where `exec` is not given, and takes `enabled`
    away."""

    enabled: StrictBool = True
    exec: dict[StrictStr, list[StrictStr]] | None = None
    httpGet: dict[StrictStr, Any] | None = None
    initialDelaySeconds: StrictInt | None = None
    periodSeconds: StrictInt | None = None
    timeoutSeconds: StrictInt | None = None
    successThreshold: StrictInt | None = None
    failureThreshold: StrictInt | None = None


class _Mount(_Part):
    """Of Kubernetes: VolumeMount."""

    name: StrictStr
    mountPath: StrictStr
    subPath: StrictStr | None = None
    readOnly: StrictBool = False


class _Volume(_Part):
    """Of Kubernetes: Volume, of the kinds that need nothing beside the chart."""

    name: StrictStr
    emptyDir: dict[StrictStr, Any] | None = None
    secret: dict[StrictStr, Any] | None = None
    configMap: dict[StrictStr, Any] | None = None
    persistentVolumeClaim: dict[StrictStr, Any] | None = None


class _PodSecurity(_Part):
    """Of Kubernetes: PodSecurityContext."""

    runAsNonRoot: StrictBool | None = None
    runAsUser: StrictInt | None = None
    runAsGroup: StrictInt | None = None
    fsGroup: StrictInt | None = None
    seccompProfile: Text | None = None


class _Security(_Part):
    """Of Kubernetes: SecurityContext of a container."""

    readOnlyRootFilesystem: StrictBool | None = None
    allowPrivilegeEscalation: StrictBool | None = None
    privileged: StrictBool | None = None
    runAsNonRoot: StrictBool | None = None
    runAsUser: StrictInt | None = None
    capabilities: dict[Literal["add", "drop"], list[StrictStr]] | None = None
    seccompProfile: Text | None = None


class _Resources(_Part):
    requests: Text | None = None
    limits: Text | None = None


class _Process(_Part):
    """What webserver, daemon and a code deployment have in common."""

    image: _Image | None = None
    env: Text | list[dict[StrictStr, Any]] | None = None
    envConfigMaps: list[_Named] | None = None
    envSecrets: list[_Named] | None = None
    labels: Text | None = None
    annotations: Text | None = None
    nodeSelector: Text | None = None
    affinity: dict[StrictStr, Any] | None = None
    tolerations: list[dict[StrictStr, Any]] | None = None
    podSecurityContext: _PodSecurity | None = None
    securityContext: _Security | None = None
    resources: _Resources | None = None
    livenessProbe: _Probe | None = None
    readinessProbe: _Probe | None = None
    startupProbe: _Probe | None = None
    volumeMounts: list[_Mount] | None = None
    volumes: list[_Volume] | None = None
    schedulerName: StrictStr | None = None


class _Enabled(_Part):
    enabled: StrictBool


class _Deployment(_Process):
    name: StrictStr
    image: _Image
    port: StrictInt
    dagsterApiGrpcArgs: list[StrictStr] | None = None
    codeServerArgs: list[StrictStr] | None = None
    includeConfigInLaunchedRuns: _Enabled | None = None


class _Deployments(_Part):
    enabled: StrictBool = True
    enableSubchart: StrictBool = True
    imagePullSecrets: list[_Named] | None = None
    deployments: list[_Deployment]


class _Webserver(_Process):
    replicaCount: StrictInt | None = None
    nameOverride: StrictStr | None = None
    pathPrefix: StrictStr | None = None
    service: dict[StrictStr, Any] | None = None
    workspace: dict[StrictStr, Any] | None = None
    deploymentLabels: Text | None = None
    enableReadOnly: StrictBool = False
    dbStatementTimeout: StrictInt | None = None
    dbPoolRecycle: StrictInt | None = None
    logLevel: StrictStr | None = None
    initContainerResources: _Resources | None = None


class _TagLimit(_Part):
    key: StrictStr
    value: StrictStr | dict[Literal["applyLimitPerUniqueValue"], StrictBool] | None = None
    limit: StrictInt


class _Queue(_Part):
    maxConcurrentRuns: StrictInt | None = None
    tagConcurrencyLimits: list[_TagLimit] | None = None
    dequeueIntervalSeconds: StrictInt | None = None
    dequeueNumWorkers: StrictInt | None = None
    dequeueUseThreads: StrictBool | None = None


class _QueueConfig(_Part):
    queuedRunCoordinator: _Queue


class _Coordinator(_Part):
    enabled: StrictBool
    type: Literal["QueuedRunCoordinator"]
    config: _QueueConfig


class _Monitoring(_Part):
    """The template's keys: the chart's own model takes any, and passes over others."""

    enabled: StrictBool
    startTimeoutSeconds: StrictInt | None = None
    cancelTimeoutSeconds: StrictInt | None = None
    maxResumeRunAttempts: StrictInt | None = None
    pollIntervalSeconds: StrictInt | None = None
    freeSlotsAfterRunEndSeconds: StrictInt | None = None


class _Retries(_Part):
    enabled: StrictBool
    maxRetries: StrictInt | None = None


class _Threads(_Part):
    useThreads: StrictBool
    numWorkers: StrictInt | None = None
    numSubmitWorkers: StrictInt | None = None


class _Daemon(_Process):
    enabled: StrictBool = True
    runCoordinator: _Coordinator | None = None
    heartbeatTolerance: StrictInt | None = None
    deploymentLabels: Text | None = None
    runMonitoring: _Monitoring | None = None
    runRetries: _Retries | None = None
    sensors: _Threads | None = None
    schedules: _Threads | None = None
    initContainerResources: _Resources | None = None


class _RunK8s(_Part):
    """`run_k8s_config` of dagster-k8s, whose own keys are Kubernetes'."""

    containerConfig: dict[StrictStr, Any] | None = None
    podSpecConfig: dict[StrictStr, Any] | None = None
    podTemplateSpecMetadata: dict[StrictStr, Any] | None = None
    jobSpecConfig: dict[StrictStr, Any] | None = None
    jobMetadata: dict[StrictStr, Any] | None = None


class _Launcher(_Part):
    image: _Image | None = None
    imagePullPolicy: Literal["Always", "IfNotPresent", "Never"] | None = None
    jobNamespace: StrictStr | None = None
    loadInclusterConfig: StrictBool | None = None
    kubeconfigFile: StrictStr | None = None
    envConfigMaps: list[_Named] | None = None
    envSecrets: list[_Named] | None = None
    envVars: list[StrictStr] | None = None
    volumeMounts: list[_Mount] | None = None
    volumes: list[_Volume] | None = None
    labels: Text | None = None
    failPodOnRunFailure: StrictBool | None = None
    resources: _Resources | None = None
    schedulerName: StrictStr | None = None
    securityContext: _Security | None = None
    runK8sConfig: _RunK8s | None = None


class _LauncherConfig(_Part):
    k8sRunLauncher: _Launcher


class _RunLauncher(_Part):
    type: Literal["K8sRunLauncher"]
    config: _LauncherConfig


class _Port(_Part):
    port: StrictInt


class _PostgreSQL(_Part):
    image: _Image | None = None
    enabled: StrictBool
    postgresqlHost: StrictStr
    postgresqlUsername: StrictStr
    postgresqlPassword: StrictStr | None = None
    postgresqlDatabase: StrictStr
    postgresqlParams: Text | None = None
    postgresqlScheme: StrictStr | None = None
    service: _Port


class _Global(_Part):
    postgresqlSecretName: StrictStr | None = None
    dagsterHome: StrictStr | None = None
    serviceAccountName: StrictStr | None = None
    celeryConfigSecretName: StrictStr | None = None
    dagsterInstanceConfigMap: StrictStr | None = None


class ChartValues(_Part):
    """The values at the top. Validation raises ValueError, and names each key that is unknown, or
    of the wrong type."""

    global_: Annotated[_Global | None, Field(alias="global")] = None
    generatePostgresqlPasswordSecret: StrictBool | None = None
    postgresql: _PostgreSQL | None = None
    telemetry: _Enabled | None = None
    user_deployments: Annotated[_Deployments, Field(alias="dagster-user-deployments")]
    runLauncher: _RunLauncher | None = None
    dagsterDaemon: _Daemon | None = None
    dagsterWebserver: _Webserver | None = None
    imagePullSecrets: list[_Named] | None = None
    additionalInstanceConfig: dict[StrictStr, Any] | None = None
