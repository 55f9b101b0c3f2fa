"""The fake against the list of what HailoRT really has, in both lines: names, members, signatures and calls."""

import inspect
import re
import threading
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.fakes.hailo_platform.bindings import Bindings, BindingsStream
from tests.fakes.hailo_platform.build import importer
from tests.fakes.hailo_platform.edges import InferStream
from tests.fakes.hailo_platform.machine import Chip, Machine
from tests.hailort.conformance import Stack, bindings_of, failing

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
