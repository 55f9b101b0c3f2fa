"""The fake's statuses, enumerations and refusals against those of HailoRT."""

from typing import Any

import pytest

from tests.fakes.hailo_platform.build import modules
from tests.fakes.hailo_platform.machine import Chip, Machine
from tests.hailort.conformance import Stack, failing

MAPPED = {
    15: "InvalidProtocolVersionException",
    18: "HailoRTFirmwareControlFailedException",
    48: "HailoRTUnsupportedOpcodeException",
    25: "HailoRTInvalidFrameException",
    4: "HailoRTTimeout",
    63: "HailoRTStreamAborted",
    6: "HailoRTInvalidOperationException",
    2: "HailoRTInvalidArgumentException",
    61: "HailoRTNotFoundException",
    26: "HailoRTInvalidHEFException",
    93: "HailoRTHEFNotCompatibleWithDevice",
    19: "HailoRTEthException",
    36: "HailoRTDriverOperationFailedException",
    62: "HailoCommunicationClosedException",
    69: "HailoRTNetworkGroupNotActivatedException",
}


@pytest.mark.parametrize("code", sorted(MAPPED))
def test_every_mapped_status_becomes_its_class_with_the_code_in_its_cause(stack: Stack, code: int) -> None:
    stack.machine.inject("VDevice", code)
    with pytest.raises(getattr(stack.inner, MAPPED[code])) as caught:
        stack.top.VDevice(stack.params())
    assert stack.code_of(caught.value) == code
    assert isinstance(caught.value, stack.top.HailoRTException)


def test_an_unmapped_status_shows_its_number_in_the_text(stack: Stack) -> None:
    stack.machine.inject("VDevice", 76)
    with pytest.raises(stack.top.HailoRTException, match=r"error: 76 \(HAILO_INVALID_DRIVER_VERSION\)"):
        stack.top.VDevice(stack.params())


def test_the_raw_status_is_a_hailort_exception_only_from_5_2_on(stack: Stack) -> None:
    assert issubclass(stack.raw, stack.top.HailoRTException) == (stack.machine.version == "5.2.0")
    stack.machine.inject("scan", 36)
    with pytest.raises(stack.raw) as caught:
        stack.top.Device.scan()
    assert caught.value.args[0] == "36"


def test_statuses_of_later_versions_have_no_name_in_earlier_ones() -> None:
    def newest(version: str) -> int:
        name_of = modules(Machine(version))["hailo_platform.pyhailort._pyhailort"].get_status_message
        return max(code for code in range(120) if name_of(code))

    versions = ["4.20.0", "4.21.0", "4.23.0", "5.0.0", "5.1.1", "5.2.0"]
    assert [newest(version) for version in versions] == [90, 93, 93, 94, 97, 97]


def test_every_status_up_to_the_newest_has_a_name(stack: Stack) -> None:
    newest = 93 if stack.machine.is_old_line else 97
    name_of = modules(stack.machine)["hailo_platform.pyhailort._pyhailort"].get_status_message
    assert [code for code in range(newest + 1) if not name_of(code).startswith("HAILO_")] == []


def test_an_unknown_status_is_no_hailort_exception_and_hides_its_code(stack: Stack) -> None:
    stack.machine.inject("VDevice", 120)
    with pytest.raises(stack.inner.HailoStatusInvalidValueException, match="Value 120 is not a valid status") as caught:
        stack.top.VDevice(stack.params())
    assert not isinstance(caught.value, stack.top.HailoRTException)
    assert caught.value.__cause__ is None
    assert isinstance(caught.value.__context__, stack.raw)
    assert caught.value.__context__.args == ("120",)


def test_enumerations_print_convert_and_compare(stack: Stack) -> None:
    assert str(stack.top.FormatType.UINT8) == "FormatType.UINT8"
    assert [
        int(item) for item in (stack.top.FormatOrder.NHWC, stack.top.FormatOrder.NHW, stack.top.FormatOrder.NC)
    ] == [1, 5, 6]
    assert int(stack.top.DvmTypes.AUTO) == int(stack.top.PowerMeasurementTypes.AUTO) == 0x7FFFFFFF
    for version, five in (("4.23.0", False), ("5.1.1", False), ("5.2.0", True)):
        ids = modules(Machine(version))["hailo_platform.pyhailort.pyhailort"].NotificationId
        assert hasattr(ids, "THROTTLING_STATE_CHANGE_EVENT") == five
        assert len(ids) == (13 if five else 11)


def test_the_default_scheduler_differs_between_the_lines_and_reads_as_an_int(stack: Stack) -> None:
    params = stack.top.VDevice.create_params()
    assert params.scheduling_algorithm == (0 if stack.machine.is_old_line else 1)
    assert (params.device_ids, params.device_count, params.group_id) == ([], 1, "UNIQUE")
    assert params.multi_process_service is False


def test_ids_given_with_the_parameters_drop_the_parameters(stack: Stack) -> None:
    with stack.top.VDevice(stack.params(), device_ids=["0001:01:00.0"]) as vdevice:
        assert vdevice.scheduler_is_on != stack.machine.is_old_line


def test_a_missing_or_taken_chip_is_reported_by_74_73_and_2(stack: Stack) -> None:
    stack.machine.chip.owner = "other"
    assert failing(stack, lambda: stack.top.VDevice(stack.params())) == 74
    assert failing(stack, lambda: stack.top.VDevice(stack.params(device_ids=["0001:01:00.0"]))) == 73
    assert failing(stack, lambda: stack.top.VDevice(stack.params(device_ids=["0009:01:00.0"]))) == 2
    assert failing(stack, lambda: stack.top.VDevice(stack.params(device_ids=[]))) == 2
    both = stack.params(device_ids=["0001:01:00.0"])
    assert failing(stack, lambda: stack.top.VDevice(both, device_ids=["0001:01:00.0"])) == 6
    stack.machine.chip.present = False
    assert failing(stack, lambda: stack.top.VDevice(stack.params())) == 74
    assert stack.top.Device.scan() == []


def test_the_wrong_line_and_the_wrong_driver_are_reported_by_79_and_76(tmp_path: Any) -> None:
    for version, architecture in (("4.23.0", "HAILO10H"), ("5.2.0", "HAILO8")):
        stack = Stack(Machine(version, [Chip(architecture=architecture)]), tmp_path / "net.hef")
        assert failing(stack, lambda stack=stack: stack.top.VDevice(stack.params())) == 79
        stack.machine.driver_version = "4.20.0"
        assert failing(stack, lambda stack=stack: stack.top.VDevice(stack.params())) == 76


def test_a_vdevice_is_released_once_and_frees_its_chip(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice:
        assert vdevice.get_physical_devices_ids() == ["0001:01:00.0"]
        assert stack.machine.chip.owner == "here"
    vdevice.release()
    assert stack.machine.chip.owner is None


def test_multi_process_service_is_refused_on_a_hailo_10h_and_needs_its_daemon_elsewhere(stack: Stack) -> None:
    params = stack.params(multi_process_service=True)
    assert failing(stack, lambda: stack.top.VDevice(params)) == (77 if stack.machine.is_old_line else 6)
