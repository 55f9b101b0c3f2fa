"""The fake against the list of what HailoRT really has, in both lines."""

import inspect
import json
import re
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.hailo_platform.build import importer, modules
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.hef_file import SIZES, Aborted, Header, damaged, encode
from tests.fakes.hailo_platform.infer import Bindings, BindingsStream, InferStream
from tests.fakes.hailo_platform.machine import Chip, Gate, Machine

VERSIONS = ("4.23.0", "5.2.0")
# What the lines export in `__all__`: 37 names in 4.23, 30 in 5.2.
BOTH_LINES = (
    "DvmTypes PowerMeasurementTypes SamplingPeriod AveragingFactor MeasurementBufferIndex HEF ConfigureParams "
    "FormatType FormatOrder join_drivers_path HailoPowerMode Endianness HailoStreamInterface InputVStreamParams "
    "OutputVStreamParams InputVStreams OutputVStreams InferVStreams HailoStreamDirection HailoFormatFlags HailoCpuId "
    "Device VDevice HailoRTException HailoSchedulingAlgorithm HailoRTStreamAbortedByUser AsyncInferJob "
    "HailoCommunicationClosedException"
)
ONE_LINE = {
    "4": "EthernetDevice UDPRateLimiter PcieDevice MipiDataTypeRx MipiPixelsPerClock MipiClockSelection "
    "MipiIspImageInOrder MipiIspImageOutDataType IspLightFrequency",
    "5": "HailoSessionListener HailoSession",
}
NOT_TOP_LEVEL = ["InferModel", "ConfiguredInferModel", "Control", "NotificationId"]
MEMBERS = {
    "HEF": "get_network_group_names get_networks_names get_network_groups_infos get_input_vstream_infos "
    "get_output_vstream_infos get_all_vstream_infos get_input_stream_infos get_output_stream_infos "
    "get_all_stream_infos get_sorted_output_names bottleneck_fps",
    "VDevice": "create_params create_infer_model get_physical_devices_ids get_physical_devices configure release "
    "__enter__ __exit__",
    "InferModel": "input_names output_names inputs outputs input output set_batch_size set_power_mode configure",
    "ConfiguredInferModel": "create_bindings wait_for_async_ready run run_async activate deactivate "
    "set_scheduler_timeout set_scheduler_threshold set_scheduler_priority get_async_queue_size shutdown __exit__",
    "AsyncInferJob": "wait",
    "Device": "scan control release __enter__ __exit__",
    "Control": "identify core_identify get_chip_temperature get_extended_device_information get_throttling_state "
    "set_throttling_state _get_health_information power_measurement set_power_measurement start_power_measurement "
    "get_power_measurement stop_power_measurement set_notification_callback remove_notification_callback chip_reset "
    "nn_core_reset soft_reset previous_system_state",
}
# Of the objects that calls answer: what each has, and nothing is read that is not in these lists.
PARTS = {
    "InferStream": "name shape format quant_infos is_nms set_format_type set_format_order",
    "Format": "type order flags",
    "QuantInfo": "qp_zp qp_scale limvals_min limvals_max",
    "Bindings": "input output",
    "BindingsStream": "set_buffer get_buffer",
    "VStreamInfo": "name network_name shape nms_shape direction format quant_info",
    "NetworkGroupInfo": "name is_multi_context",
    "VDeviceParams": "device_ids device_count scheduling_algorithm group_id multi_process_service",
    "BoardInformation": "protocol_version firmware_version logger_version board_name is_release "
    "device_architecture serial_number part_number product_name",
    "HailoFirmwareVersion": "major minor revision mode fw_type",
    "TemperatureInfo": "ts0_temperature ts1_temperature sample_count",
    "ExtendedDeviceInformation": "neural_network_core_clock_rate supported_features boot_source lcs soc_id "
    "eth_mac_address unit_level_tracking_id soc_pm_values gpio_mask",
    "HealthInformation": "overcurrent_protection_active current_overcurrent_zone red_overcurrent_threshold "
    "overcurrent_throttling_active temperature_throttling_active current_temperature_zone "
    "current_temperature_throttling_level temperature_throttling_levels orange_temperature_threshold "
    "orange_hysteresis_temperature_threshold red_temperature_threshold red_hysteresis_temperature_threshold "
    "requested_overcurrent_clock_freq requested_temperature_clock_freq",
    "TemperatureThrottlingLevel": "level_number temperature_threshold hysteresis_temperature_threshold "
    "throttling_nn_clock_freq",
}
SIGNATURES = {
    ("HEF", "__init__"): "(self, source)",
    ("HEF", "get_all_vstream_infos"): "(self, name=None)",
    ("HEF", "get_sorted_output_names"): "(self, network_group_name=None)",
    ("VDevice", "__init__"): "(self, params=None, *, device_ids=None)",
    ("VDevice", "create_infer_model"): "(self, hef_source, name='')",
    ("VDevice", "configure"): "(self, hef, configure_params_by_name=None)",
    ("InferModel", "set_batch_size"): "(self, batch_size)",
    ("InferModel", "set_power_mode"): "(self, power_mode)",
    ("InferModel", "configure"): "(self)",
    ("ConfiguredInferModel", "set_scheduler_timeout"): "(self, timeout_ms)",
    ("ConfiguredInferModel", "set_scheduler_threshold"): "(self, threshold)",
    ("ConfiguredInferModel", "set_scheduler_priority"): "(self, priority)",
    ("Control", "previous_system_state"): "(self, cpu_id)",
    ("Control", "power_measurement"): "(self, dvm=AUTO, measurement_type=AUTO)",
    ("Control", "set_power_measurement"): "(self, buffer_index=INDEX_0, dvm=AUTO, measurement_type=AUTO)",
    ("Control", "get_power_measurement"): "(self, buffer_index=INDEX_0, should_clear=True)",
    ("Control", "set_throttling_state"): "(self, should_activate)",
    ("Control", "set_notification_callback"): "(self, callback_func, notification_id, opaque)",
    ("Control", "remove_notification_callback"): "(self, notification_id)",
    ("InferModel", "input"): "(self, name='')",
    ("InferModel", "output"): "(self, name='')",
    ("ConfiguredInferModel", "create_bindings"): "(self, input_buffers=None, output_buffers=None)",
    ("ConfiguredInferModel", "wait_for_async_ready"): "(self, timeout_ms=1000, frames_count=1)",
    ("ConfiguredInferModel", "run"): "(self, bindings, timeout)",
    ("ConfiguredInferModel", "run_async"): "(self, bindings, callback=None)",
    ("AsyncInferJob", "wait"): "(self, timeout_ms)",
    ("Device", "__init__"): "(self, device_id=None)",
}
PART_SIGNATURES = [
    (InferStream, "set_format_type", "(self, type)"),
    (InferStream, "set_format_order", "(self, order)"),
    (Bindings, "input", "(self, name='')"),
    (Bindings, "output", "(self, name='')"),
    (BindingsStream, "set_buffer", "(self, buffer)"),
    (BindingsStream, "get_buffer", "(self, tf_format=False)"),
]
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


class Stack:
    """One version, its modules and a network on disk."""

    def __init__(self, machine: Machine, hef: Any) -> None:
        self.machine = machine
        built = modules(machine)
        self.top: Any = built["hailo_platform"]
        self.inner: Any = built["hailo_platform.pyhailort.pyhailort"]
        self.raw: Any = built["hailo_platform.pyhailort._pyhailort"].HailoRTStatusException
        self.hef = str(write_hef(hef, architecture=machine.chip.architecture))

    def params(self, **given: Any) -> Any:
        params = self.top.VDevice.create_params()
        params.scheduling_algorithm = self.top.HailoSchedulingAlgorithm.ROUND_ROBIN
        for name, value in given.items():
            setattr(params, name, value)
        return params

    def configured(self, vdevice: Any) -> Any:
        model = vdevice.create_infer_model(self.hef)
        for edge in (*model.inputs, *model.outputs):
            edge.set_format_type(self.top.FormatType.FLOAT32)
        return model.configure()

    def code_of(self, failure: BaseException) -> int:
        assert isinstance(failure.__cause__, self.raw)
        return int(failure.__cause__.args[0])


@pytest.fixture(params=VERSIONS)
def stack(request: pytest.FixtureRequest, tmp_path: Any) -> Stack:
    return Stack(Machine(request.param), tmp_path / "net.hef")


def bindings_of(configured: Any, *, window: Any = None) -> Any:
    window = np.zeros((1, 100, 9), np.float32) if window is None else window
    outputs = {
        "tcn_vae/conv19": np.empty((1, 1, 64), np.float32),
        "tcn_vae/conv20": np.empty((1, 1, 12), np.float32),
    }
    return configured.create_bindings({"tcn_vae/input_layer1": window}, outputs)


def failing(stack: Stack, call: Any) -> int:
    with pytest.raises(stack.top.HailoRTException) as caught:
        call()
    return stack.code_of(caught.value)


def test_the_top_level_has_its_names_and_not_those_of_the_inner_module(stack: Stack) -> None:
    exported_names = f"{BOTH_LINES} {ONE_LINE[stack.machine.version[0]]}".split()
    assert len(exported_names) == (37 if stack.machine.is_old_line else 30)
    assert [name for name in exported_names if not hasattr(stack.top, name)] == []
    assert set(exported_names) == set(stack.top.__all__)
    assert stack.top.__version__ == stack.machine.version
    exported = {"HailoRTException", "HailoRTStreamAbortedByUser", "HailoCommunicationClosedException"}
    exceptions = {*MAPPED.values(), "HailoRTPCIeDriverException", "HailoRTStreamAbortedByUser", "HailoRTException"}
    inner_only = {*NOT_TOP_LEVEL, *exceptions} - exported
    assert [name for name in inner_only if hasattr(stack.top, name)] == []
    assert [name for name in {*inner_only, *exported} if not hasattr(stack.inner, name)] == []
    assert hasattr(stack.inner, "UdpRecvError") == stack.machine.is_old_line


@pytest.mark.parametrize("klass", sorted(MEMBERS))
def test_every_class_has_its_members(stack: Stack, klass: str) -> None:
    found = getattr(stack.inner, klass)
    assert [name for name in MEMBERS[klass].split() if not hasattr(found, name)] == []


@pytest.mark.parametrize(("klass", "method"), sorted(SIGNATURES))
def test_every_signature_is_the_real_one(stack: Stack, klass: str, method: str) -> None:
    signature = inspect.signature(getattr(getattr(stack.inner, klass), method))
    plain = [item.replace(annotation=inspect.Parameter.empty) for item in signature.parameters.values()]
    bare = signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)
    reported = re.sub(r"<\w+\.(?:MEASUREMENT_BUFFER_)?(\w+): \d+>", r"\1", str(bare))
    assert reported == SIGNATURES[klass, method]


@pytest.mark.parametrize(("klass", "method", "expected"), PART_SIGNATURES)
def test_every_signature_of_a_part_is_the_real_one(klass: type, method: str, expected: str) -> None:
    signature = inspect.signature(getattr(klass, method))
    plain = [item.replace(annotation=inspect.Parameter.empty) for item in signature.parameters.values()]
    assert str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)) == expected


def parts(stack: Stack) -> dict[str, Any]:
    """One of each object that calls answer."""
    with stack.top.VDevice(stack.params()) as vdevice, stack.top.Device() as device:
        model = vdevice.create_infer_model(stack.hef)
        with stack.configured(vdevice) as configured:
            bindings = configured.create_bindings()
        hef, identity = stack.top.HEF(stack.hef), device.control.identify()
        found = {
            "InferStream": model.input(),
            "Format": model.input().format,
            "QuantInfo": model.input().quant_infos[0],
            "Bindings": bindings,
            "BindingsStream": bindings.input(),
            "VStreamInfo": hef.get_all_vstream_infos()[0],
            "NetworkGroupInfo": hef.get_network_groups_infos()[0],
            "VDeviceParams": stack.params(),
            "BoardInformation": identity,
            "HailoFirmwareVersion": identity.firmware_version,
            "TemperatureInfo": device.control.get_chip_temperature(),
            "ExtendedDeviceInformation": device.control.get_extended_device_information(),
        }
        if stack.machine.is_old_line:
            found["HealthInformation"] = health = device.control._get_health_information()
            found["TemperatureThrottlingLevel"] = health.temperature_throttling_levels[0]
    return found


def test_every_part_has_its_members_and_no_other(stack: Stack) -> None:
    for name, part in parts(stack).items():
        own = {member for member in (*dir(type(part)), *vars(part)) if not member.startswith("_")}
        assert own == set(PARTS[name].split()), name
    with pytest.raises(RuntimeError, match="only on nms"):
        _ = stack.top.HEF(stack.hef).get_all_vstream_infos()[0].nms_shape


@pytest.mark.parametrize(
    ("version", "lacks"), [("4.20.0", {"gpio_mask"}), ("4.21.0", set()), ("5.0.0", set()), ("5.2.0", set())]
)
def test_gpio_mask_came_with_4_21_and_power_measurement_with_5_1_1(
    version: str, lacks: set[str], tmp_path: Any
) -> None:
    stack = Stack(Machine(version), tmp_path / "net.hef")
    with stack.top.Device() as device:
        reported = device.control.get_extended_device_information()
    assert set(PARTS["ExtendedDeviceInformation"].split()) - set(vars(reported)) == lacks
    assert hasattr(reported.supported_features, "power_measurement") == (version == "5.2.0")
    assert hasattr(reported.supported_features, "mipi") == version.startswith("4.")


def test_wrappers_of_an_edge_share_their_state_and_a_buffer_comes_back_as_itself(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice:
        model = vdevice.create_infer_model(stack.hef)
        assert model.input() is not model.input()
        model.input().set_format_type(stack.top.FormatType.FLOAT32)
        model.input().set_format_order(stack.top.FormatOrder.NHWC)
        assert model.input().format.type == stack.top.FormatType.FLOAT32
        assert model.input().shape == [1, 100, 9]
        assert (model.input_names, sorted(model.output_names)) == (
            ["tcn_vae/input_layer1"],
            ["tcn_vae/conv19", "tcn_vae/conv20"],
        )
        assert failing(stack, model.output) == 6  # two outputs and no name
        assert failing(stack, lambda: model.input("other")) == 61
        with model.configure() as configured:
            bindings = configured.create_bindings()
            assert bindings.input() is bindings.input("tcn_vae/input_layer1")
            given = np.zeros((1, 100, 9), np.float32)
            bindings.input().set_buffer(given)
            assert bindings.input().get_buffer() is given
            assert bindings.input().get_buffer(tf_format=True) is given


def test_without_a_format_an_edge_takes_its_native_bytes(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice:
        model = vdevice.create_infer_model(stack.hef)
        assert model.input().format.type == stack.top.FormatType.UINT8
        with model.configure() as configured:
            assert failing(stack, lambda: configured.run([bindings_of(configured)], 1000)) == 6


def test_more_frames_in_a_batch_than_the_queue_takes_are_refused(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice:
        model = vdevice.create_infer_model(stack.hef)
        model.set_batch_size(512)
        assert failing(stack, model.configure) == 6


def test_a_forked_child_may_not_use_its_parents_vdevice(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice:
        vdevice._creation_pid -= 1
        with pytest.raises(stack.top.HailoRTException, match="from the process VDevice was created in") as caught:
            vdevice.create_infer_model(stack.hef)
        assert type(caught.value) is stack.top.HailoRTException


def test_two_vdevices_of_one_group_share_a_chip_and_run_two_networks(stack: Stack) -> None:
    with stack.top.VDevice(stack.params(group_id="SHARED")) as one:
        assert failing(stack, lambda: stack.top.VDevice(stack.params())) == 74
        with stack.top.VDevice(stack.params(group_id="SHARED")) as other:
            for vdevice in (one, other):
                with stack.configured(vdevice) as configured:
                    configured.run([bindings_of(configured)], 1000)
        assert stack.machine.chip.owner == "here"


def test_a_raw_file_error_of_the_infos_is_not_wrapped(stack: Stack) -> None:
    with pytest.raises(stack.raw) as caught:
        stack.top.HEF(stack.hef).get_input_vstream_infos("no such network")
    assert caught.value.args[0] == "61"


def test_a_chip_that_the_library_does_not_know_cannot_even_be_opened(tmp_path: Any) -> None:
    stack = Stack(Machine("4.23.0", [Chip(architecture="HAILO99")]), tmp_path / "net.hef")
    with pytest.raises(ValueError, match="7 is not a valid DeviceArchitectureTypes"):
        stack.top.Device()


def test_core_firmware_shows_its_version(tmp_path: Any) -> None:
    stack = Stack(Machine("4.23.0"), tmp_path / "net.hef")
    with stack.top.Device() as device:
        assert device.control.core_identify().firmware_version.major == 4


def test_throttling_levels_are_listed_only_while_the_protection_is_on(tmp_path: Any) -> None:
    stack = Stack(Machine("4.23.0"), tmp_path / "net.hef")
    with stack.top.Device() as device:
        stack.machine.chip.protection = False
        assert device.control._get_health_information().temperature_throttling_levels == []


def test_an_import_can_fail_and_a_call_can_hang() -> None:
    machine = Machine()
    machine.inject("import", ImportError("libhailort.so.4.23.0: cannot open shared object file"))
    with pytest.raises(ImportError):
        importer(machine)("hailo_platform")
    platform: Any = importer(machine)("hailo_platform")
    machine.delay("control.identify", 0.05)
    started = time.monotonic()
    platform.Device().release()
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("call", ["Device", "scan", "control.identify"])
def test_a_call_that_blocks_keeps_the_interpreter_from_every_other_thread(call: str) -> None:
    machine = Machine()
    platform: Any = importer(machine)("hailo_platform")
    machine.delay(call, 0.4)
    turns: list[float] = []
    has_ended = threading.Event()

    def turn() -> None:
        while not has_ended.is_set():
            turns.append(time.monotonic())
            time.sleep(0.005)

    other = threading.Thread(target=turn)
    other.start()
    platform.Device.scan() if call == "scan" else platform.Device("0001:01:00.0").release()
    has_ended.set()
    other.join()
    assert max(later - earlier for earlier, later in pairwise(turns)) >= 0.35


def test_the_calls_that_let_others_run_are_those_of_a_frame() -> None:
    machine = Machine()
    for call in ("wait_for_async_ready", "run_async", "job.wait"):
        machine.delay(call, 0.3)
        waiting = threading.Thread(target=machine.outcome_of, args=(call,))
        waiting.start()
        # With the interpreter kept, this line would run after the wait alone.
        assert waiting.is_alive()
        waiting.join()


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


def test_a_hef_is_distinguished_by_status(stack: Stack, tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="file path"):
        stack.top.HEF(None)
    assert failing(stack, lambda: stack.top.HEF(str(tmp_path / "missing.hef"))) == 13
    assert failing(stack, lambda: stack.top.HEF(b"not a hef" * 9)) == 92
    infos = stack.top.HEF(stack.hef).get_all_vstream_infos()
    assert [(info.name, info.shape, info.direction) for info in infos] == [
        ("tcn_vae/input_layer1", (1, 100, 9), "H2D"),
        ("tcn_vae/conv20", (1, 1, 12), "D2H"),
        ("tcn_vae/conv19", (1, 1, 64), "D2H"),
    ]


@pytest.mark.parametrize("form", [0, 1, 2, 3])
def test_a_damaged_hef_has_the_status_of_its_damage(stack: Stack, form: int) -> None:
    """HailoRT 4.23 and 5.2: 14 below the header, 92 for magic, format and age, 91 for length and checksum."""

    def status(content: bytes, *, as_path: bool = True) -> int:
        Path(stack.hef).write_bytes(content)
        return failing(stack, lambda: stack.top.HEF(stack.hef if as_path else content))

    whole = encode(b"{}", Header(format=form))
    assert [status(whole[:length]) for length in (0, 4, 11, 12, SIZES[form] - 1)] == [14] * 5
    assert [status(whole[:length], as_path=False) for length in (12, 31, 55)] == [91] * 3
    assert status(damaged(whole, 0)) == 92
    assert status(whole[:4] + b"\0\0\0\4" + whole[8:]) == 92
    assert status(encode(b"{}", Header(format=form, is_outdated=True))) == 92
    for wrong in (whole[:-1], whole + bytes(100), damaged(whole, len(whole) - 1), damaged(whole, SIZES[form])):
        assert status(wrong) == status(wrong, as_path=False) == 91
    with pytest.raises(Aborted):
        stack.top.HEF(whole[:11])


def test_from_5_1_on_a_cut_file_with_a_checksum_of_its_description_passes(tmp_path: Path) -> None:
    """HailoRT 5.2: computed on a public file of 1.36 of 5.8 MB; older libraries look at length and whole checksum."""
    path = tmp_path / "net.hef"
    document = json.dumps({"networks": [], "bottleneck_fps": 1.0}).encode()
    whole = encode(document, Header(format=3, has_proto_checksum=True))
    path.write_bytes(whole[:-100])
    new, old = (modules(Machine(version))["hailo_platform"] for version in ("5.2.0", "5.0.1"))
    assert new.HEF(str(path)).bottleneck_fps() == 1.0
    with pytest.raises(old.HailoRTException, match="91"):
        old.HEF(str(path))
    path.write_bytes(whole[:90])
    with pytest.raises(new.HailoRTException, match="14"):
        new.HEF(str(path))
    with pytest.raises(Aborted):
        new.HEF(whole[:90])


@pytest.mark.parametrize(("version", "newest"), [("4.19.0", 1), ("4.20.0", 2), ("4.21.0", 3), ("5.2.0", 3)])
def test_each_library_reads_the_formats_of_its_time(version: str, newest: int, tmp_path: Path) -> None:
    platform = modules(Machine(version))["hailo_platform"]
    refused = []
    for form in range(4):
        path = write_hef(tmp_path / f"{form}.hef", header=Header(format=form))
        try:
            platform.HEF(str(path))
        except platform.HailoRTException:
            refused.append(form)
    assert refused == list(range(newest + 1, 4))


def test_in_4_20_every_fault_of_a_hef_is_26(tmp_path: Any) -> None:
    stack = Stack(Machine("4.20.0"), tmp_path / "net.hef")
    assert failing(stack, lambda: stack.top.HEF(b"not a hef" * 9)) == 26
    write_hef(tmp_path / "net.hef", architecture="HAILO8")
    with stack.top.VDevice(stack.params()) as vdevice:
        assert failing(stack, lambda: stack.configured(vdevice)) == 26


def test_a_hef_of_another_chip_is_refused_at_configure(stack: Stack, tmp_path: Any) -> None:
    stack.hef = str(write_hef(tmp_path / "other.hef", architecture="HAILO15L"))
    with stack.top.VDevice(stack.params()) as vdevice:
        assert failing(stack, lambda: stack.configured(vdevice)) == 93


def test_a_frame_goes_through_and_its_bindings_may_be_used_again(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        frame = bindings_of(configured, window=np.ones((1, 100, 9), np.float32))
        reported: list[Any] = []
        for _ in range(2):
            configured.wait_for_async_ready(1000)
            job = configured.run_async([frame], lambda completion_info: reported.append(completion_info.exception))
            job.wait(1000)
        latent = frame.output("tcn_vae/conv19").get_buffer()
        assert latent is frame.output("tcn_vae/conv19").get_buffer()
        assert np.abs(latent).sum() > 0
        assert reported == [None, None]
    with pytest.raises(AttributeError):
        configured.wait_for_async_ready(1000)


def test_a_wrong_size_and_an_unset_input_kill_the_network_and_an_unset_output_does_not(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice:
        with stack.configured(vdevice) as configured:
            no_output = configured.create_bindings({"tcn_vae/input_layer1": np.zeros((1, 100, 9), np.float32)})
            assert failing(stack, lambda: configured.run_async([no_output])) == 6
            configured.run([bindings_of(configured)], 1000)
            small = bindings_of(configured, window=np.zeros((1, 100, 9), np.uint8))
            assert failing(stack, lambda: configured.run_async([small])) == 6
            assert failing(stack, lambda: configured.run_async([bindings_of(configured)])) == 63
        stack.machine.races.clear()  # the real one leaks the guard of a frame whose output is not set, too
        with stack.configured(vdevice) as configured:
            unset = bindings_of(configured)
            unset.input()._buffer = None
            assert failing(stack, lambda: configured.run_async([unset])) == 61
            assert failing(stack, lambda: configured.run_async([bindings_of(configured)])) == 63


@pytest.mark.parametrize(("version", "status"), [("4.23.0", 6), ("5.1.0", 6), ("5.1.1", None)])
def test_an_older_binding_reads_arrays_of_numpy_2_as_empty(version: str, status: int | None, tmp_path: Path) -> None:
    """HailoRT 4.23, with numpy 2.2: status 6 at each `run_async`; 5.1.1 took pybind11 2.13."""
    assert np.__version__ >= "2"
    machine = Machine(version)
    machine.knows_numpy_2 = False
    stack = Stack(machine, tmp_path / "net.hef")
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        if status is None:
            configured.run_async([bindings_of(configured)]).wait(1000)
            return
        assert failing(stack, lambda: configured.run_async([bindings_of(configured)])) == status


def test_only_contiguous_writable_buffers_are_taken(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        with pytest.raises(stack.top.HailoRTException, match="C_CONTIGUOUS"):
            bindings_of(configured, window=np.zeros((9, 100), np.float32).T)
        with pytest.raises(ValueError, match="writeable"):
            bindings_of(configured, window=np.frombuffer(bytes(3600), np.float32).reshape(1, 100, 9))
        with pytest.raises(TypeError):
            configured.run_async(bindings_of(configured))


def test_a_full_queue_kills_the_network_and_a_stuck_frame_times_out(stack: Stack) -> None:
    stack.machine.chip.stuck = True
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        job = configured.run_async([bindings_of(configured)])
        with pytest.raises(stack.inner.HailoRTTimeout, match="a timeout had occurred"):
            job.wait(5)
        for _ in range(configured.get_async_queue_size() - 1):
            configured.run_async([bindings_of(configured)])
        assert failing(stack, lambda: configured.wait_for_async_ready(5)) == 4
        assert failing(stack, lambda: configured.run_async([bindings_of(configured)])) == 82


@pytest.mark.parametrize("code", [4, 8, 18, 63, 87])
def test_waiting_succeeds_for_a_failed_frame_whose_outputs_are_zeros_and_whose_status_only_the_callback_has(
    stack: Stack, code: int
) -> None:
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        frame = bindings_of(configured, window=np.ones((1, 100, 9), np.float32))
        outputs = [frame.output(name).get_buffer() for name in ("tcn_vae/conv19", "tcn_vae/conv20")]
        for output in outputs:
            output[:] = np.nan
        stack.machine.inject("completion", code)
        reported: list[Any] = []
        job = configured.run_async([frame], lambda completion_info: reported.append(completion_info.exception))
        assert job.wait(1000) is None
        assert [output.any() for output in outputs] == [False, False]
        assert isinstance(reported[0], stack.top.HailoRTException)
        assert reported[0].__cause__ is None
        # The pipeline has ended with the status of its first failure.
        assert failing(stack, lambda: configured.run_async([frame])) == code


def test_a_failed_frame_takes_what_is_in_flight_behind_it_along(stack: Stack) -> None:
    stack.machine.chip.gate = gate = Gate()
    reported: dict[int, Any] = {}
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        jobs = []
        for number in range(3):

            def callback(completion_info: Any, number: int = number) -> None:
                reported[number] = completion_info.exception

            jobs.append(configured.run_async([bindings_of(configured)], callback))
        gate.finish()
        gate.finish(18)
        for job in jobs:
            job.wait(1000)
    assert reported[0] is None
    assert [type(reported[number]).__name__ for number in (1, 2)] == ["HailoRTFirmwareControlFailedException"] * 2


def test_leaving_a_network_ends_what_is_in_flight_with_63(stack: Stack) -> None:
    stack.machine.chip.stuck = True
    reported: list[Any] = []
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        configured.run_async(
            [bindings_of(configured)], lambda completion_info: reported.append(completion_info.exception)
        )
    assert [type(failure).__name__ for failure in reported] == ["HailoRTStreamAborted"]


def test_inputs_are_read_and_outputs_written_when_the_frame_ends(stack: Stack) -> None:
    stack.machine.chip.gate = gate = Gate()
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        frame = bindings_of(configured, window=np.ones((1, 100, 9), np.float32))
        latent = frame.output("tcn_vae/conv19").get_buffer()
        latent[:] = 7
        job = configured.run_async([frame])
        assert (latent == 7).all()
        frame.input().get_buffer()[:] = 0
        gate.finish()
        job.wait(1000)
    assert not latent.any()  # of the zeros that were there in the end


def test_the_queue_takes_32_mb_of_frames_and_at_max_what_the_build_allows(stack: Stack, tmp_path: Any) -> None:
    def size(shape: tuple[int, ...]) -> int:
        hef = str(write_hef(tmp_path / "q.hef", architecture=stack.machine.chip.architecture, input_shape=shape))
        with stack.top.VDevice(stack.params()) as vdevice:
            return int(vdevice.create_infer_model(hef).queue_size)  # configured, its networks would take gigabytes

    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        assert configured.get_async_queue_size() == 8
    assert size((1, 100, 9)) == 8
    stack.machine.queue_limit = 32
    assert (size((1, 100, 9)), size((1000, 1000, 4)), size((4000, 1000, 9))) == (32, 8, 2)


def test_two_threads_in_one_model_are_noticed(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        entered, proceed = threading.Event(), threading.Event()

        class Frame(list[Any]):
            def __getitem__(self, _: Any) -> Any:
                entered.set()
                proceed.wait(10)
                return bindings_of(configured)

        other = threading.Thread(target=lambda: configured.run_async(Frame()))
        other.start()
        entered.wait(10)
        configured.wait_for_async_ready(1000)
        proceed.set()
        other.join(10)
    assert stack.machine.races == ["wait_for_async_ready while another thread was in a call of the same model"]


def test_an_unknown_status_of_a_frame_ends_the_process(stack: Stack) -> None:
    with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
        stack.machine.inject("completion", 999)
        job = configured.run_async([bindings_of(configured)], print)
        with pytest.raises(stack.inner.HailoRTTimeout):
            job.wait(50)
    assert [type(failure) for failure in stack.machine.aborted] == [stack.inner.HailoStatusInvalidValueException]


def test_a_chip_that_overlaps_frames_answers_each_in_its_latency(stack: Stack) -> None:
    def seconds(overlap: int) -> float:
        stack.machine.chip.overlap = overlap
        with stack.top.VDevice(stack.params()) as vdevice, stack.configured(vdevice) as configured:
            started = time.monotonic()
            for job in [configured.run_async([bindings_of(configured)]) for _ in range(8)]:
                job.wait(5000)
            return time.monotonic() - started

    stack.machine.chip.latency_seconds = 0.05
    assert seconds(1) >= 8 * 0.05
    assert seconds(8) >= 0.05
    stack.machine.chip.gate = None


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
