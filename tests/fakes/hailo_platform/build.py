"""One version of the library as modules, ready to be imported by name."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.fakes.hailo_platform import enums
from tests.fakes.hailo_platform.bindings import AsyncInferJob
from tests.fakes.hailo_platform.device import Control, Device
from tests.fakes.hailo_platform.hef import HEF
from tests.fakes.hailo_platform.infer import ConfiguredInferModel, InferModel
from tests.fakes.hailo_platform.machine import Machine
from tests.fakes.hailo_platform.statuses import statuses
from tests.fakes.hailo_platform.vdevice import VDevice
from tests.fakes.hailo_platform.world import World

# Names that are exported and that nothing of ours uses: there is nothing behind them here.
_LEGACY = (
    "ConfigureParams",
    "InputVStreamParams",
    "OutputVStreamParams",
    "InputVStreams",
    "OutputVStreams",
    "InferVStreams",
    "HailoStreamDirection",
    "HailoFormatFlags",
    "Endianness",
)
_LEGACY_4 = (
    "MipiDataTypeRx",
    "MipiPixelsPerClock",
    "MipiClockSelection",
    "MipiIspImageInOrder",
    "MipiIspImageOutDataType",
    "IspLightFrequency",
)
_LEGACY_5 = ("HailoSessionListener", "HailoSession")
_TOP_ONLY_4 = ("EthernetDevice", "PcieDevice", "UDPRateLimiter")
_TOP_ENUMS = (
    enums.FormatType,
    enums.FormatOrder,
    enums.HailoPowerMode,
    enums.HailoStreamInterface,
    enums.HailoCpuId,
    enums.DvmTypes,
    enums.PowerMeasurementTypes,
    enums.SamplingPeriod,
    enums.AveragingFactor,
    enums.MeasurementBufferIndex,
    enums.HailoSchedulingAlgorithm,
)


# Take the place of the compiled binding: what pybind11 leaves in it shows whether it knows numpy 2.
_FOR_NUMPY_1 = Path(__file__).with_name("native_of_pybind11_2_10.bin")
_FOR_NUMPY_2 = Path(__file__).with_name("native_of_pybind11_2_13.bin")


def modules(machine: Machine) -> dict[str, ModuleType]:
    """The four modules by name."""
    found = statuses(machine.version)
    hef = type("HEF", (HEF,), {})
    ids = enums.notification_ids(machine.version)
    device = type("Device", (Device,), {"_notification_ids": ids})
    vdevice = type("VDevice", (VDevice,), {})
    world = World(machine, found, hef, device)
    for klass in (hef, device, vdevice):
        klass._world = world  # type: ignore[attr-defined]  # set on the class of this build
    binding = _module(
        "hailo_platform.pyhailort._pyhailort",
        {
            "HailoRTStatusException": found.raw,
            "get_status_message": found.status_name,
            "__version__": machine.version,
            "__file__": str(_FOR_NUMPY_2 if machine.knows_numpy_2 else _FOR_NUMPY_1),
        },
    )
    inner = {
        "HEF": hef,
        "Device": device,
        "VDevice": vdevice,
        "AsyncInferJob": AsyncInferJob,
        "HailoRTException": found.error,
        "HailoRTStreamAbortedByUser": type("HailoRTStreamAbortedByUser", (found.error,), {}),
        "HailoCommunicationClosedException": found.by_code[62],
        **{klass.__name__: klass for klass in _TOP_ENUMS},
        **{name: type(name, (), {}) for name in (*_LEGACY, *(_LEGACY_4 if machine.is_old_line else _LEGACY_5))},
    }
    top_only = {name: type(name, (), {}) for name in (_TOP_ONLY_4 if machine.is_old_line else ())}
    top_only["join_drivers_path"] = type("join_drivers_path", (), {})
    wrapper = _module(
        "hailo_platform.pyhailort.pyhailort",
        {
            **inner,
            **{klass.__name__: klass for klass in found.by_code.values()},
            "HailoRTPCIeDriverException": found.by_code[36],
            "HailoStatusInvalidValueException": found.unknown,
            "InferModel": InferModel,
            "ConfiguredInferModel": ConfiguredInferModel,
            "Control": Control,
            "NotificationId": ids,
            "DeviceArchitectureTypes": enums.DeviceArchitectureTypes,
            "_pyhailort": binding,
        },
    )
    package = _module("hailo_platform.pyhailort", {"pyhailort": wrapper, "_pyhailort": binding})
    missing = {"MissingPyHRTLib": type("MissingPyHRTLib", (Exception,), {})}
    top = _module(
        "hailo_platform", {**inner, **top_only, **missing, "__version__": machine.version, "pyhailort": package}
    )
    top.__all__ = sorted([*inner, *top_only])  # type: ignore[attr-defined]  # a module may have one
    return {module.__name__: module for module in (top, package, wrapper, binding)}


def importer(machine: Machine) -> Callable[[str], ModuleType]:
    """Replaces `importlib.import_module`."""
    built = modules(machine)

    def import_module(name: str) -> ModuleType:
        outcome = machine.outcome_of("import")
        if isinstance(outcome, BaseException):
            raise outcome
        return built[name]

    return import_module


def _module(name: str, contents: dict[str, Any]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(contents)
    return module
