"""`Device` and its `Control`: identity, sensors, notifications."""

from enum import Enum
from types import SimpleNamespace
from typing import Any, Literal, Self

from tests.fakes.hailo_platform import machine as limits
from tests.fakes.hailo_platform.enums import (
    AveragingFactor,
    BootSource,
    DeviceArchitectureTypes,
    DvmTypes,
    HailoCpuId,
    MeasurementBufferIndex,
    PowerMeasurementTypes,
    SamplingPeriod,
)
from tests.fakes.hailo_platform.machine import Chip
from tests.fakes.hailo_platform.statuses import as_numbers
from tests.fakes.hailo_platform.world import World

_SOC_ONLY_NOTIFICATIONS = {
    "HEALTH_MONITOR_TEMPERATURE_ALARM",
    "HEALTH_MONITOR_OVERCURRENT_ALARM",
    "NN_CORE_CRC_ERROR_EVENT",
    "THROTTLING_STATE_CHANGE_EVENT",
}


class HailoFirmwareVersion:
    def __init__(self, numbers: tuple[int, int, int]) -> None:
        self.major, self.minor, self.revision = numbers
        self.mode = SimpleNamespace(value="release")
        self.fw_type = SimpleNamespace(value="app")

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.revision} (release,app,extended context switch buffer)"


class BoardInformation:
    """What `identify()` answers."""

    def __init__(self, chip: Chip, firmware: tuple[int, int, int]) -> None:
        self.protocol_version = 2
        self.firmware_version = HailoFirmwareVersion(firmware)
        self.logger_version = 0
        self.board_name = chip.board_name
        self.is_release = True
        if chip.architecture not in DeviceArchitectureTypes.__members__:
            raise ValueError("7 is not a valid DeviceArchitectureTypes")
        self.device_architecture = DeviceArchitectureTypes[chip.architecture]
        self.serial_number = chip.serial_number
        self.part_number = chip.part_number
        self.product_name = chip.product_name

    def __str__(self) -> str:
        return (
            f"Control Protocol Version: {self.protocol_version}\n"
            f"Firmware Version: {self.firmware_version}\n"
            f"Board Name: {self.board_name}\n"
            f"Device Architecture: {self.device_architecture}\n"
        )


class CoreInformation:
    def __init__(self, firmware: tuple[int, int, int]) -> None:
        self.is_release = True
        self.firmware_version = HailoFirmwareVersion(firmware)


class Control:
    """The library's `Control`; it outlives its device, and each call after the release raises (HailoRT 4.23, 5.2)."""

    def __init__(self, world: World, chip: Chip, notification_ids: type[Enum]) -> None:
        self._world = world
        self._chip = chip
        self._ids = notification_ids
        self._is_released = False

    @property
    def _firmware(self) -> tuple[int, int, int]:
        numbers = as_numbers(self._world.machine.version)
        return self._chip.firmware_version or (numbers[0], numbers[1], numbers[2])

    @property
    def _is_soc(self) -> bool:
        return self._chip.architecture == "HAILO10H"

    def _begin(self, call: str, *, only_nnc: bool = False) -> None:
        if self._is_released:
            # Raised by the wrapper itself, before anything is asked: its cause has no status.
            raise self._world.statuses.by_code[6](
                "The device in use has been released. This can happen if 'device.release()' has been called, or "
                "one-liner usage of control 'Device().control.XX()'"
            )
        self._chip.control_calls.append(call)
        self._world.step(f"control.{call}")
        if not self._chip.present:
            self._world.statuses.fail(62)
        if only_nnc and self._is_soc:
            self._world.statuses.fail(16 if call == "_get_health_information" else 7)
        library = as_numbers(self._world.machine.version)
        if call != "identify" and self._firmware[:2] != library[:2]:
            self._world.statuses.fail(16)

    def identify(self) -> BoardInformation:
        self._begin("identify")
        return BoardInformation(self._chip, self._firmware)

    def core_identify(self) -> CoreInformation:
        self._begin("core_identify", only_nnc=True)
        return CoreInformation(self._firmware)

    def get_chip_temperature(self) -> Any:
        self._begin("get_chip_temperature")
        self._chip.sample_count = 1 if self._is_soc else (self._chip.sample_count + 1) & 0xFFFF
        return SimpleNamespace(
            ts0_temperature=self._chip.ts0, ts1_temperature=self._chip.ts1, sample_count=self._chip.sample_count
        )

    def get_extended_device_information(self) -> Any:
        self._begin("get_extended_device_information")
        features = SimpleNamespace(
            ethernet=False, pcie=True, current_monitoring=self._chip.current_monitoring, mdio=False
        )
        if self._world.machine.is_old_line:
            features.mipi = False
        if as_numbers(self._world.machine.version) >= (5, 1, 1):
            features.power_measurement = self._chip.current_monitoring
        information = SimpleNamespace(
            neural_network_core_clock_rate=self._chip.clock_hertz,
            supported_features=features,
            boot_source=BootSource.PCIE,
            lcs=3,
            soc_id=bytes(32),
            eth_mac_address=bytes(6),
            unit_level_tracking_id=bytes(12),
            soc_pm_values=bytes(24),
        )
        if as_numbers(self._world.machine.version) >= (4, 21):
            information.gpio_mask = 0
        return information

    def get_throttling_state(self) -> bool:
        self._begin("get_throttling_state", only_nnc=True)
        return self._chip.protection

    def set_throttling_state(self, should_activate: bool) -> None:  # noqa: FBT001  # the real signature
        self._begin("set_throttling_state", only_nnc=True)
        self._chip.protection = should_activate

    def _get_health_information(self) -> Any:
        self._begin("_get_health_information", only_nnc=True)
        chip = self._chip
        return SimpleNamespace(
            overcurrent_protection_active=True,
            current_overcurrent_zone=chip.overcurrent_zone,
            red_overcurrent_threshold=8000.0,
            overcurrent_throttling_active=False,
            temperature_throttling_active=chip.protection,
            current_temperature_zone=chip.zone,
            current_temperature_throttling_level=chip.throttling_level,
            temperature_throttling_levels=_levels() if chip.protection else [],
            orange_temperature_threshold=limits.ORANGE,
            orange_hysteresis_temperature_threshold=limits.ORANGE_HYSTERESIS,
            red_temperature_threshold=limits.RED,
            red_hysteresis_temperature_threshold=limits.RED_HYSTERESIS,
            requested_overcurrent_clock_freq=chip.requested_overcurrent_clock,
            requested_temperature_clock_freq=chip.requested_temperature_clock,
        )

    def previous_system_state(self, cpu_id: HailoCpuId) -> int:
        # A Hailo-10H's client does not forward it: the same path as core_identify.
        self._begin("previous_system_state", only_nnc=True)
        return self._chip.previous_states[int(cpu_id)]

    def power_measurement(
        self,
        dvm: DvmTypes = DvmTypes.AUTO,
        measurement_type: PowerMeasurementTypes = PowerMeasurementTypes.AUTO,
    ) -> float:
        self._begin("power_measurement")
        self._need_power_sensor()
        if self._is_soc and dvm not in (DvmTypes.AUTO, DvmTypes.VDD_CORE):
            self._world.statuses.fail(2)
        del measurement_type
        return self._chip.power_watts

    def set_power_measurement(
        self,
        buffer_index: MeasurementBufferIndex = MeasurementBufferIndex.MEASUREMENT_BUFFER_INDEX_0,
        dvm: DvmTypes = DvmTypes.AUTO,
        measurement_type: PowerMeasurementTypes = PowerMeasurementTypes.AUTO,
    ) -> None:
        del buffer_index, dvm, measurement_type
        self._begin("set_power_measurement")
        self._need_power_sensor()

    def start_power_measurement(
        self,
        averaging_factor: AveragingFactor = AveragingFactor.AVERAGE_256,
        sampling_period: SamplingPeriod = SamplingPeriod.PERIOD_1100us,
    ) -> None:
        del averaging_factor, sampling_period
        self._begin("start_power_measurement")
        self._need_power_sensor()

    def get_power_measurement(
        self,
        buffer_index: MeasurementBufferIndex = MeasurementBufferIndex.MEASUREMENT_BUFFER_INDEX_0,
        should_clear: bool = True,  # noqa: FBT001, FBT002  # the real signature
    ) -> Any:
        del buffer_index, should_clear
        self._begin("get_power_measurement")
        self._need_power_sensor()
        watts = self._chip.power_watts
        return SimpleNamespace(average_value=watts, min_value=watts, max_value=watts, total_number_of_samples=1)

    def stop_power_measurement(self) -> None:
        self._begin("stop_power_measurement")

    def _need_power_sensor(self) -> None:
        if not self._chip.current_monitoring:
            self._world.statuses.fail(13 if self._is_soc else 48)

    def set_notification_callback(self, callback_func: Any, notification_id: Enum, opaque: Any) -> None:
        self._begin("set_notification_callback")
        if self._is_soc and notification_id.name not in _SOC_ONLY_NOTIFICATIONS:
            self._world.statuses.fail(7)
        self._chip.listeners[id(self), notification_id.name] = (callback_func, notification_id, opaque)

    def remove_notification_callback(self, notification_id: Enum) -> None:
        self._begin("remove_notification_callback")
        self._chip.listeners.pop((id(self), notification_id.name), None)

    def chip_reset(self) -> None:
        self._begin("chip_reset")

    def nn_core_reset(self) -> None:
        self._begin("nn_core_reset")

    def soft_reset(self) -> None:
        self._begin("soft_reset")

    def release(self) -> None:
        self._is_released = True
        for key in [key for key in self._chip.listeners if key[0] == id(self)]:
            del self._chip.listeners[key]


def _levels() -> list[Any]:
    """As the wrapper lists them: only while the protection is on, one for each clock."""
    return [
        SimpleNamespace(
            level_number=number,
            temperature_threshold=limits.ORANGE + 4 * number,
            hysteresis_temperature_threshold=limits.ORANGE_HYSTERESIS + 4 * number,
            throttling_nn_clock_freq=(350 - 50 * number) * 1_000_000,
        )
        for number in range(4)
    ]


class Device:
    """The library's `Device`; `_world` and `_notification_ids` are set on the class of each build."""

    _world: World
    _notification_ids: type[Enum]

    def __init__(self, device_id: str | None = None) -> None:
        self._control: Control | None = None
        self._is_open = False
        self._world.step_raw("Device")
        chip = self._chip_of(device_id)
        status = self._world.opening_status(chip)
        if status is not None:
            self._world.statuses.fail_raw(status)
        self._chip = chip
        self.device_id = chip.device_id
        self.loaded_network_groups: list[Any] = []
        control = Control(self._world, chip, self._notification_ids)
        control.identify()
        self._control = control
        self._is_open = True
        chip.open_devices += 1

    def _chip_of(self, device_id: str | None) -> Chip:
        if device_id is None:
            found = self._world.machine.present()
            if not found:
                raise self._world.statuses.error("HailoRT device not found in the system")
            return found[0]
        chip = self._world.machine.find(device_id)
        if chip is None:
            self._world.statuses.fail_raw(2)
        return chip

    @classmethod
    def scan(cls) -> list[str]:
        cls._world.step_raw("scan")
        return [chip.device_id for chip in cls._world.machine.present()]

    @property
    def control(self) -> Control:
        if self._control is None:
            raise AttributeError("'Device' object has no attribute '_control_object'")
        return self._control

    def release(self) -> None:
        if self._is_open:
            self._is_open = False
            self._world.step("Device.release")
            self._chip.open_devices -= 1
            self.control.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.release()
        return False

    def __del__(self) -> None:
        self.release()
