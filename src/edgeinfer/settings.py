"""Every setting, one frozen class per process; the only reader of the environment."""

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgeinfer.catalog.backends import backend_names
from edgeinfer.errors import SettingsError
from edgeinfer.installation import shipped_file

_PREFIX = "EDGEINFER_"
_PAGE = shipped_file("docs/reference/settings.md")
# A scheme of an app (capacitor://localhost) is an origin too; "null" is that of a page without one.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?|null")
_URL_OR_NOTHING = r"^(https?://[^\s]+)?$"
Port = Annotated[int, Field(ge=1, le=65535)]
if TYPE_CHECKING:  # a type checker knows no Literal that is computed
    BackendName = str
    ShadowName = str
else:
    BackendName = Literal[backend_names()]
    ShadowName = Literal[("none", *backend_names())]
# None of the ports from 9100 on, which Prometheus' list of default ports gives to exporters: 9100 is node exporter's.
EXPORTER_PORT = 9048


def _env(name: str) -> AliasChoices:
    return AliasChoices(name)


class ProcessSettings(BaseModel):
    """Base class of all settings: read once with `from_environment`, then passed down."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias=_env("LOG_LEVEL"), description="Minimum severity of log lines."
    )
    notify_socket: str = Field(
        "",
        validation_alias=_env("NOTIFY_SOCKET"),
        description="Socket of systemd's readiness protocol; set by systemd.",
    )
    watchdog_usec: Annotated[int, Field(ge=0)] = Field(
        0,
        validation_alias=_env("WATCHDOG_USEC"),
        description="Watchdog timeout in microseconds; set by systemd.",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **given: object) -> Self:
        """Read the environment once; values given by name (from the command line) take precedence.

        Raises:
            SettingsError: a value is invalid, or a variable with the prefix EDGEINFER_ is unknown.
        """
        environment = os.environ if environment is None else environment
        _refuse_unknown(environment)
        values: dict[str, object] = {
            name: environment[variable]
            for name, variable in cls.variables().items()
            if environment.get(variable, "") != ""
        }
        values.update({name: value for name, value in given.items() if value is not None})
        try:
            return cls(**values)  # type: ignore[arg-type]  # pydantic checks and converts each value
        except ValidationError as failure:
            first = failure.errors()[0]
            field = str(first["loc"][0])
            variable = cls.variables().get(field, field)
            raise SettingsError(
                f"setting {variable}",
                f"{first['msg']} (got {first['input']!r})",
                f"See {_PAGE}.",
            ) from failure

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Environment variable of each field, by field name."""
        return {
            name: str(field.validation_alias.choices[0])
            for name, field in cls.model_fields.items()
            if isinstance(field.validation_alias, AliasChoices)
        }


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`; a name other than localhost may be any."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    # ::ffff:127.0.0.1 is loopback in the other notation, which Python 3.11 does not know.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _require_loopback(setting: str, host: str, *, fault: str, remedy: str) -> None:
    if not is_loopback(host):
        raise SettingsError(f"setting {setting}", f"{host!r} is a network address, and {fault}", remedy)


def _require_keys(setting: str, host: str) -> None:
    _require_loopback(
        setting,
        host,
        fault="no API key would be required",
        remedy="Make a key with 'edgeinfer key new' and name its file in EDGEINFER_GATEWAY_API_KEYS_FILE, or listen on "
        "127.0.0.1. EDGEINFER_GATEWAY_ALLOW_NO_KEYS=true serves anyone who can reach this address.",
    )


def _refuse_network(setting: str, host: str, *, allowed_by: str, who: str) -> None:
    _require_loopback(
        setting,
        host,
        fault=f"the {who} requires no API key",
        remedy=f"Listen on 127.0.0.1, or put it behind a proxy with a login. "
        f"{allowed_by}=true serves anyone who can reach this address.",
    )


class TraceSettings(ProcessSettings):
    """Export of traces, by OpenTelemetry's own variables; its SDK reads the others (sampler, headers, timeout)."""

    otel_traces_exporter: Literal["", "otlp", "none"] = Field(
        "",
        validation_alias=_env("OTEL_TRACES_EXPORTER"),
        description="otlp exports spans of sampled requests; none does not, whatever the endpoint is.",
    )
    otel_endpoint: str = Field(
        "",
        validation_alias=_env("OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="Address of an OTLP collector over HTTP, such as http://127.0.0.1:4318; switches traces on.",
    )
    otel_traces_endpoint: str = Field(
        "",
        validation_alias=_env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        description="The whole address for spans, where it is not /v1/traces of the other; switches traces on.",
    )
    otel_sdk_disabled: bool = Field(
        False, validation_alias=_env("OTEL_SDK_DISABLED"), description="Whether traces are off whatever else is set."
    )
    otel_service_name: str = Field(
        "", validation_alias=_env("OTEL_SERVICE_NAME"), description="Name of the service in traces; its job if empty."
    )
    otel_bsp_max_queue_size: Annotated[int, Field(ge=1, le=65_536)] = Field(
        2048,
        validation_alias=_env("OTEL_BSP_MAX_QUEUE_SIZE"),
        description="Spans that may wait for the collector; more are dropped and counted.",
    )
    otel_bsp_max_export_batch_size: Annotated[int, Field(ge=1, le=65_536)] = Field(
        512, validation_alias=_env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"), description="Spans that are sent at once."
    )
    otel_bsp_schedule_delay: Annotated[int, Field(ge=1, le=600_000)] = Field(
        5000, validation_alias=_env("OTEL_BSP_SCHEDULE_DELAY"), description="Milliseconds between two batches."
    )

    @property
    def traces_are_on(self) -> bool:
        """Whether spans are exported."""
        if self.otel_sdk_disabled or self.otel_traces_exporter == "none":
            return False
        return bool(self.otel_traces_exporter or self.otel_endpoint or self.otel_traces_endpoint)


class SidecarSettings(TraceSettings):
    """The Hailo sidecar."""

    host: str = Field("127.0.0.1", validation_alias=_env("EDGEINFER_SIDECAR_HOST"), description="Address to listen on.")
    port: Port = Field(9000, validation_alias=_env("EDGEINFER_SIDECAR_PORT"), description="Port to listen on.")
    grpc_port: Port | None = Field(
        None,
        validation_alias=_env("EDGEINFER_SIDECAR_GRPC_PORT"),
        description="Port of the Open Inference Protocol over gRPC, on the same address; needs the extra grpc. Without "
        "it, gRPC is off.",
    )
    allow_network: bool = Field(
        False,
        validation_alias=_env("EDGEINFER_SIDECAR_ALLOW_NETWORK"),
        description="Allow listening on a network address, where anyone can use it without an API key.",
    )
    use_real_model: bool = Field(
        True,
        validation_alias=_env("USE_REAL_MODEL"),
        description="Use the model; false selects the stub backend.",
    )
    backend: BackendName = Field(
        "onnx", validation_alias=_env("EDGEINFER_SIDECAR_BACKEND"), description="Backend that computes the results."
    )
    model_folder: Path | None = Field(
        None,
        validation_alias=_env("EDGEINFER_MODEL_FOLDER"),
        description="Folder with a card.json and its files; default: the model that ships with EdgeInfer.",
    )
    model_variant: Literal["cpu", "cpu_int8"] = Field(
        "cpu",
        validation_alias=_env("EDGEINFER_MODEL_VARIANT"),
        description="File of the model card that the CPU runs.",
    )
    hef_path: Path | None = Field(
        None, validation_alias=_env("HEF_PATH"), description="Compiled model (HEF) for the Hailo chip."
    )
    hef_layout: Literal["auto", "time_major", "channel_major"] = Field(
        "auto",
        validation_alias=_env("EDGEINFER_HEF_LAYOUT"),
        description="Layout of the window in the HEF's input; auto detects it from the input's shape.",
    )
    hailo_devices: str = Field(
        "",
        validation_alias=_env("EDGEINFER_HAILO_DEVICES"),
        description="PCIe addresses of the chips to use, separated by commas; default: all chips.",
    )
    hailo_timeout_ms: Annotated[int, Field(ge=10, le=60_000)] = Field(
        700,
        validation_alias=_env("EDGEINFER_HAILO_TIMEOUT_MS"),
        description="Timeout for submitting a window to the chip, and again for its result.",
    )
    hailo_frames_in_flight: Annotated[int, Field(ge=1, le=32)] = Field(
        8,
        validation_alias=_env("EDGEINFER_HAILO_FRAMES_IN_FLIGHT"),
        description="Maximum number of frames in flight per chip; HailoRT's queue holds 2 to 32, and more than 8 "
        "gained "
        "nothing in measurements.",
    )
    shadow_backend: ShadowName = Field(
        "none",
        validation_alias=_env("EDGEINFER_SHADOW_BACKEND"),
        description="Backend that recomputes a share of the windows for comparison.",
    )
    shadow_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.01,
        validation_alias=_env("EDGEINFER_SHADOW_SHARE"),
        description="Share of the windows that the shadow backend recomputes.",
    )
    shadow_cpu_budget: Annotated[float, Field(gt=0, le=1)] = Field(
        0.05,
        validation_alias=_env("EDGEINFER_SHADOW_CPU_BUDGET"),
        description="CPU budget of the shadow, as a share of one core; windows beyond it are skipped.",
    )
    model_change_min_agreement: Annotated[float, Field(ge=0, le=1)] = Field(
        0.9,
        validation_alias=_env("EDGEINFER_MODEL_CHANGE_MIN_AGREEMENT"),
        description="Share of recorded windows in which a new model must name the same top motif as the serving one "
        "to replace it; 0 accepts any model.",
    )
    num_motifs: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None,
        validation_alias=_env("NUM_MOTIFS"),
        description="Expected number of motif scores; start-up fails if the model has another.",
    )
    queue_capacity: Annotated[int, Field(ge=1, le=4096)] = Field(
        64,
        validation_alias=_env("EDGEINFER_SIDECAR_QUEUE_CAPACITY"),
        description="Number of windows that may wait before the sidecar sheds load with status 503.",
    )
    workers: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        validation_alias=_env("EDGEINFER_SIDECAR_WORKERS"),
        description="Threads that call the backend; default: as many as the backend can use.",
    )
    shutdown_grace_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        0.0,
        validation_alias=_env("EDGEINFER_SIDECAR_SHUTDOWN_GRACE_SECONDS"),
        description="Time after SIGTERM during which the sidecar reports not ready but still accepts requests.",
    )
    stub_latency_ms: Annotated[float, Field(ge=0, le=60_000)] = Field(
        1.5,
        validation_alias=_env("EDGEINFER_STUB_LATENCY_MS"),
        description="Median latency of the stub per window.",
    )
    stub_failure_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        validation_alias=_env("EDGEINFER_STUB_FAILURE_SHARE"),
        description="Share of windows for which the stub fails.",
    )
    socket_path: Path | None = Field(
        None,
        validation_alias=_env("EDGEINFER_SIDECAR_SOCKET"),
        description="Unix socket to listen on in addition to the port, for a gateway on the same machine.",
    )
    prometheus_multiproc_dir: str = Field(
        "",
        validation_alias=_env("PROMETHEUS_MULTIPROC_DIR"),
        description="Must not be set: one process owns the chip and its metrics.",
    )
    web_concurrency: int = Field(
        1,
        validation_alias=_env("WEB_CONCURRENCY"),
        description="Must not be above 1: one process owns the chip and its metrics.",
    )

    @model_validator(mode="after")
    def _has_a_port_for_each(self) -> Self:
        if self.grpc_port == self.port:
            fault = f"{self.port} is the port of EDGEINFER_SIDECAR_PORT"
            raise SettingsError("setting EDGEINFER_SIDECAR_GRPC_PORT", fault, "Choose another port, such as 9001.")
        return self

    @model_validator(mode="after")
    def _is_one_process(self) -> Self:
        if self.prometheus_multiproc_dir or self.web_concurrency > 1:
            raise SettingsError(
                "settings PROMETHEUS_MULTIPROC_DIR and WEB_CONCURRENCY",
                "they request several processes, but a chip can have one owner only",
                "Unset them; run one sidecar for each chip and name them all in MODEL_BACKEND_URL.",
            )
        return self

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        if not self.allow_network:
            allowed_by = "EDGEINFER_SIDECAR_ALLOW_NETWORK"
            _refuse_network("EDGEINFER_SIDECAR_HOST", self.host, allowed_by=allowed_by, who="sidecar")
        return self


class GatewaySettings(TraceSettings):
    """The gateway."""

    host: str = Field("127.0.0.1", validation_alias=_env("EDGEINFER_GATEWAY_HOST"), description="Address to listen on.")
    port: Port = Field(8080, validation_alias=_env("EDGEINFER_GATEWAY_PORT"), description="Port to listen on.")
    published_on: str = Field(
        "",
        validation_alias=_env("EDGEINFER_GATEWAY_PUBLISHED_ON"),
        description="In a container: the address of the machine on which the port is published, which decides whether "
        "API keys are required instead of the address to listen on.",
    )
    allow_no_keys: bool = Field(
        False,
        validation_alias=_env("EDGEINFER_GATEWAY_ALLOW_NO_KEYS"),
        description="Allow listening on a network address without API keys, where anyone can use it.",
    )
    use_real_model: bool = Field(
        True,
        validation_alias=_env("USE_REAL_MODEL"),
        description="Call sidecars; false computes everything with the model on the gateway's CPU.",
    )
    backend_urls: str = Field(
        "http://127.0.0.1:9000/infer",
        validation_alias=_env("MODEL_BACKEND_URL"),
        description="URLs of the sidecars, separated by commas; unix:/path is a Unix socket.",
    )
    backend_timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = Field(
        1500,
        validation_alias=_env("BACKEND_TIMEOUT_MS"),
        description="Timeout of one call to a sidecar.",
    )
    backend_retries: Annotated[int, Field(ge=0, le=5)] = Field(
        0,
        validation_alias=_env("BACKEND_RETRIES"),
        description="Retries of a call after a transient failure.",
    )
    model_folder: Path | None = Field(
        None,
        validation_alias=_env("EDGEINFER_MODEL_FOLDER"),
        description="Folder with a card.json and its files; default: the model that ships with EdgeInfer.",
    )
    encoding: Literal["auto", "binary", "json", "open-inference"] = Field(
        "auto",
        validation_alias=_env("EDGEINFER_GATEWAY_ENCODING"),
        description="How sidecars are asked; auto learns it from what each says of itself: /infer in bytes or JSON, or "
        "the Open Inference Protocol.",
    )
    data_folder: Path | None = Field(
        None,
        validation_alias=_env("EDGEINFER_GATEWAY_DATA_FOLDER"),
        description="Folder in which sessions survive a crash; without it they are kept in memory only.",
    )
    synchronous: Literal["normal", "bounded", "full"] = Field(
        "bounded",
        validation_alias=_env("EDGEINFER_GATEWAY_SYNCHRONOUS"),
        description="When acknowledged samples are on the disk: full before the 202, bounded soon after it, normal "
        "when the kernel writes them. A killed process loses nothing in any of them; a power cut can lose the newest "
        "EDGEINFER_GATEWAY_MAX_UNSYNCED_MS with bounded, half a minute and more with normal, nothing with full.",
    )
    max_unsynced_ms: Annotated[int, Field(ge=10, le=60_000)] = Field(
        1000,
        validation_alias=_env("EDGEINFER_GATEWAY_MAX_UNSYNCED_MS"),
        description="Maximum time between acknowledging samples and syncing them to disk with bounded.",
    )
    store_megabytes: Annotated[int, Field(ge=1, le=65_536)] = Field(
        512,
        validation_alias=_env("EDGEINFER_GATEWAY_STORE_MEGABYTES"),
        description="Maximum size of all session files on disk; when it is reached, ended sessions are dropped "
        "before their retention time, and samples are rejected with 507 when none is left.",
    )
    retention_hours: Annotated[float, Field(ge=0, le=8760)] = Field(
        24.0,
        validation_alias=_env("EDGEINFER_GATEWAY_RETENTION_HOURS"),
        description="How long an ended session stays on disk, counted while the gateway, or at least the machine, "
        "runs.",
    )
    max_sessions: Annotated[int, Field(ge=1, le=100_000)] = Field(
        1000,
        validation_alias=_env("EDGEINFER_GATEWAY_MAX_SESSIONS"),
        description="Maximum number of active sessions; one more ends the session that was idle longest.",
    )
    session_idle_seconds: Annotated[float, Field(gt=0, le=604_800)] = Field(
        3600.0,
        validation_alias=_env("EDGEINFER_GATEWAY_SESSION_IDLE_SECONDS"),
        description="Idle time after which a session expires.",
    )
    max_body_bytes: Annotated[int, Field(ge=1024, le=104_857_600)] = Field(
        262_144,
        validation_alias=_env("EDGEINFER_GATEWAY_MAX_BODY_BYTES"),
        description="Maximum size of a request body; 262144 bytes hold about 1800 samples.",
    )
    max_buffered_bytes: Annotated[int, Field(ge=1_048_576, le=1_073_741_824)] = Field(
        16_777_216,
        validation_alias=_env("EDGEINFER_GATEWAY_MAX_BUFFERED_BYTES"),
        description="Maximum memory for requests in flight and unread responses, over all connections; beyond it the "
        "connection that stalls longest is answered 503 or closed. At least four times the maximum body size.",
    )
    max_in_flight: Annotated[int, Field(ge=1, le=4096)] = Field(
        256,
        validation_alias=_env("EDGEINFER_GATEWAY_MAX_IN_FLIGHT"),
        description="Maximum number of analyses in flight before the gateway sheds load with status 503.",
    )
    api_keys_file: Path | None = Field(
        None,
        validation_alias=_env("EDGEINFER_GATEWAY_API_KEYS_FILE"),
        description="File of hashed API keys, made by 'edgeinfer key'; without it no API key is required.",
    )
    key_requests_per_second: Annotated[float, Field(gt=0, le=100_000)] = Field(
        100.0,
        validation_alias=_env("EDGEINFER_GATEWAY_KEY_REQUESTS_PER_SECOND"),
        description="Requests per second allowed per API key, unless its line sets another rate; bursts may have "
        "twice as many.",
    )
    cors_origins: str = Field(
        "",
        validation_alias=_env("EDGEINFER_GATEWAY_CORS_ORIGINS"),
        description="Origins whose pages may call the gateway from a browser, such as https://app.example.org, "
        "separated by commas; * for all. Without any, browsers keep its answers from pages of other origins.",
    )
    fallback: bool = Field(
        True,
        validation_alias=_env("EDGEINFER_GATEWAY_FALLBACK"),
        description="Compute windows with the same model on the gateway's CPU when no sidecar answers.",
    )
    fallback_threads: Annotated[int, Field(ge=1, le=64)] = Field(
        1,
        validation_alias=_env("EDGEINFER_GATEWAY_FALLBACK_THREADS"),
        description="Threads of the fallback model on the gateway's CPU.",
    )
    circuit_failures: Annotated[int, Field(ge=1, le=1000)] = Field(
        5,
        validation_alias=_env("EDGEINFER_GATEWAY_CIRCUIT_FAILURES"),
        description="Consecutive failures of a sidecar that open its circuit.",
    )
    circuit_open_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        1.0,
        validation_alias=_env("EDGEINFER_GATEWAY_CIRCUIT_OPEN_SECONDS"),
        description="Time before an open circuit allows a trial call to the sidecar; doubles up to 30 s.",
    )
    health_interval_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        30.0,
        validation_alias=_env("EDGEINFER_GATEWAY_HEALTH_INTERVAL_SECONDS"),
        description="Interval of the health checks; a failing check is repeated sooner.",
    )
    drift_window_hours: Annotated[float, Field(ge=0.01, le=720)] = Field(
        24.0,
        validation_alias=_env("EDGEINFER_GATEWAY_DRIFT_WINDOW_HOURS"),
        description="Age past which an answer no longer counts for drift; a day holds both activity and rest.",
    )
    drift_baseline: Literal["site", "population"] = Field(
        "site",
        validation_alias=_env("EDGEINFER_GATEWAY_DRIFT_BASELINE"),
        description="What drift alerts judge by: site is what was learned here, population the people of the model "
        "card, for a gateway that serves many.",
    )
    drift_learn: bool = Field(
        True,
        validation_alias=_env("EDGEINFER_GATEWAY_DRIFT_LEARN"),
        description="Whether a site without a baseline learns its first one once answers of a whole window are there; "
        "'edgeinfer drift learn' does so at any time.",
    )
    drift_minimum: Annotated[int, Field(ge=10, le=100_000)] = Field(
        200,
        validation_alias=_env("EDGEINFER_GATEWAY_DRIFT_MINIMUM"),
        description="Minimum number of answers before drift is reported.",
    )
    shutdown_grace_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        0.5,
        validation_alias=_env("EDGEINFER_GATEWAY_SHUTDOWN_GRACE_SECONDS"),
        description="Time after SIGTERM during which /healthz answers 503 but requests are still accepted.",
    )

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        if self.api_keys_file is None and not self.allow_no_keys:
            if self.published_on:
                _require_keys("EDGEINFER_GATEWAY_PUBLISHED_ON", self.published_on)
            else:
                _require_keys("EDGEINFER_GATEWAY_HOST", self.host)
        return self

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of EDGEINFER_GATEWAY_CORS_ORIGINS."""
        return tuple(origin for part in self.cors_origins.split(",") if (origin := part.strip()))

    @model_validator(mode="after")
    def _has_true_origins(self) -> Self:
        for origin in self.origins:
            # Browsers compare an origin letter by letter: one with a path or in capitals would match nothing.
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise SettingsError(
                    "setting EDGEINFER_GATEWAY_CORS_ORIGINS",
                    f"{origin!r} is not an origin",
                    "Write it as browsers do: https://name or http://name:port, in lower case, without a path.",
                )
        return self

    @model_validator(mode="after")
    def _has_room_for_bodies(self) -> Self:
        least = 4 * self.max_body_bytes
        if self.max_buffered_bytes < least:
            raise SettingsError(
                "setting EDGEINFER_GATEWAY_MAX_BUFFERED_BYTES",
                f"{self.max_buffered_bytes} is less than four bodies of EDGEINFER_GATEWAY_MAX_BODY_BYTES",
                f"Set it to {least} or more.",
            )
        return self


class ConsoleSettings(ProcessSettings):
    """The console."""

    host: str = Field("127.0.0.1", validation_alias=_env("EDGEINFER_CONSOLE_HOST"), description="Address to listen on.")
    port: Port = Field(8088, validation_alias=_env("EDGEINFER_CONSOLE_PORT"), description="Port to listen on.")
    published_on: str = Field(
        "",
        validation_alias=_env("EDGEINFER_CONSOLE_PUBLISHED_ON"),
        description="In a container: the address of the machine on which the port is published, which counts instead "
        "of the address to listen on.",
    )
    allow_network: bool = Field(
        False,
        validation_alias=_env("EDGEINFER_CONSOLE_ALLOW_NETWORK"),
        description="Allow access from the network, where anyone can view dashboards and sessions and silence alerts: "
        "it has no login.",
    )
    prometheus_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] = Field(
        "http://127.0.0.1:9090",
        validation_alias=_env("EDGEINFER_PROMETHEUS_URL"),
        description="URL of the Prometheus server that the console queries.",
    )
    alertmanager_url: Annotated[str, Field(pattern=_URL_OR_NOTHING)] = Field(
        "http://127.0.0.1:9093",
        validation_alias=_env("EDGEINFER_ALERTMANAGER_URL"),
        description="URL of the Alertmanager.",
    )
    gateway_url: Annotated[str, Field(pattern=_URL_OR_NOTHING)] = Field(
        "http://127.0.0.1:8080",
        validation_alias=_env("EDGEINFER_GATEWAY_URL"),
        description="URL of the gateway, whose sessions the console shows.",
    )
    api_key_file: Path | None = Field(
        None,
        validation_alias=_env("EDGEINFER_API_KEY_FILE"),
        description="File with the API key that the console sends to the gateway, if it requires one; it is read for "
        "each request, so a new key needs no restart. Browsers and logs never get the key.",
    )
    dashboards_folder: Path | None = Field(
        None,
        validation_alias=_env("EDGEINFER_DASHBOARDS_FOLDER"),
        description="Folder with dashboard JSON files; default: the dashboards that ship with EdgeInfer.",
    )
    allowed_hosts: str = Field(
        "",
        validation_alias=_env("EDGEINFER_CONSOLE_ALLOWED_HOSTS"),
        description="Host names under which browsers may reach the console in addition to its address and loopback, "
        "separated by commas; behind a proxy, the proxy's name.",
    )
    console_url: Annotated[str, Field(pattern=_URL_OR_NOTHING)] = Field(
        "",
        validation_alias=_env("EDGEINFER_CONSOLE_URL"),
        description="URL under which people reach the console, for the links in notifications; default: its address.",
    )

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        if not self.allow_network:
            setting, host = ("PUBLISHED_ON", self.published_on) if self.published_on else ("HOST", self.host)
            allowed_by = "EDGEINFER_CONSOLE_ALLOW_NETWORK"
            _refuse_network(f"EDGEINFER_CONSOLE_{setting}", host, allowed_by=allowed_by, who="console")
        return self


class StackSettings(ProcessSettings):
    """The native stack of `edgeinfer up`."""

    data_folder: Path | None = Field(
        None,
        validation_alias=_env("EDGEINFER_DATA_FOLDER"),
        description="Folder of measurements, logs and lock; default: edgeinfer in XDG_DATA_HOME.",
    )
    data_home: Path = Field(
        Path("~/.local/share"),
        validation_alias=_env("XDG_DATA_HOME"),
        description="Base folder of user data.",
    )
    cache_home: Path = Field(
        Path("~/.cache"),
        validation_alias=_env("XDG_CACHE_HOME"),
        description="Base folder of cached downloads, such as Prometheus and Alertmanager.",
    )
    gateway_host: str = Field(
        "127.0.0.1", validation_alias=_env("EDGEINFER_GATEWAY_HOST"), description="Address of the gateway."
    )
    gateway_port: Port = Field(
        8080, validation_alias=_env("EDGEINFER_GATEWAY_PORT"), description="Port of the gateway."
    )
    gateway_api_keys_file: Path | None = Field(
        None,
        validation_alias=_env("EDGEINFER_GATEWAY_API_KEYS_FILE"),
        description="File with the API keys of the gateway; see the settings of the gateway.",
    )
    gateway_allow_no_keys: bool = Field(
        False,
        validation_alias=_env("EDGEINFER_GATEWAY_ALLOW_NO_KEYS"),
        description="Allow the gateway to listen on a network address without API keys.",
    )
    sidecar_port: Port = Field(
        9000,
        validation_alias=_env("EDGEINFER_SIDECAR_PORT"),
        description="Port of the first sidecar; further ones use the following ports.",
    )
    sidecar_grpc_port: Port | None = Field(
        None,
        validation_alias=_env("EDGEINFER_SIDECAR_GRPC_PORT"),
        description="Port of gRPC of the first sidecar; further ones use the following ports. Without it, gRPC is off.",
    )
    sidecars: Annotated[int, Field(ge=0, le=16)] = Field(
        1,
        validation_alias=_env("EDGEINFER_SIDECARS"),
        description="Number of sidecars to start; with 0 the gateway calls those in MODEL_BACKEND_URL.",
    )
    backend: BackendName | None = Field(
        None, validation_alias=_env("EDGEINFER_SIDECAR_BACKEND"), description="Backend of the sidecars."
    )
    backend_urls: str = Field(
        "http://127.0.0.1:9000/infer",
        validation_alias=_env("MODEL_BACKEND_URL"),
        description="URLs of external sidecars, used only if none is started.",
    )
    exporter_port: Port = Field(
        EXPORTER_PORT, validation_alias=_env("EDGEINFER_EXPORTER_PORT"), description="Port of the chip exporter."
    )
    console_host: str = Field(
        "127.0.0.1", validation_alias=_env("EDGEINFER_CONSOLE_HOST"), description="Address of the console."
    )
    console_port: Port = Field(
        8088, validation_alias=_env("EDGEINFER_CONSOLE_PORT"), description="Port of the console."
    )
    console_allow_network: bool = Field(
        False,
        validation_alias=_env("EDGEINFER_CONSOLE_ALLOW_NETWORK"),
        description="Allow the console to listen on a network address.",
    )
    prometheus_port: Port = Field(
        9090, validation_alias=_env("EDGEINFER_PROMETHEUS_PORT"), description="Port of Prometheus, on loopback."
    )
    alertmanager_port: Port = Field(
        9093, validation_alias=_env("EDGEINFER_ALERTMANAGER_PORT"), description="Port of Alertmanager, on loopback."
    )
    api_key_file: Path | None = Field(
        None,
        validation_alias=_env("EDGEINFER_API_KEY_FILE"),
        description="File with the API key that the replay and the console send, if the gateway requires one.",
    )
    retention_time: Annotated[str, Field(pattern=r"^[1-9]\d*[hdwy]$")] = Field(
        "30d", validation_alias=_env("EDGEINFER_RETENTION_TIME"), description="Age at which measurements are dropped."
    )
    retention_size: Annotated[str, Field(pattern=r"^[1-9]\d*(MB|GB|TB)$")] = Field(
        "2GB",
        validation_alias=_env("EDGEINFER_RETENTION_SIZE"),
        description="Size on disk at which the oldest measurements are dropped.",
    )

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        """Checked here already: a child process would fail only after the others have started."""
        if self.gateway_api_keys_file is None and not self.gateway_allow_no_keys:
            _require_keys("EDGEINFER_GATEWAY_HOST", self.gateway_host)
        if not self.console_allow_network:
            allowed_by = "EDGEINFER_CONSOLE_ALLOW_NETWORK"
            _refuse_network("EDGEINFER_CONSOLE_HOST", self.console_host, allowed_by=allowed_by, who="console")
        return self


class AlertingSettings(ProcessSettings):
    """Receivers of Alertmanager, in addition to the console's log.

    All empty: nothing leaves the machine. Only warnings and critical alerts are ever sent.
    """

    webhook_url: Annotated[str, Field(pattern=_URL_OR_NOTHING)] = Field(
        "",
        validation_alias=_env("EDGEINFER_ALERT_WEBHOOK_URL"),
        description="URL that receives Alertmanager's JSON of each notification.",
    )
    ntfy_url: Annotated[str, Field(pattern=_URL_OR_NOTHING)] = Field(
        "",
        validation_alias=_env("EDGEINFER_ALERT_NTFY_URL"),
        description="Topic of an ntfy server (2.14 or later), such as https://ntfy.example.org/edge.",
    )
    ntfy_token_file: str = Field(
        "",
        validation_alias=_env("EDGEINFER_ALERT_NTFY_TOKEN_FILE"),
        description="File with the access token of that topic, as Alertmanager sees it.",
    )
    email_to: str = Field(
        "",
        validation_alias=_env("EDGEINFER_ALERT_EMAIL_TO"),
        description="Recipients of email notifications, separated by commas.",
    )
    email_from: str = Field(
        "", validation_alias=_env("EDGEINFER_ALERT_EMAIL_FROM"), description="Sender of email notifications."
    )
    smtp_smarthost: Annotated[str, Field(pattern=r"^([^\s:]+:\d+)?$")] = Field(
        "", validation_alias=_env("EDGEINFER_ALERT_SMTP_SMARTHOST"), description="Mail server, as host:port."
    )
    smtp_username: str = Field(
        "",
        validation_alias=_env("EDGEINFER_ALERT_SMTP_USERNAME"),
        description="User name for the mail server, if it requires one.",
    )
    smtp_password_file: str = Field(
        "",
        validation_alias=_env("EDGEINFER_ALERT_SMTP_PASSWORD_FILE"),
        description="File with that user's password, as Alertmanager sees it.",
    )
    smtp_tls: bool = Field(
        True,
        validation_alias=_env("EDGEINFER_ALERT_SMTP_TLS"),
        description="Require TLS; false for a mail relay on this machine.",
    )


class ExporterSettings(ProcessSettings):
    """The exporter of Hailo chips."""

    host: str = Field(
        "127.0.0.1", validation_alias=_env("EDGEINFER_EXPORTER_HOST"), description="Address to listen on."
    )
    port: Port = Field(
        EXPORTER_PORT, validation_alias=_env("EDGEINFER_EXPORTER_PORT"), description="Port to listen on."
    )
    allow_network: bool = Field(
        False,
        validation_alias=_env("EDGEINFER_EXPORTER_ALLOW_NETWORK"),
        description="Allow listening on a network address, where anyone can read it without an API key.",
    )
    interval_seconds: Annotated[float, Field(ge=1, le=300)] = Field(
        5.0,
        validation_alias=_env("EDGEINFER_EXPORTER_INTERVAL_SECONDS"),
        description="Interval of temperature and health readings; other sensors are read less often.",
    )
    measure_power: bool = Field(
        False,
        validation_alias=_env("EDGEINFER_EXPORTER_MEASURE_POWER"),
        description="Measure power twice a minute; each measurement pauses the module's overcurrent "
        "protection for a sample.",
    )
    monitor_folder: Path = Field(
        Path("/tmp/hmon_files"),  # noqa: S108  # where HailoRT writes them
        validation_alias=_env("EDGEINFER_EXPORTER_MONITOR_FOLDER"),
        description="Folder of HailoRT's monitor files.",
    )
    monitor_interval_ms: Annotated[int, Field(ge=100, le=60_000)] = Field(
        1000,
        validation_alias=_env("EDGEINFER_EXPORTER_MONITOR_INTERVAL_MS"),
        description="HAILO_MONITOR_TIME_INTERVAL of the process that owns the chip; older files are stale.",
    )
    kernel_root: Path = Field(
        Path("/"),
        validation_alias=_env("EDGEINFER_EXPORTER_KERNEL_ROOT"),
        description="Root of the machine's /sys, /proc and /dev; in a container, where they are mounted.",
    )

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        if not self.allow_network:
            allowed_by = "EDGEINFER_EXPORTER_ALLOW_NETWORK"
            _refuse_network("EDGEINFER_EXPORTER_HOST", self.host, allowed_by=allowed_by, who="exporter")
        return self


def prepare_hailort(environment: MutableMapping[str, str] | None = None) -> None:
    """Set the variables that HailoRT reads at import, unless the operator has set them.

    The owner of a chip writes monitor files only if this is set, and the library's log lands in the working folder.
    """
    environment = os.environ if environment is None else environment
    environment.setdefault("HAILO_MONITOR", "1")
    environment.setdefault("HAILORT_LOGGER_PATH", "NONE")


def prepare_onnxruntime(environment: MutableMapping[str, str] | None = None) -> None:
    """Set the variable that ONNX Runtime reads at import, unless the operator has set it.

    From 1.32 on its wheel sends usage to its maker by default, from a thread of its own, and writes an identifier of
    the machine below ~/.cache. Nothing leaves a device of EdgeInfer that its owner did not ask for.
    """
    environment = os.environ if environment is None else environment
    environment.setdefault("ORT_DISABLE_TELEMETRY", "1")


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = known_variables()
    for name in sorted(environment):
        if name.startswith(_PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            remedy = f"Did you mean {near[0]}?" if near else f"See {_PAGE} for the known ones."
            raise SettingsError(f"setting {name}", "unknown setting", remedy)


def known_variables() -> set[str]:
    """Every environment variable that some process reads."""
    return {variable for process in all_settings() for variable in process.variables().values()}


def all_settings() -> list[type[ProcessSettings]]:
    """The settings class of every process, in reading order."""
    # TraceSettings is what two of them have in common, and no process.
    return [leaf for kind in ProcessSettings.__subclasses__() for leaf in kind.__subclasses__() or [kind]]
