"""Alerts on the chips: heat against the device's own limits, throttling, saturation, and readings that stopped."""

from edgeinfer.catalog import device, sidecar, system
from edgeinfer.catalog.metric import Metric
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, Severity, Step
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, Values, counter, gauge
from edgeinfer.monitoring.promql import Queries, one_of
from edgeinfer.monitoring.thresholds import (
    BELOW_ORANGE_CELSIUS,
    FALLBACK_TEMPERATURE_CELSIUS,
    SENSOR_STALE_SECONDS,
    UTILIZATION_SATURATED_RATIO,
)

_EXPORTER = 'job="hailo-exporter", instance="exporter:9048"'
_CHIP = f'{_EXPORTER}, chip_id="0000:01:00.0"'
_LABELS = {"job": "hailo-exporter", "instance": "exporter:9048", "chip_id": "0000:01:00.0"}
_BY_CHIP = ("job", "instance", "chip_id")
_BOARD = "edgeinfer-hardware"
_PI_BY = ("job", "instance", "condition")
_CONDITION_LABELS = {"job": "hailo-exporter", "instance": "exporter:9048"}
_Q = Queries("5m", {})
Series = dict[str, Values]

_TEMPERATURE = _Q.gauge(device.TEMPERATURE, by=_BY_CHIP)
_ORANGE = _Q.gauge(device.TEMPERATURE_LIMIT, by=_BY_CHIP, where={"limit": "orange"})
_ZONE = _Q.gauge(device.TEMPERATURE_ZONE, by=_BY_CHIP)
# A Hailo-10H has neither zone nor requested clocks: it announces 1 to 4 as it slows down, 5 with its streams off.
_ANNOUNCED = _Q.gauge(device.ANNOUNCED_THROTTLING, by=_BY_CHIP)


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _temperature_high(),
        _temperature_critical(),
        _throttling(),
        _stream_abort(),
        _overcurrent(),
        _memory_damaged(),
        _saturated(),
        _refused(),
        _vanished(),
        _link_degraded(),
        _firmware_restarted(),
        _sensor_stale(),
        _collector_failing(),
        _raspberry_pi_undervoltage(),
        _raspberry_pi_throttled(),
    ]


def _heat(*segments: tuple[float | None, int], orange: float | None = 104) -> dict[str, Values]:
    length = sum(seconds for _, seconds in segments)
    limits = {f'hailo_hardware_temperature_limit_celsius{{{_CHIP}, limit="orange"}}': gauge((orange, length))}
    return {f"hailo_hardware_temperature_celsius{{{_CHIP}}}": gauge(*segments)} | (limits if orange else {})


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
        dashboard_uid=_BOARD,
        summary="The chip {{ $labels.chip_id }} is getting hot",
        description="{{ $value | humanize }} °C, within "
        f"{BELOW_ORANGE_CELSIUS} degrees of the limit at which the device lowers its clock.",
        runbook=Runbook(
            meaning="The hotter of the chip's two sensors is close to the device's own orange limit.",
            impact="None yet. Above the orange limit the chip slows down; at the red limit it closes its streams.",
            diagnosis=(
                Step(
                    "Dashboard 'Hailo hardware', panel 'Temperature and limits': how did it rise?",
                    {
                        "slowly, with the room": "improve the airflow; mount a heat sink or a fan.",
                        "in one jump": "a fan stopped, or something covers the machine: check it.",
                        "with the load": "panel 'Use by network' shows which model uses the chip; reduce the load.",
                    },
                ),
                Step(
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
            labels=_LABELS,
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
    zone = f"hailo_hardware_temperature_zone{{{_CHIP}}}"
    return Alert(
        name="HailoTemperatureCritical",
        provoked_by="chip-critical",
        expression=f"{_TEMPERATURE} >= {_ORANGE}\nor {_ZONE} == 2\nor {_ANNOUNCED} >= 5",
        for_="30s",
        keep_firing_for="5m",
        severity=Severity.CRITICAL,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="The chip {{ $labels.chip_id }} is over its limit",
        description="Reading {{ $value | humanize }}: past the orange limit the device slows down, "
        "in the red zone it closes its streams.",
        runbook=Runbook(
            meaning="The chip is past its orange limit, or reports that it is in the red zone.",
            impact="Its clock steps from 400 down to 200 MHz; in the red zone every inference is aborted.",
            diagnosis=(
                Step(
                    "Reduce the load at once: stop the sidecar; the gateway's CPU answers meanwhile.",
                    {
                        "the temperature falls": "cool it, then start the sidecar again.",
                        "it does not fall": "switch the machine off before the chip does.",
                    },
                    command="sudo systemctl stop edgeinfer-sidecar",
                ),
                Step(
                    "Dashboard 'Hailo hardware', panels 'Temperature zone' and 'Each sensor': what does the chip "
                    "report?",
                    {
                        "red": "it has closed its streams; once it has cooled, the sidecar opens it again by itself.",
                        "orange": "it runs at a lower clock, down to half.",
                        "one sensor hot, one cool": "the heat sink is not seated properly.",
                    },
                ),
                Step(
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
            labels=_LABELS,
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
    requested = f"min by ({', '.join(_BY_CHIP)}) ({device.REQUESTED_CLOCK.name} != 0)"
    asked = f'hailo_hardware_requested_clock_hertz{{{_CHIP}, protection="temperature"}}'
    clock, zone = (f"{name}{{{_CHIP}}}" for name in (device.CLOCK.name, device.TEMPERATURE_ZONE.name))
    return Alert(
        name="HailoThrottling",
        provoked_by="chip-throttled",
        expression=f"{requested} < {_Q.gauge(device.CLOCK, by=_BY_CHIP)}\nor {_ZONE} > 0\nor {_ANNOUNCED} > 0",
        for_="1m",
        keep_firing_for="5m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="The chip {{ $labels.chip_id }} is throttling",
        description="A protection of the device requests less than the full clock, or its temperature zone is not "
        "green.",
        runbook=Runbook(
            meaning="The device protects itself against heat or current by lowering its clock.",
            impact="'execute' takes up to twice as long; latency alerts are held back while this one fires.",
            diagnosis=(
                Step(
                    "Dashboard 'Hailo hardware', panel 'Clock': which protection lowers it?",
                    {
                        "temperature": "see HailoTemperatureHigh.",
                        "overcurrent": "see HailoOvercurrent.",
                    },
                ),
                Step(
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
            labels=_LABELS,
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
    return f"{device.ANNOUNCED_THROTTLING.name}{{{_CHIP}}}"


def _note(notification: str) -> str:
    return f'hailo_notifications_total{{{_EXPORTER}, notification="{notification}"}}'


def _notification_test(notification: str, says: str) -> RuleTest:
    return RuleTest(
        series={_note(notification): counter((0, 60), (1 / 15, 15), (0, 900))},
        firing_at=90,
        resolved_at=480,
        labels={"job": "hailo-exporter", "instance": "exporter:9048", "notification": notification},
        expected_description=says,
    )


def _stream_abort() -> Alert:
    where = {"notification": "dataflow_shutdown"}
    rise = _Q.increase(device.NOTIFICATIONS_RECEIVED, by=("job", "instance", "notification"), where=where)
    return Alert(
        name="HailoThermalStreamAbort",
        provoked_by="chip-stream-abort",
        expression=f"{rise} > 0",
        severity=Severity.CRITICAL,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="The chip closed its streams because of heat",
        description="The device sent dataflow_shutdown within the last 5 minutes.",
        runbook=Runbook(
            meaning="The chip went past its red limit and stopped all inference to protect itself.",
            impact="No inference on the chip until it has cooled down and is opened again.",
            diagnosis=(
                Step(
                    "Is the chip still hot?",
                    {
                        "above its red limit": "switch the machine off, and cool it.",
                        "below": "continue.",
                    },
                    command="curl -s localhost:9048/metrics | grep -E 'hailo_hardware_temperature(_limit)?_celsius'",
                ),
                Step(
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
        rule_test=_notification_test(
            "dataflow_shutdown", "The device sent dataflow_shutdown within the last 5 minutes."
        ),
        negative_cases=(
            RuleCase(
                why="only an alarm",
                series={
                    _note("dataflow_shutdown"): counter((0, 600)),
                    _note("temperature_alarm"): counter((0.1, 600)),
                },
                at=500,
            ),
        ),
    )


def _overcurrent() -> Alert:
    zone = f"hailo_hardware_overcurrent_zone{{{_CHIP}}}"
    return Alert(
        name="HailoOvercurrent",
        provoked_by="chip-overcurrent",
        expression=f"{_Q.gauge(device.OVERCURRENT_ZONE, by=_BY_CHIP)} == 1",
        for_="1m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="The chip {{ $labels.chip_id }} draws too much current",
        description="The device reports that it is in its red overcurrent zone.",
        runbook=Runbook(
            meaning="The chip draws more current than its module allows.",
            impact="It lowers its clock; a weak supply may power the whole machine off.",
            diagnosis=(
                Step(
                    "Does the Pi report a weak supply as well?",
                    {
                        "`throttled=0x0`": "the supply is fine: continue with the dashboard.",
                        "anything else": (
                            "a weak supply: a Pi 5 with a HAT needs 5 V at 5 A. Use such a supply, with a short cable."
                        ),
                    },
                    command="vcgencmd get_throttled",
                ),
                Step(
                    "Dashboard 'Hailo hardware', panels 'Overcurrent zone' and 'Use by network': when does it happen?",
                    {
                        "at the peak of the load": "unplug other USB devices that draw power; reduce the load.",
                        "also when idle": "the module is damaged: replace it.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={zone: gauge((1, 300), (0, 300))},
            pending_at=45,
            firing_at=90,
            resolved_at=330,
            labels=_LABELS,
            expected_description="The device reports that it is in its red overcurrent zone.",
        ),
        negative_cases=(RuleCase(why="green", series={zone: gauge((0, 300))}, at=250),),
    )


def _memory_damaged() -> Alert:
    where = {"notification": one_of("ecc_uncorrectable", "cpu_ecc_fatal")}
    rise = _Q.increase(device.NOTIFICATIONS_RECEIVED, by=("job", "instance", "notification"), where=where)
    return Alert(
        name="HailoMemoryDamaged",
        provoked_by="chip-damaged",
        expression=f"{rise} > 0",
        severity=Severity.CRITICAL,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="The chip found an error in its memory that it cannot correct",
        description="The device sent {{ $labels.notification }} within the last 5 minutes.",
        runbook=Runbook(
            meaning="More bits of the chip's memory flipped than its error correction can repair.",
            impact="Results since then may be wrong without any other symptom.",
            diagnosis=(
                Step(
                    "Load the model again.",
                    {
                        "200": "results can be trusted again; continue.",
                        "503": "see HailoSidecarNotReady.",
                    },
                    command="sudo systemctl restart edgeinfer-sidecar; sleep 15; curl -si localhost:9000/healthz",
                ),
                Step(
                    "Does the chip compute the same as the CPU?",
                    {
                        "it ends with 0": "it does.",
                        "it ends with 1": "remove the sidecar from MODEL_BACKEND_URL; replace the module.",
                    },
                    command="edgeinfer parity --reference onnx --candidate hailort",
                ),
                Step(
                    "Once, or repeatedly? `memories` names the memory.",
                    {
                        "once, or each time another memory": "a random bit flip; nothing more to do.",
                        "repeatedly the same one": "replace the module.",
                    },
                    command="journalctl -u edgeinfer-exporter --since -7d | grep 'error in its memory'",
                ),
            ),
        ),
        rule_test=_notification_test(
            "ecc_uncorrectable", "The device sent ecc_uncorrectable within the last 5 minutes."
        ),
        negative_cases=(
            RuleCase(
                why="corrected by itself",
                series={
                    _note("ecc_uncorrectable"): counter((0, 600)),
                    _note("ecc_correctable"): counter((0.1, 600)),
                },
                at=500,
            ),
        ),
    )


def _saturated() -> Alert:
    busy = f"avg by ({', '.join(_BY_CHIP)}) (avg_over_time({device.UTILIZATION_RATIO.name}[10m]))"
    waiting = f"max(avg_over_time({sidecar.QUEUE_DEPTH.name}[10m]))"
    use = f"hailo_hardware_utilization_ratio{{{_CHIP}}}"
    depth = 'hailo_sidecar_queue_depth{job="hailo-inference", instance="sidecar:9000"}'
    return Alert(
        name="HailoUtilizationSaturated",
        provoked_by="chip-saturated",
        expression=f"{busy} > {UTILIZATION_SATURATED_RATIO}\nand on () ({waiting} > 0)",
        for_="10m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="The chip {{ $labels.chip_id }} is saturated",
        description="Busy {{ $value | humanizePercentage }} of the time, and windows wait for it.",
        runbook=Runbook(
            meaning="The chip nearly always has a frame in flight, and the sidecar's queue does not drain.",
            impact="Latency grows with each additional client.",
            diagnosis=(
                Step(
                    "Dashboard 'Hailo hardware', panel 'Use by network': which model uses the chip?",
                    {
                        "another model": "move it to another chip.",
                        "only the model of EdgeInfer": "continue.",
                    },
                ),
                Step(
                    "Did the traffic grow?",
                    {
                        "more requests than usual": (
                            "add a chip and a sidecar to MODEL_BACKEND_URL, or reduce the load."
                        ),
                        "as many as usual": "the chip became slower: see HailoThrottling.",
                    },
                    command="edgeinfer top --once",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={use: gauge((0.95, 1800), (0.3, 900)), depth: gauge((1, 2700))},
            pending_at=585,
            firing_at=660,
            resolved_at=2100,
            labels=_LABELS,
            expected_description="Busy 95% of the time, and windows wait for it.",
        ),
        negative_cases=(
            RuleCase(
                why="busy, and nothing waits", series={use: gauge((0.99, 1800)), depth: gauge((0, 1800))}, at=1500
            ),
            RuleCase(why="some idle time", series={use: gauge((0.88, 1800)), depth: gauge((1, 1800))}, at=1500),
            RuleCase(
                why="nothing waits any longer",
                series={use: gauge((0.95, 2400)), depth: gauge((1, 600), (0, 1800))},
                at=2100,
            ),
        ),
        positive_cases=(
            RuleCase(
                why="idle half an hour ago",
                series={use: gauge((0.5, 2400), (0.95, 1500)), depth: gauge((1, 3900))},
                at=3850,
            ),
        ),
    )


def _refused() -> Alert:
    status = f'hailo_hailort_status{{{_EXPORTER}, device_id="0000:01:00.0"}}'
    return Alert(
        name="HailoRtUnavailable",
        provoked_by="hailort-refuses",
        expression=f"{_Q.gauge(device.HAILORT_STATUS, how='min', by=('job', 'instance', 'device_id'))} == 0",
        for_="1m",
        severity=Severity.CRITICAL,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="HailoRT fails for the device {{ $labels.device_id }}",
        description="HailoRT has not answered for {{ $labels.device_id }} for a minute.",
        runbook=Runbook(
            meaning="HailoRT finds the device but returns errors for it.",
            impact="Inference fails or is about to; telemetry has stopped.",
            diagnosis=(
                Step(
                    "Do driver, library and firmware have the same version?",
                    {
                        "they differ": "`sudo apt full-upgrade`, then reboot.",
                        "they agree": "continue.",
                    },
                    command="edgeinfer doctor --only hailo",
                ),
                Step(
                    "What does the driver log?",
                    {
                        "errors at each call": "reload it in the next step.",
                        "nothing": "the device hangs: power-cycle the machine.",
                    },
                    command="sudo dmesg | grep -i hailo | tail -20",
                ),
                Step(
                    "Dashboard 'Hailo hardware', panel 'Why the firmware started': did it hang before?",
                    {
                        "a watchdog": "it hung and was restarted: see HailoFirmwareRestarted.",
                        "power-up, or nothing": "continue.",
                    },
                ),
                Step(
                    "Reload the driver (hailo1x_pci for a Hailo-10H); no process may hold the chip meanwhile.",
                    {
                        "HailoRT answers": "done.",
                        "it still fails": "power-cycle the machine; a reboot keeps the module powered.",
                    },
                    command="sudo systemctl stop edgeinfer-sidecar edgeinfer-exporter; sudo modprobe -r hailo_pci; "
                    "sudo modprobe hailo_pci; sudo systemctl start edgeinfer-sidecar edgeinfer-exporter",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={status: gauge((1, 60), (0, 180), (1, 120))},
            pending_at=105,
            firing_at=150,
            resolved_at=255,
            labels={"job": "hailo-exporter", "instance": "exporter:9048", "device_id": "0000:01:00.0"},
            expected_description="HailoRT has not answered for 0000:01:00.0 for a minute.",
        ),
        negative_cases=(RuleCase(why="it answers", series={status: gauge((1, 300))}, at=250),),
    )


def _vanished() -> Alert:
    now = _Q.gauge(device.DEVICES_FOUND, by=("job", "instance"))
    before = f"max by (job, instance) (max_over_time({device.DEVICES_FOUND.name}[1d]))"
    found = f"hailo_devices_found{{{_EXPORTER}}}"
    return Alert(
        name="HailoDeviceVanished",
        provoked_by="chip-vanished",
        expression=f"{now} < {before}",
        for_="1m",
        severity=Severity.CRITICAL,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="A chip of {{ $labels.instance }} has disappeared",
        description="{{ $value }} devices are found, fewer than within the last day.",
        runbook=Runbook(
            meaning="A device that was on the bus within the last day is no longer found.",
            impact="Its share of the inference moves to other chips or on the gateway's CPU.",
            diagnosis=(
                Step(
                    "Is it on the bus?",
                    {
                        "it is listed": "the driver lost it: see HailoRtUnavailable.",
                        "it is not": (
                            "power-cycle the machine; if it is still missing: reseat the module and its flat cable."
                        ),
                        "it was taken out on purpose": "silence the alert; it resolves by itself after a day.",
                    },
                    command="lspci -d 1e60:",
                ),
                Step(
                    "How did it disappear?",
                    {
                        "`link down`": "the cable or the connector.",
                        "after heat": "see HailoTemperatureCritical.",
                    },
                    command="sudo dmesg | grep -iE 'hailo|pcie' | tail -20",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={found: gauge((1, 120), (0, 180), (1, 120))},
            pending_at=150,
            firing_at=210,
            resolved_at=315,
            labels={"job": "hailo-exporter", "instance": "exporter:9048"},
            expected_description="0 devices are found, fewer than within the last day.",
            interval_seconds=60,
        ),
        negative_cases=(
            RuleCase(why="as many as ever", series={found: gauge((1, 300))}, at=250),
            RuleCase(why="one more", series={found: gauge((1, 120), (2, 180))}, at=250),
            RuleCase(
                why="gone for more than a day", series={found: gauge((2, 3600), (1, 25 * 3600))}, at=26 * 3600 - 300
            ),
        ),
    )


def _link_series(metric: Metric, end: str = "") -> str:
    return f"{metric.name}{{{_CHIP}" + (f', end="{end}"}}' if end else "}")


def _link(*, now: tuple[float, float], device_can: tuple[float, float], slot_can: tuple[float, float] | None) -> Series:
    """Ten minutes of a link; each pair is (generation, lanes)."""
    values = {_link_series(device.PCIE_GENERATION): now[0], _link_series(device.PCIE_LANES): now[1]}
    for end, can in (("device", device_can), ("slot", slot_can)):
        if can:
            values[_link_series(device.PCIE_MAX_GENERATION, end)] = can[0]
            values[_link_series(device.PCIE_MAX_LANES, end)] = can[1]
    return {series: gauge((value, 600)) for series, value in values.items()}


def _link_degraded() -> Alert:
    generation, lanes = (_Q.gauge(metric, by=_BY_CHIP) for metric in (device.PCIE_GENERATION, device.PCIE_LANES))
    both_can, both_have = (
        _Q.gauge(metric, how="min", by=_BY_CHIP) for metric in (device.PCIE_MAX_GENERATION, device.PCIE_MAX_LANES)
    )
    now = _link_series(device.PCIE_GENERATION)
    return Alert(
        name="HailoPcieLinkDegraded",
        provoked_by="chip-link-slow",
        expression=f"{generation} < {both_can}\nor {lanes} < {both_have}",
        for_="5m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="The PCIe link of {{ $labels.chip_id }} runs below the capability of chip and slot",
        description="Its generation or its number of lanes is {{ $value }}, less than both ends support.",
        runbook=Runbook(
            meaning="The link trained to a lower speed or to fewer lanes than both the chip and the slot support.",
            impact="Transfers to the chip take longer; a link that trains down often precedes the loss of the chip.",
            diagnosis=(
                Step(
                    "Dashboard 'Hailo hardware', panels 'PCIe generation' and 'PCIe lanes': which one fell, and when?",
                    {
                        "at a restart of the machine": "it was trained that way: continue with the cable.",
                        "while it ran": "the connection degraded: continue, and soon.",
                    },
                ),
                Step(
                    "What does the kernel log about the link?",
                    {
                        "`AER` and `Corrected error`": "a bad contact: continue with the cable.",
                        "`link up` at 2.5 or 5.0 GT/s": "it was trained to that; continue with the cable.",
                        "nothing": "check both ends: `sudo lspci -vv -d 1e60: | grep Lnk` shows `downgraded`.",
                    },
                    command="sudo dmesg | grep -iE 'pcie|aer' | tail -20",
                ),
                Step(
                    "Switch the machine off, reseat the module and its flat cable, and switch it on.",
                    {
                        "the alert resolves": "it was the contact.",
                        "it keeps firing": "use another cable, as short as possible; then another module.",
                        "it keeps firing, but the link is stable at a lower generation": (
                            "set dtparam=pciex1_gen=2 permanently."
                        ),
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={
                now: gauge((1, 600), (3, 300)),
                _link_series(device.PCIE_MAX_GENERATION, "device"): gauge((3, 900)),
                _link_series(device.PCIE_MAX_GENERATION, "slot"): gauge((3, 900)),
            },
            pending_at=285,
            firing_at=330,
            resolved_at=630,
            labels=_LABELS,
            expected_description="Its generation or its number of lanes is 1, less than both ends support.",
        ),
        negative_cases=(
            RuleCase(
                why="a slot of fewer lanes and a lower generation is not a fault of the link",
                series=_link(now=(2, 1), device_can=(3, 4), slot_can=(2, 1)),
                at=550,
            ),
            RuleCase(
                why="nor is a chip of fewer lanes and a lower generation",
                series=_link(now=(2, 1), device_can=(2, 1), slot_can=(4, 4)),
                at=550,
            ),
        ),
        positive_cases=(
            RuleCase(why="a lane is lost", series=_link(now=(3, 1), device_can=(3, 2), slot_can=(3, 4)), at=550),
            RuleCase(
                why="nothing is known of the slot", series=_link(now=(2, 1), device_can=(3, 1), slot_can=None), at=550
            ),
        ),
    )


def _firmware_restarted() -> Alert:
    reason = _Q.gauge(device.RESTART_REASON, by=(*_BY_CHIP, "processor"))
    core, application = (
        f'{device.RESTART_REASON.name}{{{_CHIP}, processor="{processor}"}}' for processor in ("core", "application")
    )
    return Alert(
        name="HailoFirmwareRestarted",
        provoked_by="chip-watchdog",
        expression=f"{reason} == 1\nor {reason} == 2",
        severity=Severity.TICKET,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="A watchdog restarted the firmware of {{ $labels.chip_id }}",
        description="The {{ $labels.processor }} processor of the chip was last started by its "
        "{{ if eq $value 1.0 }}hardware{{ else }}software{{ end }} watchdog.",
        runbook=Runbook(
            meaning="The firmware on the chip hung, and its watchdog started it again.",
            impact="None now; while it happened, every inference failed.",
            diagnosis=(
                Step(
                    "When was it? Dashboard 'Hailo hardware', panel 'Why the firmware started'.",
                    {
                        "it has been so since the exporter started": (
                            "it happened earlier: the chip reports it until it is powered off."
                        ),
                        "it changed while the exporter ran": "continue with what happened then.",
                    },
                ),
                Step(
                    "What happened before?",
                    {
                        "a rise to the red limit": "see HailoTemperatureCritical.",
                        "undervoltage": "see PiUndervoltage.",
                        "nothing": "continue.",
                    },
                    command="sudo dmesg | grep -iE 'hailo|voltage|thermal' | tail -20",
                ),
                Step(
                    "Power-cycle the machine, which clears it; a reboot keeps the module powered.",
                    {
                        "it comes back within days": "update driver, library and firmware to one version; then replace "
                        "the module.",
                        "it does not": "done.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={core: gauge((1, 300), (0, 300))},
            firing_at=60,
            resolved_at=330,
            labels=_LABELS | {"processor": "core"},
            expected_description="The core processor of the chip was last started by its hardware watchdog.",
        ),
        negative_cases=(
            RuleCase(
                why="power-up, and a reset requested by software",
                series={core: gauge((0, 300)), application: gauge((3, 300))},
                at=250,
            ),
        ),
        positive_cases=(RuleCase(why="the software watchdog", series={application: gauge((2, 300))}, at=250),),
    )


def _sensor_stale() -> Alert:
    last = _Q.gauge(device.SENSOR_LAST_SUCCESS, by=(*_BY_CHIP, "sensor"))
    read = f'hailo_sensor_last_success_timestamp_seconds{{{_CHIP}, sensor="temperature"}}'
    return Alert(
        name="HailoSensorStale",
        provoked_by="chip-sensor-silent",
        expression=f"time() - {last} > {SENSOR_STALE_SECONDS}",
        for_="2m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="The sensor {{ $labels.sensor }} of {{ $labels.chip_id }} is no longer read",
        description="Last read {{ $value | humanizeDuration }} ago.",
        runbook=Runbook(
            meaning="The exporter runs but can no longer read this sensor; its series has ended.",
            impact="Alerts on this sensor cannot fire.",
            diagnosis=(
                Step(
                    "Dashboard 'Hailo hardware', panel 'Readings that failed': for which reason?",
                    {
                        "permission": (
                            "the exporter's user is not in the device's group: add it, and restart the exporter."
                        ),
                        "timeout": (
                            "HailoRT hangs: restart the exporter; if that does not help, power-cycle the machine."
                        ),
                        "stale": (
                            "the process that owns the chip does not run with HAILO_MONITOR=1: restart the sidecar."
                        ),
                        "unsupported": "this chip has no such sensor; silence the alert, and file a bug.",
                    },
                ),
                Step(
                    "What does the exporter log?",
                    {
                        "`a reading failed`": "follow the message; it is logged once in ten minutes.",
                        "nothing": "it hangs: `sudo systemctl restart edgeinfer-exporter`.",
                    },
                    command="journalctl -u edgeinfer-exporter --since -15min",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={read: gauge((0, 300), (295, 400))},
            pending_at=165,
            firing_at=210,
            resolved_at=330,
            labels=_LABELS | {"sensor": "temperature"},
            expected_description="Last read 3m 30s ago.",
        ),
        negative_cases=(
            RuleCase(why="late, not stale", series={read: gauge((0, 50), (45, 60), (100, 60), (150, 65))}, at=200),
            RuleCase(why="always exactly a minute old", series={read: _always_old(60)}, at=550),
        ),
        positive_cases=(RuleCase(why="always seventy seconds old", series={read: _always_old(70)}, at=550),),
    )


def _always_old(seconds: int) -> Values:
    """A time of last success that is always so long ago."""
    return gauge(*((float(at - seconds), 15) for at in range(0, 600, 15)))


def _collector_failing() -> Alert:
    success = 'hailo_collector_success{job="hailo-inference", instance="sidecar:9000", collector="system"}'
    return Alert(
        name="HailoCollectorFailing",
        provoked_by="chip-unread",
        expression=f"{_Q.gauge(system.COLLECTOR_SUCCESS, how='min', by=('job', 'instance', 'collector'))} == 0",
        for_="15m",
        severity=Severity.TICKET,
        service="hailo-exporter",
        signal="monitoring",
        dashboard_uid=_BOARD,
        summary="The collector {{ $labels.collector }} of {{ $labels.instance }} fails",
        description="Each run of {{ $labels.collector }} has failed for 15 minutes.",
        runbook=Runbook(
            meaning="The source of this collector cannot be read on this machine.",
            impact="Its panels are empty.",
            diagnosis=(
                Step(
                    "Dashboard 'Hailo hardware', panel 'Collectors that failed': for which reason?",
                    {
                        "permission": "give the process's user the right to read it.",
                        "malformed or failed": "keep the log and file a bug.",
                        "stale or timeout": "the source hangs: restart what writes it.",
                    },
                ),
                Step(
                    "What does the process log?",
                    {
                        "`a source may not be read`": "the line names the file.",
                        "`unexpected error in a collector`": "keep the traceback and file a bug.",
                    },
                    command="journalctl -u 'edgeinfer-*' --since -30min | grep -i -A5 'collector'",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={success: gauge((0, 1200), (1, 600))},
            pending_at=885,
            firing_at=930,
            resolved_at=1230,
            labels={"job": "hailo-inference", "instance": "sidecar:9000", "collector": "system"},
            expected_description="Each run of system has failed for 15 minutes.",
        ),
        negative_cases=(RuleCase(why="it reads", series={success: gauge((1, 1200))}, at=1100),),
    )


def _condition(name: str) -> str:
    return f'raspberry_pi_condition{{{_EXPORTER}, condition="{name}"}}'


def _raspberry_pi_undervoltage() -> Alert:
    weak, hot = _condition("undervoltage"), _condition("throttled")
    return Alert(
        name="PiUndervoltage",
        provoked_by="board-undervoltage",
        expression=f"{_Q.gauge(device.RASPBERRY_PI_CONDITION, by=_PI_BY, where={'condition': 'undervoltage'})} == 1",
        for_="30s",
        keep_firing_for="5m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="Undervoltage on the Raspberry Pi of {{ $labels.instance }}",
        description="The firmware reports that the supply voltage is too low.",
        runbook=Runbook(
            meaning="The power supply delivers less voltage than the firmware of the Raspberry Pi requires.",
            impact="The processor slows down, and the machine may switch off or corrupt its card without warning.",
            diagnosis=(
                Step(
                    "Does it last?",
                    {
                        "the last digit is odd": "it is active now.",
                        "`0x50000` and the like": "it is over, but it happened since the machine started.",
                    },
                    command="vcgencmd get_throttled",
                ),
                Step(
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
        expression=f"{_Q.gauge(device.RASPBERRY_PI_CONDITION, by=_PI_BY, where=slowed)} == 1",
        for_="2m",
        keep_firing_for="5m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=_BOARD,
        summary="The processor of the Raspberry Pi of {{ $labels.instance }} is throttled",
        description="The firmware reports: {{ $labels.condition }}.",
        runbook=Runbook(
            meaning="The firmware throttles the processor because of heat or a weak supply.",
            impact="Decoding, queueing and the fallback get slower; the chip itself is not throttled.",
            diagnosis=(
                Step(
                    "How hot is the processor?",
                    {
                        "80000 or more (thousandths of a degree)": "cool it: a fan, or more airflow for the case.",
                        "less": "the supply is weak: see PiUndervoltage.",
                    },
                    command="cat /sys/class/thermal/thermal_zone0/temp; vcgencmd get_throttled",
                ),
                Step(
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
