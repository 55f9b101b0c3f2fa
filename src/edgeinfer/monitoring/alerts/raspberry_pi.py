"""Alerts on the Raspberry Pi that carries the chip: undervoltage and throttling."""

from edgeinfer.catalog import device
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.chip_series import EXPORTER, HARDWARE_DASHBOARD, QUERIES
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, gauge
from edgeinfer.monitoring.promql import one_of

_PI_BY = ("job", "instance", "condition")
_CONDITION_LABELS = {"job": "hailo-exporter", "instance": "exporter:9048"}


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _raspberry_pi_undervoltage(),
        _raspberry_pi_throttled(),
    ]


def _condition(name: str) -> str:
    return f'raspberry_pi_condition{{{EXPORTER}, condition="{name}"}}'


def _raspberry_pi_undervoltage() -> Alert:
    weak, hot = _condition("undervoltage"), _condition("throttled")
    undervoltage = {"condition": "undervoltage"}
    return Alert(
        name="PiUndervoltage",
        provoked_by="board-undervoltage",
        expression=f"{QUERIES.gauge(device.RASPBERRY_PI_CONDITION, by=_PI_BY, where=undervoltage)} == 1",
        for_="30s",
        keep_firing_for="5m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="Undervoltage on the Raspberry Pi of {{ $labels.instance }}",
        description="The firmware reports that the supply voltage is too low.",
        runbook=Runbook(
            meaning="The power supply delivers less voltage than the firmware of the Raspberry Pi requires.",
            impact="The processor slows down, and the machine may switch off or corrupt its card without warning.",
            diagnosis=(
                RunbookStep(
                    "Does it last?",
                    {
                        "the last digit is odd": "it is active now.",
                        "`0x50000` and the like": "it is over, but it happened since the machine started.",
                    },
                    command="vcgencmd get_throttled",
                ),
                RunbookStep(
                    "Check supply and cable.",
                    {
                        "less than 5 V at 5 A (Pi 5), 3 A (Pi 4)": "use the supply that the Raspberry Pi requires.",
                        "a long or thin cable": "use a short one.",
                        "disks or phones on its USB ports": "power them separately.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={weak: gauge((1, 300), (0, 600))},
            pending_at=15,
            firing_at=45,
            resolved_at=660,
            labels=_CONDITION_LABELS | {"condition": "undervoltage"},
            expected_description="The firmware reports that the supply voltage is too low.",
        ),
        negative_cases=(
            RuleCase(why="hot, and well supplied", series={weak: gauge((0, 300)), hot: gauge((1, 300))}, at=250),
        ),
    )


def _raspberry_pi_throttled() -> Alert:
    weak, hot = _condition("undervoltage"), _condition("throttled")
    slowed = {"condition": one_of("frequency_capped", "throttled", "soft_temperature_limit")}
    return Alert(
        name="PiThrottled",
        provoked_by="board-throttled",
        expression=f"{QUERIES.gauge(device.RASPBERRY_PI_CONDITION, by=_PI_BY, where=slowed)} == 1",
        for_="2m",
        keep_firing_for="5m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="The processor of the Raspberry Pi of {{ $labels.instance }} is throttled",
        description="The firmware reports: {{ $labels.condition }}.",
        runbook=Runbook(
            meaning="The firmware throttles the processor because of heat or a weak supply.",
            impact="Decoding, queueing and the fallback get slower; the chip itself is not throttled.",
            diagnosis=(
                RunbookStep(
                    "How hot is the processor?",
                    {
                        "80000 or more (thousandths of a degree)": "cool it: a fan, or more airflow for the case.",
                        "less": "the supply is weak: see PiUndervoltage.",
                    },
                    command="cat /sys/class/thermal/thermal_zone0/temp; vcgencmd get_throttled",
                ),
                RunbookStep(
                    "Dashboard 'Hailo Sidecar', panel 'Where the time goes': are requests affected?",
                    {
                        "queue, decode and postprocess grew": "yes: reduce the load until it is cool.",
                        "nothing grew": "no: plan the cooling.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={hot: gauge((1, 300), (0, 900))},
            pending_at=105,
            firing_at=150,
            resolved_at=660,
            labels=_CONDITION_LABELS | {"condition": "throttled"},
            expected_description="The firmware reports: throttled.",
        ),
        negative_cases=(
            RuleCase(why="undervoltage alone", series={weak: gauge((1, 300)), hot: gauge((0, 300))}, at=250),
        ),
        positive_cases=(
            RuleCase(why="its frequency is capped", series={_condition("frequency_capped"): gauge((1, 300))}, at=250),
        ),
    )
