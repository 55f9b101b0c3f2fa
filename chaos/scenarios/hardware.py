"""Failures of the chip, shown by a fake one."""

from dataclasses import replace

from chaos.actions.action import Process
from chaos.actions.hardware import Device, Flap, RaspberryPiCondition, TrainLink
from chaos.actions.processes import Kill, TakePort
from chaos.actions.traffic import ClientFlood
from chaos.scenario import Counted, Scenario, error, hardware_error
from edgeinfer.catalog import sidecar as sidecar_metrics

# The exporter reads the board's firmware every ten seconds, the kernel every thirty, and why the chip's firmware
# started every sixth turn.
_FIRMWARE_SECONDS = 10.0
_KERNEL_SECONDS = 30.0
_RESTART_REASON_SECONDS = 6.0


def _chip(name: str, does: str, state: str, alert: str, *counted: Counted, minutes: float = 4.0) -> Scenario:
    return Scenario(
        name=name,
        does=does,
        actions=(Device(state),),
        counted=counted,
        alert=alert,
        alert_minutes=minutes,
        recovery_seconds=60.0,
        needs_chip=True,
    )


HARDWARE = (
    _chip("chip-hot", "The chip is 7 degrees below its orange limit.", "hot", "HailoTemperatureHigh", minutes=8),
    _chip("chip-critical", "The chip is over its orange limit.", "critical", "HailoTemperatureCritical"),
    _chip("chip-throttled", "The chip halves its clock against the heat.", "throttled", "HailoThrottling"),
    _chip(
        "chip-stream-abort",
        "The chip reaches its red limit and closes its streams.",
        "stream-abort",
        "HailoThermalStreamAbort",
        error("http_5xx"),
    ),
    _chip("chip-overcurrent", "The board draws too much current.", "overcurrent", "HailoOvercurrent"),
    _chip("chip-damaged", "The chip reports an uncorrectable memory error.", "damaged", "HailoMemoryDamaged"),
    replace(
        _chip(
            "chip-watchdog",
            "The chip's firmware hung, and its watchdog started it again.",
            "watchdog",
            "HailoFirmwareRestarted",
        ),
        fixed_seconds=_RESTART_REASON_SECONDS,
    ),
    replace(
        _chip("chip-link-slow", "The chip's PCIe link trains down to 2.5 GT/s.", "", "HailoPcieLinkDegraded"),
        actions=(TrainLink(1),),
        alert_minutes=8,
        fixed_seconds=_KERNEL_SECONDS,
        is_slow=True,
    ),
    _chip(
        "chip-vanished",
        "The chip is gone from the bus.",
        "vanished",
        "HailoDeviceVanished",
        error("http_5xx"),
    ),
    _chip(
        "chip-unavailable",
        "The chip is gone from the bus, as the sidecar sees it.",
        "vanished",
        "HailoDeviceUnavailable",
        hardware_error("device_not_found"),
    ),
    _chip(
        "chip-stuck",
        "Frames go in and never come out.",
        "stuck",
        "HailoHardwareErrors",
        hardware_error("timeout"),
        error("http_5xx"),
        minutes=8,
    ),
    _chip(
        "chip-out-of-memory",
        "The chip's firmware has no memory for another frame.",
        "out-of-memory",
        "HailoHardwareErrors",
        hardware_error("memory_allocation_error"),
        error("http_5xx"),
        minutes=8,
    ),
    Scenario(
        name="chip-missing-at-start",
        does="The sidecar is killed, and finds no chip when it is back.",
        actions=(Device("vanished"), Kill(Process.SIDECAR, stays_down=False)),
        counted=(error("http_5xx"),),
        alert="HailoSidecarNotReady",
        alert_minutes=4,
        recovery_seconds=60.0,
        needs_chip=True,
    ),
    replace(
        _chip("chip-sensor-silent", "The chip's temperature cannot be read.", "silent-sensor", "HailoSensorStale"),
        fixed_seconds=60.0,
        is_slow=True,
    ),
    _chip("hailort-refuses", "HailoRT cannot open the device to read it.", "refused", "HailoRtUnavailable"),
    replace(
        _chip(
            "chip-unread",
            "HailoRT cannot open the device, for a quarter of an hour.",
            "refused",
            "HailoCollectorFailing",
        ),
        alert_minutes=18,
        is_slow=True,
    ),
    replace(
        _chip(
            "chip-saturated",
            "The chip works without a pause, and windows wait for it.",
            "busy",
            "HailoUtilizationSaturated",
        ),
        actions=(Device("busy"), ClientFlood(callers=8)),
        alert_minutes=25,
    ),
    Scenario(
        name="chip-flapping",
        does="The chip fails and recovers, over and over.",
        actions=(Flap("out-of-memory", bad_seconds=1.0, well_seconds=1.0), ClientFlood(callers=2)),
        counted=(
            hardware_error("memory_allocation_error"),
            Counted(sidecar_metrics.BACKEND_RECOVERIES, (), Process.SIDECAR),
        ),
        alert="HailoBackendRecovering",
        alert_minutes=20,
        recovery_seconds=60.0,
        needs_chip=True,
    ),
    Scenario(
        name="exporter-killed",
        does="The exporter is killed with SIGKILL and stays away.",
        actions=(Kill(Process.EXPORTER),),
        alert="HailoExporterDown",
        alert_minutes=4,
        needs_chip=True,
    ),
    Scenario(
        name="exporter-port-taken",
        does="Another program has the exporter's port and answers Prometheus there, as node exporter would.",
        actions=(TakePort(Process.EXPORTER),),
        alert="ScrapeTargetForeign",
        alert_minutes=5,
        needs_chip=True,
    ),
    replace(
        _chip("board-undervoltage", "The Raspberry Pi's supply is too weak.", "", "PiUndervoltage"),
        actions=(RaspberryPiCondition(0x1),),
        fixed_seconds=_FIRMWARE_SECONDS,
    ),
    replace(
        _chip(
            "board-throttled", "The Raspberry Pi halves its clock because of the heat.", "", "PiThrottled", minutes=6
        ),
        actions=(RaspberryPiCondition(0x4),),
        fixed_seconds=_FIRMWARE_SECONDS,
    ),
)
