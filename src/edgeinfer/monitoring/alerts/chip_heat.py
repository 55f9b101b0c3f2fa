"""Alerts on heat against the device's own limits, and on what the device does about it."""

from edgeinfer.catalog import device
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.chip_series import (
    BY_CHIP,
    CHIP,
    CHIP_LABELS,
    HARDWARE_DASHBOARD,
    QUERIES,
    notification_test,
    other_notification,
)
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, Values, gauge
from edgeinfer.monitoring.thresholds import (
    BELOW_ORANGE_CELSIUS,
    FALLBACK_TEMPERATURE_CELSIUS,
)

_TEMPERATURE = QUERIES.gauge(device.TEMPERATURE, by=BY_CHIP)
_ORANGE = QUERIES.gauge(device.TEMPERATURE_LIMIT, by=BY_CHIP, where={"limit": "orange"})
_ZONE = QUERIES.gauge(device.TEMPERATURE_ZONE, by=BY_CHIP)
# A Hailo-10H has neither zone nor requested clocks: it announces 1 to 4 as it slows down, 5 with its streams off.
_ANNOUNCED = QUERIES.gauge(device.ANNOUNCED_THROTTLING, by=BY_CHIP)


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _temperature_high(),
        _temperature_critical(),
        _throttling(),
        _stream_abort(),
    ]


def _heat(*segments: tuple[float | None, int], orange: float | None = 104) -> dict[str, Values]:
    length = sum(seconds for _, seconds in segments)
    limits = {f'hailo_hardware_temperature_limit_celsius{{{CHIP}, limit="orange"}}': gauge((orange, length))}
    return {f"hailo_hardware_temperature_celsius{{{CHIP}}}": gauge(*segments)} | (limits if orange else {})


def _temperature_high() -> Alert:
    return Alert(
        name="HailoTemperatureHigh",
        provoked_by="chip-hot",
        expression=f"{_TEMPERATURE} > {_ORANGE} - {BELOW_ORANGE_CELSIUS}\n"
        f"or ({_TEMPERATURE} unless {_ORANGE}) > {FALLBACK_TEMPERATURE_CELSIUS}",
        for_="5m",
        keep_firing_for="5m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="The chip {{ $labels.chip_id }} is getting hot",
        description="{{ $value | humanize }} °C, within "
        f"{BELOW_ORANGE_CELSIUS} degrees of the limit at which the device lowers its clock.",
        runbook=Runbook(
            meaning="The hotter of the chip's two sensors is close to the device's own orange limit.",
            impact="None yet. Above the orange limit the chip slows down; at the red limit it closes its streams.",
            diagnosis=(
                RunbookStep(
                    "Dashboard 'Hailo hardware', panel 'Temperature and limits': how did it rise?",
                    {
                        "slowly, with the room": "improve the airflow; mount a heat sink or a fan.",
                        "in one jump": "a fan stopped, or something covers the machine: check it.",
                        "with the load": "panel 'Use by model' shows which model uses the chip; reduce the load.",
                    },
                ),
                RunbookStep(
                    "Is the whole machine hot?",
                    {
                        "80000 or more (thousandths of a degree)": "the case has no airflow: both need cooling.",
                        "much less": "the chip's own cooling: its thermal pad or heat sink.",
                    },
                    command="cat /sys/class/thermal/thermal_zone0/temp",
                ),
            ),
        ),
        rule_test=RuleTest(
            series=_heat((95, 900), (80, 900)),
            pending_at=285,
            firing_at=330,
            resolved_at=1260,
            labels=CHIP_LABELS,
            expected_description="95 °C, within 10 degrees of the limit at which the device lowers its clock.",
        ),
        negative_cases=(
            RuleCase(why="exactly ten degrees below", series=_heat((94, 900)), at=800),
            RuleCase(why="a device that takes more", series=_heat((95, 900), orange=110), at=800),
            RuleCase(why="no limit known, 85 degrees", series=_heat((85, 900), orange=None), at=800),
        ),
        positive_cases=(RuleCase(why="no limit known, 86 degrees", series=_heat((86, 900), orange=None), at=800),),
    )


def _temperature_critical() -> Alert:
    zone = f"hailo_hardware_temperature_zone{{{CHIP}}}"
    return Alert(
        name="HailoTemperatureCritical",
        provoked_by="chip-critical",
        expression=f"{_TEMPERATURE} >= {_ORANGE}\nor {_ZONE} == 2\nor {_ANNOUNCED} >= 5",
        for_="30s",
        keep_firing_for="5m",
        severity=Severity.CRITICAL,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="The chip {{ $labels.chip_id }} is over its limit",
        description="Reading {{ $value | humanize }}: past the orange limit the device slows down, "
        "in the red zone it closes its streams.",
        runbook=Runbook(
            meaning="The chip is past its orange limit, or reports that it is in the red zone.",
            impact="Its clock steps from 400 down to 200 MHz; in the red zone every inference is aborted.",
            diagnosis=(
                RunbookStep(
                    "Reduce the load at once: stop the sidecar; the gateway's CPU answers meanwhile.",
                    {
                        "the temperature falls": "cool it, then start the sidecar again.",
                        "it does not fall": "switch the machine off before the chip does.",
                    },
                    command="sudo systemctl stop edgeinfer-sidecar",
                ),
                RunbookStep(
                    "Dashboard 'Hailo hardware', panels 'Temperature zone' and 'Each sensor': what does the chip "
                    "report?",
                    {
                        "red": "it has closed its streams; once it has cooled, the sidecar opens it again by itself.",
                        "orange": "it runs at a lower clock, down to half.",
                        "one sensor hot, one cool": "the heat sink is not seated properly.",
                    },
                ),
                RunbookStep(
                    "Check the machine: fan, dust, sun, a cover.",
                    {
                        "found": "fix it, and start the sidecar: `sudo systemctl start edgeinfer-sidecar`.",
                        "nothing found": "run it with less load until it has better cooling.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series=_heat((104, 300), (90, 600)),
            pending_at=15,
            firing_at=45,
            resolved_at=645,
            labels=CHIP_LABELS,
            expected_description="Reading 104: past the orange limit the device slows down, in the red "
            "zone it closes its streams.",
        ),
        negative_cases=(
            RuleCase(why="just below", series=_heat((103.9, 300)) | {zone: gauge((0, 300))}, at=250),
            RuleCase(why="orange by its own word is throttling", series={zone: gauge((1, 300))}, at=250),
            RuleCase(why="so is what a Hailo-10H calls severe", series={_announced(): gauge((4, 300))}, at=250),
        ),
        positive_cases=(
            RuleCase(why="red by its own word", series={zone: gauge((2, 300))}, at=250),
            RuleCase(why="a Hailo-10H with its streams off", series={_announced(): gauge((5, 300))}, at=250),
        ),
    )


def _throttling() -> Alert:
    requested = f"min by ({', '.join(BY_CHIP)}) ({device.REQUESTED_CLOCK.name} != 0)"
    asked = f'hailo_hardware_requested_clock_hertz{{{CHIP}, protection="temperature"}}'
    clock, zone = (f"{name}{{{CHIP}}}" for name in (device.CLOCK.name, device.TEMPERATURE_ZONE.name))
    return Alert(
        name="HailoThrottling",
        provoked_by="chip-throttled",
        expression=f"{requested} < {QUERIES.gauge(device.CLOCK, by=BY_CHIP)}\nor {_ZONE} > 0\nor {_ANNOUNCED} > 0",
        for_="1m",
        keep_firing_for="5m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="The chip {{ $labels.chip_id }} is throttling",
        description="A protection of the device requests less than the full clock, or its temperature zone is not "
        "green.",
        runbook=Runbook(
            meaning="The device protects itself against heat or current by lowering its clock.",
            impact="'execute' takes up to twice as long; latency alerts are held back while this one fires.",
            diagnosis=(
                RunbookStep(
                    "Dashboard 'Hailo hardware', panel 'Clock': which protection lowers it?",
                    {
                        "temperature": "see HailoTemperatureHigh.",
                        "overcurrent": "see HailoOvercurrent.",
                    },
                ),
                RunbookStep(
                    "What do the readings say?",
                    {
                        "a zone above 0, or the throttling state of a Hailo-10H": "heat: cool it.",
                        "zone 0, and a requested clock below the clock": "current: the supply is weak.",
                    },
                    command="curl -s localhost:9048/metrics | grep -E '_(zone|clock_hertz|throttling_state)'",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={asked: gauge((350e6, 300), (400e6, 600)), clock: gauge((400e6, 900))},
            pending_at=45,
            firing_at=90,
            resolved_at=690,
            labels=CHIP_LABELS,
            expected_description="A protection of the device requests less than the full clock, or "
            "its temperature zone is not green.",
        ),
        negative_cases=(
            RuleCase(
                why="full clock, green",
                series={
                    asked: gauge((400e6, 300)),
                    clock: gauge((400e6, 300)),
                    zone: gauge((0, 300)),
                    _announced(): gauge((0, 300)),
                },
                at=250,
            ),
            RuleCase(why="no request at all", series={asked: gauge((0, 300)), clock: gauge((400e6, 300))}, at=250),
        ),
        positive_cases=(
            RuleCase(why="an orange zone", series={zone: gauge((1, 300))}, at=250),
            RuleCase(why="a Hailo-10H that announces it", series={_announced(): gauge((1, 300))}, at=250),
        ),
    )


def _announced() -> str:
    return f"{device.ANNOUNCED_THROTTLING.name}{{{CHIP}}}"


def _stream_abort() -> Alert:
    where = {"notification": "dataflow_shutdown"}
    rise = QUERIES.increase(device.NOTIFICATIONS_RECEIVED, by=("job", "instance", "notification"), where=where)
    return Alert(
        name="HailoThermalStreamAbort",
        provoked_by="chip-stream-abort",
        expression=f"{rise} > 0",
        severity=Severity.CRITICAL,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="The chip closed its streams because of heat",
        description="The device sent dataflow_shutdown within the last 5 minutes.",
        runbook=Runbook(
            meaning="The chip went past its red limit and stopped all inference to protect itself.",
            impact="No inference on the chip until it has cooled down and is opened again.",
            diagnosis=(
                RunbookStep(
                    "Is the chip still hot?",
                    {
                        "above its red limit": "switch the machine off, and cool it.",
                        "below": "continue.",
                    },
                    command="curl -s localhost:9048/metrics | grep -E 'hailo_hardware_temperature(_limit)?_celsius'",
                ),
                RunbookStep(
                    "Does the sidecar answer again?",
                    {
                        "200": "it has recovered; see HailoTemperatureCritical for the cause.",
                        "503 for more than a minute": "`sudo systemctl restart edgeinfer-sidecar`.",
                        "503 after the restart": "power-cycle the machine.",
                    },
                    command="curl -si localhost:9000/healthz",
                ),
            ),
        ),
        rule_test=notification_test(
            "dataflow_shutdown", "The device sent dataflow_shutdown within the last 5 minutes."
        ),
        negative_cases=(other_notification("only an alarm", "dataflow_shutdown", "temperature_alarm"),),
    )
