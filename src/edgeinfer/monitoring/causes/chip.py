"""The Hailo chip, its driver, the Raspberry Pi and its supply."""

from edgeinfer.monitoring.causes.answers import backend_fails
from edgeinfer.monitoring.causes.cause import Action, Cause, Evidence
from edgeinfer.monitoring.causes.commands import Verb
from edgeinfer.monitoring.causes.signs import CALLS_FAIL, CALLS_LATE, EXPORTER, SIDECAR, condition, either

_ERRORS = ("HailoHardwareErrors", "HailoDeviceUnavailable", "HailoBackendRecovering", "HailoSidecarNotReady")
_HOT = ("HailoTemperatureHigh", "HailoThrottling")
_KERNEL = "sudo dmesg | grep -iE 'hailo|pcie|voltage|thermal' | tail -20"
_COOL = Action("Cool it: a fan, a heat sink with contact, air for the case; take load off until it is cool.")
_RESTART = Action("Restart the sidecar.", verb=Verb.RESTART, process="sidecar")
_POWER_CYCLE = Action("Switch the machine off and on; a reboot keeps the module powered.")


def create() -> list[Cause]:
    """The entries that diagnosis and reference are made from."""
    return [*_heat(), *_presence(), *_work(), *_raspberry_pi()]


def _hardware(error_class: str) -> Evidence:
    found = f'sum(rate(hailo_hardware_errors_total{{error_class="{error_class}"}}[1m])) > 0'
    return Evidence(f"the backend fails with {error_class}, {{value}} a second", found)


def _one(  # noqa: PLR0913 - each is a field of the entry
    name: str,
    title: str,
    alert: str,
    says: str,
    *remedy: Action,
    service: str = EXPORTER,
    also: tuple[str, ...] = (),
    leads_to: tuple[str, ...] = (),
) -> Cause:
    """A cause that one alert names by itself."""
    evidence = (Evidence(says, condition(alert)),)
    return Cause(
        name=name,
        title=title,
        service=service,
        alerts=(alert, *also),
        evidence=evidence,
        remedy=remedy,
        leads_to=leads_to,
    )


def _heat() -> list[Cause]:
    return [
        _one(
            "chip-overheated",
            "The chip reached its red limit and closed its streams",
            "HailoThermalStreamAbort",
            "the chip announced that it shut its dataflow down",
            _COOL,
            Action("Once it is cool, restart the sidecar.", verb=Verb.RESTART, process="sidecar"),
            also=("HailoTemperatureCritical", *_HOT, *_ERRORS, *CALLS_FAIL, *CALLS_LATE),
            leads_to=("chip-too-hot", "chip-throttled", "chip-hot", "backend-fails", "chip-flaps", "model-not-loaded"),
        ),
        _one(
            "chip-too-hot",
            "The chip is over its orange limit",
            "HailoTemperatureCritical",
            "it is at {value}, in degrees or as its own zone",
            _COOL,
            also=(*_HOT, *CALLS_LATE),
            leads_to=("chip-throttled", "chip-hot"),
        ),
        _one(
            "chip-throttled",
            "The chip has slowed its clock down against heat or current",
            "HailoThrottling",
            "the chip says that it throttles",
            _COOL,
            also=("HailoTemperatureHigh", *CALLS_LATE),
            leads_to=("chip-hot",),
        ),
        _one(
            "chip-hot",
            "The chip comes near its orange limit",
            "HailoTemperatureHigh",
            "it is at {value} degrees",
            _COOL,
        ),
        _one(
            "chip-overcurrent",
            "The chip draws more current than its module allows",
            "HailoOvercurrent",
            "the chip says that it is in its overcurrent zone",
            Action("Use the supply that the Raspberry Pi asks for, and a short cable."),
            Action("Take load off the chip, or lower its power mode."),
            also=("HailoThrottling",),
            leads_to=("chip-throttled",),
        ),
    ]


def _presence() -> list[Cause]:
    gone = Action("See whether the kernel still knows it.", command="lspci -d 1e60: ; " + _KERNEL)
    return [
        Cause(
            name="chip-vanished",
            title="The chip is gone from the bus",
            service=EXPORTER,
            alerts=(
                "HailoDeviceVanished",
                "HailoDeviceUnavailable",
                "HailoRtUnavailable",
                "HailoCollectorFailing",
                "HailoSensorStale",
                *_ERRORS,
                *CALLS_FAIL,
            ),
            evidence=(
                Evidence(
                    "HailoRT finds fewer devices than it did within the day, or says that there is none",
                    either(condition("HailoDeviceVanished"), _hardware("device_not_found").expression),
                ),
            ),
            confused_with=("hailort-refuses",),
            leads_to=(
                "hailort-refuses",
                "backend-fails",
                "chip-flaps",
                "sensor-silent",
                "chip-unread",
                "path-answers-errors",
            ),
            remedy=(
                gone,
                Action("Reseat module and cable with the power off."),
                _POWER_CYCLE,
            ),
        ),
        Cause(
            name="hailort-refuses",
            title="HailoRT cannot open the chip",
            service=EXPORTER,
            alerts=("HailoRtUnavailable", "HailoCollectorFailing", "HailoSensorStale", "HailoDeviceUnavailable"),
            evidence=(
                Evidence("HailoRT answers for no device, although it is there", condition("HailoRtUnavailable")),
            ),
            confused_with=("chip-vanished",),
            leads_to=("sensor-silent", "chip-unread"),
            remedy=(
                Action(
                    "See which part differs: driver, library, firmware, rights.",
                    command="edgeinfer doctor --only hailo",
                ),
                Action(
                    "Bring driver and library to one version and load the driver again.",
                    command="sudo modprobe -r hailo_pci && sudo modprobe hailo_pci",
                ),
                _POWER_CYCLE,
            ),
        ),
        _one(
            "chip-unread",
            "Sensors of the chip or of the machine cannot be read at all",
            "HailoCollectorFailing",
            "the collector {collector} reads nothing",
            Action("Read which source fails.", verb=Verb.LOG, process="exporter"),
        ),
        _one(
            "sensor-silent",
            "A sensor of the chip cannot be read any more",
            "HailoSensorStale",
            "the sensor {sensor} was read last {value} s ago",
            Action("Read why.", verb=Verb.LOG, process="exporter"),
            Action(
                "Restart the exporter; if it stays so, power-cycle the machine.", verb=Verb.RESTART, process="exporter"
            ),
        ),
        _one(
            "link-slow",
            "The chip's PCIe link runs slower than both ends can",
            "HailoPcieLinkDegraded",
            "its generation or its number of lanes is {value}",
            Action("See what the kernel says of the link.", command=_KERNEL),
            Action("Reseat the module and its flat cable with the power off; then take another cable."),
            also=CALLS_LATE,
        ),
        _one(
            "chip-memory-damaged",
            "The chip reports an error of its memory that it cannot correct",
            "HailoMemoryDamaged",
            "it announced {notification}",
            _POWER_CYCLE,
            Action("Replace the module if it comes back."),
        ),
        _one(
            "firmware-restarted",
            "The chip's firmware hung, and its watchdog started it again",
            "HailoFirmwareRestarted",
            "the processor {processor} says that a watchdog started it",
            Action("See what was before: heat, undervoltage.", command=_KERNEL),
            _POWER_CYCLE,
        ),
    ]


def _work() -> list[Cause]:
    fails = ("backend-fails", "chip-flaps", "path-answers-errors", "model-not-loaded", "path-loses-answers")
    return [
        Cause(
            name="chip-hangs",
            title="Frames go into the chip and do not come out",
            service=SIDECAR,
            alerts=(*_ERRORS, *CALLS_FAIL, *CALLS_LATE),
            evidence=(_hardware("timeout"),),
            confused_with=("chip-out-of-memory", "chip-vanished"),
            leads_to=fails,
            follows_from=("chip-overheated", "chip-vanished"),
            remedy=(_RESTART, _POWER_CYCLE),
        ),
        Cause(
            name="chip-out-of-memory",
            title="The chip's firmware has no memory for another frame",
            service=SIDECAR,
            alerts=(*_ERRORS, *CALLS_FAIL, *CALLS_LATE),
            evidence=(_hardware("memory_allocation_error"),),
            confused_with=("chip-hangs",),
            leads_to=fails,
            follows_from=("chip-vanished",),
            remedy=(
                Action("See who else uses the chip.", command="edgeinfer doctor --only hailo"),
                _RESTART,
            ),
        ),
        Cause(
            name="backend-fails",
            title="The sidecar's backend fails on windows",
            service=SIDECAR,
            alerts=(*_ERRORS, *CALLS_FAIL),
            evidence=(Evidence("windows fail in it, {value} a second", backend_fails()),),
            confused_with=("path-answers-errors",),
            remedy=(
                Action("Read which class of failure it is.", verb=Verb.LOG, process="sidecar"),
                _RESTART,
            ),
        ),
        _one(
            "chip-flaps",
            "The backend fails and recovers, over and over",
            "HailoBackendRecovering",
            "it recovered {value} times within a quarter of an hour",
            Action("See what fails each time.", verb=Verb.LOG, process="sidecar"),
            Action("Look for a weak supply or a bad contact.", command=_KERNEL),
            service=SIDECAR,
            also=CALLS_FAIL,
        ),
        _one(
            "chip-saturated",
            "The chip works without a pause, and windows wait for it",
            "HailoUtilizationSaturated",
            "it has been busy for {value} of the time",
            Action("Take callers away, or add a chip.", command="edgeinfer top --once"),
            also=("HailoQueueBacklog", "HailoSheddingLoad", *CALLS_LATE),
            leads_to=("sidecar-overloaded",),
        ),
    ]


def _raspberry_pi() -> list[Cause]:
    return [
        _one(
            "undervoltage",
            "The Raspberry Pi's supply gives too little voltage",
            "PiUndervoltage",
            "the firmware of the Raspberry Pi says so",
            Action(
                "Use the supply that the Raspberry Pi asks for and a short cable; give disks on USB one of their own."
            ),
            Action("See whether it lasts.", command="vcgencmd get_throttled"),
            also=("PiThrottled",),
            leads_to=("raspberry-pi-throttled",),
        ),
        _one(
            "raspberry-pi-throttled",
            "The Raspberry Pi slows its processor down against heat",
            "PiThrottled",
            "the firmware of the Raspberry Pi says: {condition}",
            Action("Cool it: a fan, or air for the case.", command="vcgencmd measure_temp"),
            also=CALLS_LATE,
        ),
    ]
