"""Metrics of Hailo chips, read by the exporter; absent while they cannot be read."""

from edgeinfer.catalog.labels import CHIP, DEVICE
from edgeinfer.catalog.metric import Label, Metric, MetricKind, Owner

EXPORTER = (Owner.EXPORTER,)

NOTIFICATIONS = (
    "temperature_alarm",
    "dataflow_shutdown",
    "overcurrent_alarm",
    "ecc_correctable",
    "ecc_uncorrectable",
    "cpu_ecc_error",
    "cpu_ecc_fatal",
    "clock_changed",
    "throttling_state_change",
    "nn_core_crc_error",
)
SENSORS = (
    "identity",
    "temperature",
    "extended_information",
    "health_information",
    "throttling_state",
    "previous_system_state",
    "power",
    "monitor",
    "driver",
)
SENSOR = Label("sensor", SENSORS)
RASPBERRY_PI_CONDITIONS = ("undervoltage", "frequency_capped", "throttled", "soft_temperature_limit")
PCIE_END = Label("end", ("device", "slot"))
LEVEL = Label("level", bounded_by="the device's throttling levels, four at most")

HAILORT_STATUS = Metric(
    name="hailo_hailort_status",
    kind=MetricKind.GAUGE,
    unit="state",
    help="1 while HailoRT answers for this device, 0 while calls fail or the device is missing; absent where HailoRT "
    "is not available.",
    owners=EXPORTER,
    labels=(DEVICE,),
    sensor=True,
)
DEVICES_FOUND = Metric(
    name="hailo_devices_found",
    kind=MetricKind.GAUGE,
    unit="count",
    help="Number of devices found by HailoRT's scan; absent where HailoRT is not installed.",
    owners=EXPORTER,
    sensor=True,
)
DEVICE_INFO = Metric(
    name="hailo_device_info",
    kind=MetricKind.INFO,
    unit="info",
    help="Identity of the device.",
    owners=EXPORTER,
    labels=tuple(
        [CHIP]
        + [
            Label(name, bounded_by="one per chip")
            for name in (
                "architecture",
                "board_name",
                "firmware_version",
                "serial_number",
                "part_number",
                "product_name",
            )
        ]
    ),
)
DRIVER_INFO = Metric(
    name="hailo_driver_info",
    kind=MetricKind.INFO,
    unit="info",
    help="Versions of the device's kernel module and of the HailoRT library; both must be equal.",
    owners=EXPORTER,
    labels=tuple(Label(name, bounded_by="one per machine") for name in ("module", "driver_version", "library_version")),
)
PCI_DEVICES = Metric(
    name="hailo_pci_devices",
    kind=MetricKind.GAUGE,
    unit="count",
    help="Hailo chips on the PCI bus, read without HailoRT; more than hailo_devices_found indicates a fault in the "
    "driver or its permissions.",
    owners=EXPORTER,
    sensor=True,
)
DEVICE_NODES = Metric(
    name="hailo_device_nodes",
    kind=MetricKind.GAUGE,
    unit="count",
    help="Device nodes of the kernel driver, by whether this process may open them.",
    owners=EXPORTER,
    labels=(Label("access", ("allowed", "denied")),),
    sensor=True,
)
PCIE_GENERATION = Metric(
    name="hailo_pcie_link_generation",
    kind=MetricKind.GAUGE,
    unit="count",
    help="Current PCIe generation of the chip's link: 1 is 2.5 GT/s per lane, 2 is 5, 3 is 8, 4 is 16.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
PCIE_LANES = Metric(
    name="hailo_pcie_link_lanes",
    kind=MetricKind.GAUGE,
    unit="count",
    help="Current number of lanes of the chip's PCIe link.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
PCIE_MAX_GENERATION = Metric(
    name="hailo_pcie_link_max_generation",
    kind=MetricKind.GAUGE,
    unit="count",
    help="Highest PCIe generation that each end of the chip's link supports.",
    owners=EXPORTER,
    labels=(CHIP, PCIE_END),
    sensor=True,
)
PCIE_MAX_LANES = Metric(
    name="hailo_pcie_link_max_lanes",
    kind=MetricKind.GAUGE,
    unit="count",
    help="Number of lanes that each end of the chip's PCIe link supports; a Raspberry Pi 5 has one.",
    owners=EXPORTER,
    labels=(CHIP, PCIE_END),
    sensor=True,
)
TEMPERATURE = Metric(
    name="hailo_hardware_temperature_celsius",
    kind=MetricKind.GAUGE,
    unit="celsius",
    help="Temperature of the hotter of the chip's two sensors.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
SENSOR_TEMPERATURE = Metric(
    name="hailo_hardware_sensor_temperature_celsius",
    kind=MetricKind.GAUGE,
    unit="celsius",
    help="Temperature of each sensor of the chip.",
    owners=EXPORTER,
    labels=(CHIP, Label("sensor", ("ts0", "ts1"))),
    sensor=True,
)
TEMPERATURE_LIMIT = Metric(
    name="hailo_hardware_temperature_limit_celsius",
    kind=MetricKind.GAUGE,
    unit="celsius",
    help="Temperature limits of the device: at orange it lowers its clock, at red it closes its streams; each is "
    "cleared below its "
    "hysteresis.",
    owners=EXPORTER,
    labels=(CHIP, Label("limit", ("orange", "orange_hysteresis", "red", "red_hysteresis"))),
    sensor=True,
)
TEMPERATURE_ZONE = Metric(
    name="hailo_hardware_temperature_zone",
    kind=MetricKind.GAUGE,
    unit="state",
    help="Temperature zone reported by the device: 0 green, 1 orange, 2 red.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
THROTTLING_LEVEL = Metric(
    name="hailo_hardware_throttling_level",
    kind=MetricKind.GAUGE,
    unit="state",
    help="Throttling level reported by the device; its value when idle depends on the device.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
LEVEL_TEMPERATURE = Metric(
    name="hailo_hardware_throttling_level_temperature_celsius",
    kind=MetricKind.GAUGE,
    unit="celsius",
    help="Temperature at which the device enters each throttling level.",
    owners=EXPORTER,
    labels=(CHIP, LEVEL),
    sensor=True,
)
LEVEL_CLOCK = Metric(
    name="hailo_hardware_throttling_level_clock_hertz",
    kind=MetricKind.GAUGE,
    unit="hertz",
    help="Clock frequency of each throttling level.",
    owners=EXPORTER,
    labels=(CHIP, LEVEL),
    sensor=True,
)
ANNOUNCED_THROTTLING = Metric(
    name="hailo_hardware_announced_throttling_state",
    kind=MetricKind.GAUGE,
    unit="state",
    help="Throttling state last announced by a Hailo-10H: 0 none, 1 light, 2 medium, 3 heavy, 4 severe, "
    "5 streams off, 6 overheated; absent before the first announcement.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
THROTTLING_PROTECTION = Metric(
    name="hailo_hardware_throttling_protection_enabled",
    kind=MetricKind.GAUGE,
    unit="state",
    help="1 while the thermal protection of the device is enabled; it does not mean that it is throttling.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
CLOCK = Metric(
    name="hailo_hardware_clock_hertz",
    kind=MetricKind.GAUGE,
    unit="hertz",
    help="Clock frequency of the neural network core as reported by the device; whether it reflects throttling is "
    "not documented.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
ANNOUNCED_CLOCK = Metric(
    name="hailo_hardware_announced_clock_hertz",
    kind=MetricKind.GAUGE,
    unit="hertz",
    help="Clock frequency announced by the device at its last change; absent before the first change.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
REQUESTED_CLOCK = Metric(
    name="hailo_hardware_requested_clock_hertz",
    kind=MetricKind.GAUGE,
    unit="hertz",
    help="Clock frequency requested by each protection of the device.",
    owners=EXPORTER,
    labels=(CHIP, Label("protection", ("temperature", "overcurrent"))),
    sensor=True,
)
OVERCURRENT_ZONE = Metric(
    name="hailo_hardware_overcurrent_zone",
    kind=MetricKind.GAUGE,
    unit="state",
    help="Overcurrent zone reported by the device: 0 green, 1 red.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
POWER = Metric(
    name="hailo_hardware_power_watts",
    kind=MetricKind.GAUGE,
    unit="watts",
    help="Power of the chip, if its module has a sensor and the setting enables it; measuring pauses overcurrent "
    "protection for a sample.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
RESTART_REASON = Metric(
    name="hailo_firmware_restart_reason",
    kind=MetricKind.GAUGE,
    unit="state",
    help="Reason for the last start of the firmware on each processor of the chip: 0 power-up or reset from outside, "
    "1 hardware "
    "watchdog, 2 software watchdog, 3 requested by software; not reported by a Hailo-10H.",
    owners=EXPORTER,
    labels=(CHIP, Label("processor", ("application", "core"))),
    sensor=True,
)
UTILIZATION_RATIO = Metric(
    name="hailo_hardware_utilization_ratio",
    kind=MetricKind.GAUGE,
    unit="ratio",
    help="Share of time in which the chip had at least one frame in flight, from HailoRT's monitor files.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
)
UTILIZATION_PERCENT = Metric(
    name="hailo_hardware_utilization_percent",
    kind=MetricKind.GAUGE,
    unit="percent",
    help="Share of time in which the chip had at least one frame in flight, in percent.",
    owners=EXPORTER,
    labels=(CHIP,),
    sensor=True,
    deprecated_by="hailo_hardware_utilization_ratio",
)
MODEL_UTILIZATION = Metric(
    name="hailo_model_utilization_ratio",
    kind=MetricKind.GAUGE,
    unit="ratio",
    help="Share of time in which each model had a frame in flight.",
    owners=EXPORTER,
    labels=(Label("model", bounded_by="the models loaded on the chips"),),
    sensor=True,
)
MODEL_FRAME_RATE = Metric(
    name="hailo_model_frames_per_second",
    kind=MetricKind.GAUGE,
    unit="frames_per_second",
    help="Frames completed per second by each model.",
    owners=EXPORTER,
    labels=(Label("model", bounded_by="the models loaded on the chips"),),
    sensor=True,
)
NOTIFICATIONS_RECEIVED = Metric(
    name="hailo_notifications_total",
    kind=MetricKind.COUNTER,
    unit="events",
    help="Notifications received from the device.",
    owners=EXPORTER,
    labels=(Label("notification", NOTIFICATIONS),),
)
SENSOR_LAST_SUCCESS = Metric(
    name="hailo_sensor_last_success_timestamp_seconds",
    kind=MetricKind.GAUGE,
    unit="timestamp",
    help="Time of the last successful reading of each sensor; it does not advance while readings fail.",
    owners=EXPORTER,
    labels=(CHIP, SENSOR),
    sensor=True,
)
SENSOR_ERRORS = Metric(
    name="hailo_sensor_read_errors_total",
    kind=MetricKind.COUNTER,
    unit="errors",
    help="Failed readings of a sensor, by reason.",
    owners=EXPORTER,
    labels=(
        SENSOR,
        Label(
            "reason",
            (
                "device_not_found",
                "unsupported",
                "version_mismatch",
                "timeout",
                "permission",
                "malformed",
                "stale",
                "implausible",
                "failed",
            ),
        ),
    ),
)
EXPORTER_BUILD_INFO = Metric(
    name="hailo_exporter_build_info",
    kind=MetricKind.INFO,
    unit="info",
    help="Version of the exporter.",
    owners=EXPORTER,
    labels=(Label("version", bounded_by="one per process"), Label("python", bounded_by="one per process")),
)
RASPBERRY_PI_CONDITION = Metric(
    name="raspberry_pi_condition",
    kind=MetricKind.GAUGE,
    unit="state",
    help="1 while the firmware of the Raspberry Pi reports this condition, else 0; absent on other machines.",
    owners=EXPORTER,
    labels=(Label("condition", RASPBERRY_PI_CONDITIONS),),
    sensor=True,
)
