"""The seven additions as edits: a metric, a panel, an alert, a backend, a collector, a setting and a command."""

from tools.addition import Addition, Omission, Step

_CATALOG = "src/edgeinfer/catalog/gateway.py"
_INSTRUMENTS = "src/edgeinfer/gateway/instruments.py"
_DASHBOARD = "src/edgeinfer/monitoring/dashboards/edgeinfer_gateway/work.py"
_ALERTS = "src/edgeinfer/monitoring/alerts/naps.py"
_SCENARIOS = "chaos/scenarios/processes.py"
_SETTINGS = "src/edgeinfer/settings.py"
_GATEWAY = "src/edgeinfer/cli/gateway.py"


def _generating(*named: str) -> Step:
    return Step("make generate", named=("make generate", *named), is_generating=True)


_METRIC_ENTRY = Step(
    "the catalog entry",
    _CATALOG,
    """NAPS = Metric(
    name="edgeinfer_naps_total",
    kind=MetricKind.COUNTER,
    unit="events",
    help="Times that the gateway took a nap.",
    owners=GATEWAY,
)
""",
    named=("NAPS",),
    is_found_by_linters=True,
    omissions=(
        Omission("its unit", '    unit="events",\n', "", ("unit", _CATALOG), is_found_by_linters=True),
        Omission("a unit that exists", '"events"', '"naps"', ("'naps'", _CATALOG)),
    ),
)
_METRIC_SET = Step(
    "the line that sets it",
    _INSTRUMENTS,
    "        self.naps = instruments.counter(catalog.NAPS, registry)\n",
    before="        self.store = StoreInstruments(",
    named=("edgeinfer_naps_total", _CATALOG, "NAPS"),
)
_PANEL = """

def _naps() -> list[Panel]:
    return [
        time_series(
            "Naps",
            "Times per second that the gateway took a nap.",
            [Query(LIVE.rate(gateway.NAPS, by=("instance",)), "{{instance}}")],
            FieldConfig(unit=PER_SECOND),
            size=(8, 7),
        ),
    ]
"""
_METRIC_READ = (
    Step("the panel", _DASHBOARD, _PANEL, named=("_naps", _DASHBOARD), is_found_by_linters=True),
    Step(
        "the panel's place in a row",
        _DASHBOARD,
        ", _naps()",
        before='], SIDECAR, open_when="sessions end',
        named=("_naps", _DASHBOARD),
    ),
)
_PANEL_WITH_A_LOOK = (
    _PANEL.replace("_naps", "_dozes")
    .replace('"Naps"', '"Requests, drowsily"')
    .replace("LIVE.rate(gateway.NAPS", "LIVE.rate(gateway.HTTP_REQUESTS")
)


_ALERT = '''"""An alert of an example."""

from edgeinfer.catalog import gateway
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, gauge
from edgeinfer.monitoring.promql import Queries

_SERIES = 'edgeinfer_sessions_active{job="edge-infer", instance="gateway:8080"}'


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        Alert(
            name="EdgeInferSleepy",
            provoked_by="gateway-dozes",
            expression=f"{Queries('5m', {}).gauge(gateway.SESSIONS_ACTIVE, by=('job', 'instance'))} > 900",
            for_="5m",
            severity=Severity.TICKET,
            service="edge-infer",
            signal="traffic",
            summary="The gateway has many sessions",
            description="{{ $value | humanize }} sessions.",
            runbook=Runbook(
                meaning="More sessions than usual are open.",
                impact="Memory grows.",
                diagnosis=(
                    RunbookStep(
                        "Is it busy?", {"yes": "wait.", "no": "wait."}, command="curl -s localhost:8080/healthz"
                    ),
                ),
            ),
            rule_test=RuleTest(
                series={_SERIES: gauge((950, 900), (10, 600))},
                pending_at=60,
                firing_at=600,
                resolved_at=1200,
                labels={"job": "edge-infer", "instance": "gateway:8080"},
                expected_description="950 sessions.",
            ),
            negative_cases=(RuleCase(why="at the threshold", series={_SERIES: gauge((900, 900))}, at=600),),
        )
    ]
'''
_SCENARIO = """    Scenario(
        name="gateway-dozes",
        does="Nothing happens to the gateway, which is only an example.",
        actions=(NoTraffic(),),
        alert="EdgeInferSleepy",
    ),
"""
_BACKEND = '''"""The same answer to every window, for an example."""

import numpy as np

from edgeinfer.backends.base import Description, Inference, Window
from edgeinfer.errors import BackendError
from edgeinfer.model.card import ModelCard
from edgeinfer.settings import SidecarSettings

KIND = "echo"


def create(card: ModelCard, settings: SidecarSettings) -> "EchoBackend":
    """The backend that the settings describe."""
    del settings
    return EchoBackend(card)


class EchoBackend:
    """Answers every window alike."""

    parallelism = 1
    is_cpu_bound = True

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self._is_open = False

    def open(self) -> Description:
        self._is_open = True
        sizes = self._card.latent_size, len(self._card.motifs)
        return Description(KIND, "none", "echo", self._card.name, self._card.version, "", *sizes)

    def infer(self, window: Window) -> Inference:
        """Answer one window.

        Raises:
            BackendError: it is not open.
        """
        if not self._is_open:
            raise BackendError("the echo", "is not open", "Wait until it is ready.", error_class="misuse")
        scores = np.full(len(self._card.motifs), 1 / len(self._card.motifs), np.float32)
        return Inference(window[:, 0].astype(np.float32)[: self._card.latent_size], scores, 0.0, 0.0, 0.0)

    def close(self) -> None:
        self._is_open = False
'''
_COLLECTOR = '''"""A supply that never fails, for an example."""

from edgeinfer.catalog import device
from edgeinfer.collectors.context import CollectorContext
from edgeinfer.metrics.fresh import FreshReadings


def create(context: CollectorContext) -> "FineSupplyCollector":
    return FineSupplyCollector(context.readings)


class FineSupplyCollector:
    """Reports a supply without a fault."""

    name = "fine_supply"
    interval_seconds = 30.0

    def __init__(self, readings: FreshReadings) -> None:
        self._readings = readings

    def collect(self) -> None:
        self._readings.publish_for(90.0, device.RASPBERRY_PI_CONDITION, 0.0, "undervoltage")

    def close(self) -> None:
        pass
'''
_COMMAND = '''"""`edgeinfer yawn`: say that it is late, for an example."""

import click


def create() -> click.Command:
    @click.command("yawn")
    def yawn() -> None:
        """Say that it is late."""
        click.echo("It is late.")

    return yawn
'''
_BACKEND_PATH, _COLLECTOR_PATH = "src/edgeinfer/backends/echo.py", "src/edgeinfer/collectors/fine_supply.py"
_COMMAND_PATH = "src/edgeinfer/cli/yawn.py"

ADDITIONS = (
    Addition("a metric", (_METRIC_ENTRY, _METRIC_SET, *_METRIC_READ, _generating("edgeinfer_naps_total"))),
    Addition(
        "a panel",
        (
            Step(
                "the panel",
                _DASHBOARD,
                _PANEL_WITH_A_LOOK,
                named=("_dozes", _DASHBOARD),
                is_found_by_linters=True,
                omissions=(
                    Omission(
                        "the right unit",
                        "FieldConfig(unit=PER_SECOND)",
                        'FieldConfig(unit="bytes")',
                        ("'bytes'", _DASHBOARD),
                    ),
                    Omission(
                        "a description",
                        '"Times per second that the gateway took a nap."',
                        '""',
                        ("description", _DASHBOARD),
                    ),
                    Omission("a label in the legend", '"{{instance}}"', '"requests"', ("instance", _DASHBOARD)),
                ),
            ),
            Step(
                "its place in a row",
                _DASHBOARD,
                ", _dozes()",
                before='], SIDECAR, open_when="sessions end',
                named=("_dozes", _DASHBOARD),
            ),
            _generating("edgeinfer_gateway_dashboard.json"),
        ),
    ),
    Addition(
        "an alert",
        (
            Step(
                "the entry",
                _ALERTS,
                _ALERT,
                named=("EdgeInferSleepy", "gateway-dozes", "chaos/scenarios"),
                omissions=(
                    Omission(
                        "what provokes it",
                        '            provoked_by="gateway-dozes",\n',
                        "",
                        ("EdgeInferSleepy", _ALERTS),
                    ),
                    Omission(
                        "a command in its runbook",
                        ', command="curl -s localhost:8080/healthz"',
                        "",
                        ("EdgeInferSleepy", _ALERTS),
                    ),
                    Omission(
                        "a metric that exists",
                        "by=('job', 'instance'))}",
                        "by=('job',))}_x",
                        ("EdgeInferSleepy", _ALERTS),
                    ),
                    Omission(
                        "the time when it is pending",
                        "                pending_at=60,\n",
                        "",
                        ("EdgeInferSleepy", _ALERTS),
                    ),
                ),
            ),
            Step(
                "its chaos scenario",
                _SCENARIOS,
                _SCENARIO,
                before="""    Scenario(
        name="gateway-frozen",""",
                named=("EdgeInferSleepy", "gateway-dozes", _ALERTS),
            ),
            _generating("docs/runbooks/EdgeInferSleepy.md"),
        ),
    ),
    Addition(
        "a backend",
        (
            Step(
                "",
                _BACKEND_PATH,
                _BACKEND,
                omissions=(
                    Omission("its kind", 'KIND = "echo"\n', 'KIND: str = "".strip()\n', ("KIND", _BACKEND_PATH)),
                    Omission("create", "def create(", "def made(", ("create", _BACKEND_PATH)),
                    Omission(
                        "its docstring",
                        '"""The same answer to every window, for an example."""\n',
                        "# an example\n",
                        ("docstring", _BACKEND_PATH),
                    ),
                ),
            ),
            _generating("docs/reference/settings.md"),
        ),
    ),
    Addition(
        "a collector",
        (
            Step(
                "",
                _COLLECTOR_PATH,
                _COLLECTOR,
                omissions=(Omission("create", "def create(", "def made(", ("create", _COLLECTOR_PATH)),),
            ),
        ),
    ),
    Addition(
        "a setting",
        (
            Step(
                "the field",
                _SETTINGS,
                """    nap_seconds: float = Field(
        0.0, validation_alias=_env("EDGEINFER_GATEWAY_NAP_SECONDS"), description="Length of a nap of the gateway."
    )
""",
                before="    backend_timeout_ms:",
                named=("nap_seconds", _GATEWAY),
                is_found_by_linters=True,
                omissions=(
                    Omission(
                        "its description",
                        ', description="Length of a nap of the gateway."',
                        "",
                        ("EDGEINFER_GATEWAY_NAP_SECONDS", _SETTINGS),
                    ),
                ),
            ),
            Step(
                "its use",
                _GATEWAY,
                """

def _nap(settings: GatewaySettings) -> float:
    return settings.nap_seconds
""",
                named=("EDGEINFER_GATEWAY_NAP_SECONDS", _SETTINGS),
            ),
            _generating("docs/reference/settings.md"),
        ),
    ),
    Addition(
        "a command",
        (
            Step(
                "",
                _COMMAND_PATH,
                _COMMAND,
                omissions=(Omission("create", "def create(", "def made(", ("yawn", "create", _COMMAND_PATH)),),
            ),
            _generating("docs/reference/commands.md"),
        ),
    ),
)
