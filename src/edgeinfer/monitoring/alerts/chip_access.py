"""Alerts on a chip that cannot be reached or read: refused, vanished, on a slow link, with readings that stopped."""

from edgeinfer.catalog import device, system
from edgeinfer.catalog.metric import Metric
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.chip_series import BY_CHIP, CHIP, CHIP_LABELS, EXPORTER, HARDWARE_DASHBOARD, QUERIES
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, Values, gauge
from edgeinfer.monitoring.thresholds import (
    SENSOR_STALE_SECONDS,
)

Series = dict[str, Values]


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _refused(),
        _vanished(),
        _link_degraded(),
        _sensor_stale(),
        _collector_failing(),
    ]


def _refused() -> Alert:
    status = f'hailo_hailort_status{{{EXPORTER}, device_id="0000:01:00.0"}}'
    return Alert(
        name="HailoRtUnavailable",
        provoked_by="hailort-refuses",
        expression=f"{QUERIES.gauge(device.HAILORT_STATUS, how='min', by=('job', 'instance', 'device_id'))} == 0",
        for_="1m",
        severity=Severity.CRITICAL,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="HailoRT fails for the device {{ $labels.device_id }}",
        description="HailoRT has not answered for {{ $labels.device_id }} for a minute.",
        runbook=Runbook(
            meaning="HailoRT finds the device but returns errors for it.",
            impact="Inference fails or is about to; telemetry has stopped.",
            diagnosis=(
                RunbookStep(
                    "Do driver, library and firmware have the same version?",
                    {
                        "they differ": "`sudo apt full-upgrade`, then reboot.",
                        "they agree": "continue.",
                    },
                    command="edgeinfer doctor --only hailo",
                ),
                RunbookStep(
                    "What does the driver log?",
                    {
                        "errors at each call": "reload it in the next step.",
                        "nothing": "the device hangs: power-cycle the machine.",
                    },
                    command="sudo dmesg | grep -i hailo | tail -20",
                ),
                RunbookStep(
                    "Dashboard 'Hailo hardware', panel 'Why the firmware started': did it hang before?",
                    {
                        "a watchdog": "it hung and was restarted: see HailoFirmwareRestarted.",
                        "power-up, or nothing": "continue.",
                    },
                ),
                RunbookStep(
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
    now = QUERIES.gauge(device.DEVICES_FOUND, by=("job", "instance"))
    before = f"max by (job, instance) (max_over_time({device.DEVICES_FOUND.name}[1d]))"
    found = f"hailo_devices_found{{{EXPORTER}}}"
    return Alert(
        name="HailoDeviceVanished",
        provoked_by="chip-vanished",
        expression=f"{now} < {before}",
        for_="1m",
        severity=Severity.CRITICAL,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="A chip of {{ $labels.instance }} has disappeared",
        description="{{ $value }} devices are found, fewer than within the last day.",
        runbook=Runbook(
            meaning="A device that was on the bus within the last day is no longer found.",
            impact="Its share of the inference moves to other chips or on the gateway's CPU.",
            diagnosis=(
                RunbookStep(
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
                RunbookStep(
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
    return f"{metric.name}{{{CHIP}" + (f', end="{end}"}}' if end else "}")


def _link(*, now: tuple[float, float], device_can: tuple[float, float], slot_can: tuple[float, float] | None) -> Series:
    """Ten minutes of a link; each pair is (generation, lanes)."""
    values = {_link_series(device.PCIE_GENERATION): now[0], _link_series(device.PCIE_LANES): now[1]}
    for end, can in (("device", device_can), ("slot", slot_can)):
        if can:
            values[_link_series(device.PCIE_MAX_GENERATION, end)] = can[0]
            values[_link_series(device.PCIE_MAX_LANES, end)] = can[1]
    return {series: gauge((value, 600)) for series, value in values.items()}


def _link_degraded() -> Alert:
    generation, lanes = (QUERIES.gauge(metric, by=BY_CHIP) for metric in (device.PCIE_GENERATION, device.PCIE_LANES))
    both_can, both_have = (
        QUERIES.gauge(metric, how="min", by=BY_CHIP) for metric in (device.PCIE_MAX_GENERATION, device.PCIE_MAX_LANES)
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
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="The PCIe link of {{ $labels.chip_id }} runs below the capability of chip and slot",
        description="Its generation or its number of lanes is {{ $value }}, less than both ends support.",
        runbook=Runbook(
            meaning="The link trained to a lower speed or to fewer lanes than both the chip and the slot support.",
            impact="Transfers to the chip take longer; a link that trains down often precedes the loss of the chip.",
            diagnosis=(
                RunbookStep(
                    "Dashboard 'Hailo hardware', panels 'PCIe generation' and 'PCIe lanes': which one fell, and when?",
                    {
                        "at a restart of the machine": "it was trained that way: continue with the cable.",
                        "while it ran": "the connection degraded: continue, and soon.",
                    },
                ),
                RunbookStep(
                    "What does the kernel log about the link?",
                    {
                        "`AER` and `Corrected error`": "a bad contact: continue with the cable.",
                        "`link up` at 2.5 or 5.0 GT/s": "it was trained to that; continue with the cable.",
                        "nothing": "check both ends: `sudo lspci -vv -d 1e60: | grep Lnk` shows `downgraded`.",
                    },
                    command="sudo dmesg | grep -iE 'pcie|aer' | tail -20",
                ),
                RunbookStep(
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
            labels=CHIP_LABELS,
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


def _sensor_stale() -> Alert:
    last = QUERIES.gauge(device.SENSOR_LAST_SUCCESS, by=(*BY_CHIP, "sensor"))
    read = f'hailo_sensor_last_success_timestamp_seconds{{{CHIP}, sensor="temperature"}}'
    return Alert(
        name="HailoSensorStale",
        provoked_by="chip-sensor-silent",
        expression=f"time() - {last} > {SENSOR_STALE_SECONDS}",
        for_="2m",
        severity=Severity.WARNING,
        service="hailo-exporter",
        signal="hardware",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="The sensor {{ $labels.sensor }} of {{ $labels.chip_id }} is no longer read",
        description="Last read {{ $value | humanizeDuration }} ago.",
        runbook=Runbook(
            meaning="The exporter runs but can no longer read this sensor; its series has ended.",
            impact="Alerts on this sensor cannot fire.",
            diagnosis=(
                RunbookStep(
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
                RunbookStep(
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
            labels=CHIP_LABELS | {"sensor": "temperature"},
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
        expression=f"{QUERIES.gauge(system.COLLECTOR_SUCCESS, how='min', by=('job', 'instance', 'collector'))} == 0",
        for_="15m",
        severity=Severity.TICKET,
        service="hailo-exporter",
        signal="monitoring",
        dashboard_uid=HARDWARE_DASHBOARD,
        summary="The collector {{ $labels.collector }} of {{ $labels.instance }} fails",
        description="Each run of {{ $labels.collector }} has failed for 15 minutes.",
        runbook=Runbook(
            meaning="The source of this collector cannot be read on this machine.",
            impact="Its panels are empty.",
            diagnosis=(
                RunbookStep(
                    "Dashboard 'Hailo hardware', panel 'Collectors that failed': for which reason?",
                    {
                        "permission": "give the process's user the right to read it.",
                        "malformed or failed": "keep the log and file a bug.",
                        "stale or timeout": "the source hangs: restart what writes it.",
                    },
                ),
                RunbookStep(
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
