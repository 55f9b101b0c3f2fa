"""Alerts on what the device reports of itself: overcurrent, damaged memory, saturation, a restarted firmware."""

from edgeinfer.catalog import device, sidecar
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
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, gauge
from edgeinfer.monitoring.promql import one_of
from edgeinfer.monitoring.thresholds import (
    UTILIZATION_SATURATED_RATIO,
)


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _overcurrent(),
        _memory_damaged(),
        _saturated(),
        _firmware_restarted(),
    ]


def _overcurrent() -> Alert:
    zone = f"hailo_hardware_overcurrent_zone{{{CHIP}}}"
    return Alert(
        name="HailoOvercurrent",
        provoked_by="chip-overcurrent",
        expression=f"{QUERIES.gauge(device.OVERCURRENT_ZONE, by=BY_CHIP)} == 1",
        for_="1m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="The chip {{ $labels.chip_id }} draws too much current",
        description="The device reports that it is in its red overcurrent zone.",
        runbook=Runbook(
            meaning="The chip draws more current than its module allows.",
            impact="It lowers its clock; a weak supply may power the whole machine off.",
            diagnosis=(
                RunbookStep(
                    "Does the Pi report a weak supply as well?",
                    {
                        "`throttled=0x0`": "the supply is fine: continue with the dashboard.",
                        "anything else": (
                            "a weak supply: a Pi 5 with a HAT needs 5 V at 5 A. Use such a supply, with a short cable."
                        ),
                    },
                    command="vcgencmd get_throttled",
                ),
                RunbookStep(
                    "Dashboard 'Hailo hardware', panels 'Overcurrent zone' and 'Use by model': when does it happen?",
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
            labels=CHIP_LABELS,
            expected_description="The device reports that it is in its red overcurrent zone.",
        ),
        negative_cases=(RuleCase(why="green", series={zone: gauge((0, 300))}, at=250),),
    )


def _memory_damaged() -> Alert:
    where = {"notification": one_of("ecc_uncorrectable", "cpu_ecc_fatal")}
    rise = QUERIES.increase(device.NOTIFICATIONS_RECEIVED, by=("job", "instance", "notification"), where=where)
    return Alert(
        name="HailoMemoryDamaged",
        provoked_by="chip-damaged",
        expression=f"{rise} > 0",
        severity=Severity.CRITICAL,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="The chip found an error in its memory that it cannot correct",
        description="The device sent {{ $labels.notification }} within the last 5 minutes.",
        runbook=Runbook(
            meaning="More bits of the chip's memory flipped than its error correction can repair.",
            impact="Results since then may be wrong without any other symptom.",
            diagnosis=(
                RunbookStep(
                    "Load the model again.",
                    {
                        "200": "results can be trusted again; continue.",
                        "503": "see HailoSidecarNotReady.",
                    },
                    command="sudo systemctl restart edgeinfer-sidecar; sleep 15; curl -si localhost:9000/healthz",
                ),
                RunbookStep(
                    "Does the chip compute the same as the CPU?",
                    {
                        "it ends with 0": "it does.",
                        "it ends with 1": "remove the sidecar from MODEL_BACKEND_URL; replace the module.",
                    },
                    command="edgeinfer parity --reference onnx --candidate hailort",
                ),
                RunbookStep(
                    "Once, or repeatedly? `memories` names the memory.",
                    {
                        "once, or each time another memory": "a random bit flip; nothing more to do.",
                        "repeatedly the same one": "replace the module.",
                    },
                    command="journalctl -u edgeinfer-exporter --since -7d | grep 'error in its memory'",
                ),
            ),
        ),
        rule_test=notification_test(
            "ecc_uncorrectable", "The device sent ecc_uncorrectable within the last 5 minutes."
        ),
        negative_cases=(other_notification("corrected by itself", "ecc_uncorrectable", "ecc_correctable"),),
    )


def _saturated() -> Alert:
    busy = f"avg by ({', '.join(BY_CHIP)}) (avg_over_time({device.UTILIZATION_RATIO.name}[10m]))"
    waiting = f"max(avg_over_time({sidecar.QUEUE_DEPTH.name}[10m]))"
    use = f"hailo_hardware_utilization_ratio{{{CHIP}}}"
    depth = 'hailo_sidecar_queue_depth{job="hailo-inference", instance="sidecar:9000"}'
    return Alert(
        name="HailoUtilizationSaturated",
        provoked_by="chip-saturated",
        expression=f"{busy} > {UTILIZATION_SATURATED_RATIO}\nand on () ({waiting} > 0)",
        for_="10m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="The chip {{ $labels.chip_id }} is saturated",
        description="Busy {{ $value | humanizePercentage }} of the time, and windows wait for it.",
        runbook=Runbook(
            meaning="The chip nearly always has a frame in flight, and the sidecar's queue does not drain.",
            impact="Latency grows with each additional client.",
            diagnosis=(
                RunbookStep(
                    "Dashboard 'Hailo hardware', panel 'Use by model': which model uses the chip?",
                    {
                        "another model": "move it to another chip.",
                        "only the model of EdgeInfer": "continue.",
                    },
                ),
                RunbookStep(
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
            labels=CHIP_LABELS,
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


def _firmware_restarted() -> Alert:
    reason = QUERIES.gauge(device.RESTART_REASON, by=(*BY_CHIP, "processor"))
    core, application = (
        f'{device.RESTART_REASON.name}{{{CHIP}, processor="{processor}"}}' for processor in ("core", "application")
    )
    return Alert(
        name="HailoFirmwareRestarted",
        provoked_by="chip-watchdog",
        expression=f"{reason} == 1\nor {reason} == 2",
        severity=Severity.TICKET,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="A watchdog restarted the firmware of {{ $labels.chip_id }}",
        description="The {{ $labels.processor }} processor of the chip was last started by its "
        "{{ if eq $value 1.0 }}hardware{{ else }}software{{ end }} watchdog.",
        runbook=Runbook(
            meaning="The firmware on the chip hung, and its watchdog started it again.",
            impact="None now; while it happened, every inference failed.",
            diagnosis=(
                RunbookStep(
                    "When was it? Dashboard 'Hailo hardware', panel 'Why the firmware started'.",
                    {
                        "it has been so since the exporter started": (
                            "it happened earlier: the chip reports it until it is powered off."
                        ),
                        "it changed while the exporter ran": "continue with what happened then.",
                    },
                ),
                RunbookStep(
                    "What happened before?",
                    {
                        "a rise to the red limit": "see HailoTemperatureCritical.",
                        "undervoltage": "see PiUndervoltage.",
                        "nothing": "continue.",
                    },
                    command="sudo dmesg | grep -iE 'hailo|voltage|thermal' | tail -20",
                ),
                RunbookStep(
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
            labels=CHIP_LABELS | {"processor": "core"},
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
