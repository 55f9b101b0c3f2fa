"""The fake's chips as devices: scheduler, ownership, what one line lacks, and notifications."""

from typing import Any

import pytest

from tests.hailort.conformance import Stack, bindings_of, failing


def test_the_scheduler_decides_whether_activate_is_forbidden_or_needed(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        assert failing(stack, configured.activate) == 6
    none = stack.params(scheduling_algorithm=stack.top.HailoSchedulingAlgorithm.NONE)
    with stack.top.VDevice(none) as vdevice:
        with stack.configured(vdevice) as configured:
            assert failing(stack, lambda: configured.run_async([bindings_of(configured)])) == 72
        with stack.configured(vdevice) as configured:
            configured.activate()
            configured.run([bindings_of(configured)], 1000)
            assert failing(stack, lambda: configured.set_scheduler_priority(16)) == 6


def test_the_older_path_is_missing_from_the_fake_as_from_a_hailo_10h(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice:
        assert failing(stack, lambda: vdevice.configure("hef")) == 7


def test_a_device_needs_no_ownership_and_says_when_it_was_released(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()), stack.top.Device("0001:01:00.0") as one, stack.top.Device() as other:
        assert one.control.identify().device_architecture.name == stack.machine.chip.architecture
        assert "Device Architecture:" in str(other.control.identify())
        assert one.loaded_network_groups == []
    control = one.control  # still there; each of its calls fails, and the cause has no status
    with pytest.raises(stack.inner.HailoRTInvalidOperationException, match="released") as caught:
        control.get_chip_temperature()
    assert caught.value.__cause__ is None
    with pytest.raises(stack.raw):
        stack.top.Device("0009:01:00.0")
    stack.machine.chip.present = False
    with pytest.raises(stack.top.HailoRTException, match="not found in the system"):
        stack.top.Device()


def test_what_a_hailo_10h_lacks_fails_there_and_works_elsewhere(stack: Stack) -> None:
    with stack.top.Device() as device:
        control = device.control
        control.get_chip_temperature()
        control.get_extended_device_information()
        if stack.machine.is_old_line:
            assert control._get_health_information().red_temperature_threshold == 120.0
            assert control.get_throttling_state() is True
            cpus = stack.top.HailoCpuId
            stack.machine.chip.previous_states = (1, 3)
            assert [control.previous_system_state(cpu) for cpu in (cpus.CPU0, cpus.CPU1)] == [1, 3]
        else:
            assert failing(stack, lambda: control.previous_system_state(stack.top.HailoCpuId.CPU0)) == 7
            assert failing(stack, control._get_health_information) == 16
            assert failing(stack, control.get_throttling_state) == 7
        assert failing(stack, control.power_measurement) == (48 if stack.machine.is_old_line else 13)


def test_another_firmware_lets_only_identify_work(stack: Stack) -> None:
    stack.machine.chip.firmware_version = (4, 19, 0)
    with stack.top.Device() as device:
        assert str(device.control.identify().firmware_version).startswith("4.19.0 (release")
        assert failing(stack, device.control.get_chip_temperature) == 16


def test_notifications_come_from_another_thread_and_a_raising_callback_is_noticed(stack: Stack) -> None:
    got: list[Any] = []
    ids = stack.inner.NotificationId
    with stack.top.Device() as device:
        name = "HEALTH_MONITOR_TEMPERATURE_ALARM"
        device.control.set_notification_callback(lambda *given: got.append(given), getattr(ids, name), "mine")
        body = {"health_monitor_temperature_alarm_notification": "hot"}
        stack.machine.notify(stack.machine.chip, name, **body)
        assert [(given[2], given[1].notification_id) for given in got] == [("mine", getattr(ids, name))]
        device.control.set_notification_callback(lambda *_: 1 / 0, getattr(ids, name), None)
        stack.machine.notify(stack.machine.chip, name, **body)
        assert [type(failure) for failure in stack.machine.aborted] == [ZeroDivisionError]
        shutdown = ids.HEALTH_MONITOR_DATAFLOW_SHUTDOWN
        if not stack.machine.is_old_line:
            assert failing(stack, lambda: device.control.set_notification_callback(print, shutdown, None)) == 7
