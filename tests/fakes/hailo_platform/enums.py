"""HailoRT's enumerations: they have a name, an int and equality, and print as `FormatType.UINT8`."""

from enum import Enum, IntEnum

from tests.fakes.hailo_platform.statuses import as_numbers


class _Bound(Enum):
    """Like a bound C++ enumeration: convertible to int, not an int."""

    def __int__(self) -> int:
        return int(self.value)


class FormatType(_Bound):
    AUTO = 0
    UINT8 = 1
    UINT16 = 2
    FLOAT32 = 3


class FormatOrder(_Bound):
    """The names of the binding of 4.23 and the numbers of `hailort.h`; 9 has no name there."""

    AUTO = 0
    NHWC = 1
    NHCW = 2
    FCR = 3
    F8CR = 4
    NHW = 5
    NC = 6
    BAYER_RGB = 7
    vars()["12_BIT_BAYER_RGB"] = 8  # no Python name, and yet a member
    RGB888 = 10
    NCHW = 11
    YUY2 = 12
    NV12 = 13
    NV21 = 14
    YYUV = 15
    YYVU = 16
    RGB4 = 17
    I420 = 18
    YYYYUV = 19
    HAILO_NMS_WITH_BYTE_MASK = 20
    HAILO_NMS_ON_CHIP = 21
    HAILO_NMS_BY_CLASS = 22
    HAILO_NMS_BY_SCORE = 23


class HailoSchedulingAlgorithm(_Bound):
    NONE = 0
    ROUND_ROBIN = 1


class HailoPowerMode(_Bound):
    PERFORMANCE = 0
    ULTRA_PERFORMANCE = 1


class HailoStreamInterface(_Bound):
    PCIe = 0
    INTEGRATED = 3


class HailoCpuId(_Bound):
    CPU0 = 0
    CPU1 = 1


class DvmTypes(_Bound):
    VDD_CORE = 0
    OVERCURRENT_PROTECTION = 9
    AUTO = 0x7FFFFFFF


class PowerMeasurementTypes(_Bound):
    SHUNT_VOLTAGE = 0
    BUS_VOLTAGE = 1
    POWER = 2
    CURRENT = 3
    AUTO = 0x7FFFFFFF


class SamplingPeriod(_Bound):
    PERIOD_1100us = 4


class AveragingFactor(_Bound):
    AVERAGE_256 = 5


class MeasurementBufferIndex(_Bound):
    MEASUREMENT_BUFFER_INDEX_0 = 0


class BootSource(_Bound):
    INVALID = 0
    PCIE = 1
    FLASH = 2


class TemperatureZone(_Bound):
    TEMPERATURE_ZONE_GREEN = 0
    TEMPERATURE_ZONE_ORANGE = 1
    TEMPERATURE_ZONE_RED = 2


class OvercurrentZone(_Bound):
    OVERCURRENT_ZONE_GREEN = 0
    OVERCURRENT_ZONE_RED = 1


class DeviceArchitectureTypes(IntEnum):
    HAILO8_A0 = 0
    HAILO8 = 1
    HAILO8L = 2
    HAILO15H = 3
    HAILO15L = 4
    HAILO15M = 5
    HAILO10H = 6

    def __str__(self) -> str:
        return self.name


_NOTIFICATIONS = (
    "ETHERNET_RX_ERROR",
    "HEALTH_MONITOR_TEMPERATURE_ALARM",
    "HEALTH_MONITOR_DATAFLOW_SHUTDOWN",
    "HEALTH_MONITOR_OVERCURRENT_ALARM",
    "HEALTH_MONITOR_LCU_ECC_CORRECTABLE_ERROR",
    "HEALTH_MONITOR_LCU_ECC_UNCORRECTABLE_ERROR",
    "HEALTH_MONITOR_CPU_ECC_ERROR",
    "HEALTH_MONITOR_CPU_ECC_FATAL",
    "DEBUG",
    "CONTEXT_SWITCH_BREAKPOINT_REACHED",
    "HEALTH_MONITOR_CLOCK_CHANGED_EVENT",
)
_NOTIFICATIONS_5_2 = ("THROTTLING_STATE_CHANGE_EVENT", "NN_CORE_CRC_ERROR_EVENT")


def notification_ids(version: str) -> type[Enum]:
    """The `NotificationId` of a version."""
    names = (*_NOTIFICATIONS, *(_NOTIFICATIONS_5_2 if as_numbers(version) >= (5, 2) else ()))
    built: type[Enum] = Enum("NotificationId", list(names), start=0)  # type: ignore[misc]  # its members depend on the version
    return built
