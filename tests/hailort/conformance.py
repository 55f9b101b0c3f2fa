"""What the tests of the fake against HailoRT share: one version of it, its modules and a model on disk."""

from typing import Any

import numpy as np
import pytest

from tests.fakes.hailo_platform.build import modules
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.machine import Machine

VERSIONS = ("4.23.0", "5.2.0")


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
