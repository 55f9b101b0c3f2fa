"""`VDevice` and its parameters."""

import os
from typing import Any, Literal, Self

from tests.fakes.hailo_platform.enums import HailoSchedulingAlgorithm
from tests.fakes.hailo_platform.infer import InferModel
from tests.fakes.hailo_platform.machine import Chip
from tests.fakes.hailo_platform.world import World


class VDeviceParams:
    """The five properties; the scheduler is set as an enumeration and read as an int, as in the real binding.

    HailoRT 4.23: ids that are set, even none, set the count as well, and a count of none is status 2.
    """

    def __init__(self, scheduler: HailoSchedulingAlgorithm) -> None:
        self._device_ids: list[str] = []
        self.device_count = 1
        self.group_id = "UNIQUE"
        self.multi_process_service = False
        self._scheduler = scheduler

    @property
    def device_ids(self) -> list[str]:
        return list(self._device_ids)

    @device_ids.setter
    def device_ids(self, ids: list[str]) -> None:
        self._device_ids, self.device_count = list(ids), len(ids)

    @property
    def scheduling_algorithm(self) -> Any:
        return int(self._scheduler)

    @scheduling_algorithm.setter
    def scheduling_algorithm(self, value: Any) -> None:
        if not isinstance(value, HailoSchedulingAlgorithm):
            raise TypeError("(): incompatible function arguments.")
        self._scheduler = value


class VDevice:
    """The library's `VDevice`; `_world` is set on the class of each build."""

    _world: World

    def __init__(self, params: VDeviceParams | None = None, *, device_ids: list[str] | None = None) -> None:
        machine = self._world.machine
        self._released = True
        self._world.step("VDevice")
        if device_ids and params is not None and params.device_ids:
            self._world.statuses.fail(6)
        if device_ids:
            # Both lines drop the caller's parameters on this path; 4.x has no scheduler here.
            params = self.create_params()
            params.device_ids = list(device_ids)
        self._params = params or self.create_params()
        self._check_service()
        self._chips = self._choose()
        for chip in self._chips:
            status = self._world.opening_status(chip)
            if status is not None:
                self._world.statuses.fail(status)
            chip.owner, chip.owner_group = "here", self._params.group_id
            chip.owners += 1
        self._creation_pid = os.getpid()
        self._released = False
        machine.vdevices_open += 1

    @classmethod
    def create_params(cls) -> VDeviceParams:
        """Default parameters: no scheduler in 4.x, round robin in 5.x."""
        old = cls._world.machine.is_old_line
        return VDeviceParams(HailoSchedulingAlgorithm.NONE if old else HailoSchedulingAlgorithm.ROUND_ROBIN)

    def _check_service(self) -> None:
        if not self._params.multi_process_service:
            return
        if not self._world.machine.is_old_line:
            self._world.statuses.fail(6)
        if self._params.scheduling_algorithm == 0:
            self._world.statuses.fail(2)
        self._world.statuses.fail(77)  # no hailort_service runs in this world

    def _choose(self) -> list[Chip]:
        if self._params.device_count == 0:
            self._world.statuses.fail(2)
        if self._params.device_ids:
            return [self._named(device_id) for device_id in self._params.device_ids]
        free = [chip for chip in self._world.machine.present() if self._may_take(chip)]
        if len(free) < self._params.device_count:
            self._world.statuses.fail(74)
        return free[: self._params.device_count]

    def _named(self, device_id: str) -> Chip:
        chip = self._world.machine.find(device_id)
        if chip is None:
            self._world.statuses.fail(2)
        if not self._may_take(chip):
            self._world.statuses.fail(73)
        return chip

    def _may_take(self, chip: Chip) -> bool:
        if chip.owner is None:
            return True
        shared = self._params.group_id == chip.owner_group != "UNIQUE"
        # Only the server on a Hailo-10H shares a group across processes.
        return shared and (chip.owner == "here" or not self._world.machine.is_old_line)

    @property
    def scheduler_is_on(self) -> bool:
        return bool(self._params.scheduling_algorithm)

    @property
    def chips(self) -> list[Chip]:
        return self._chips

    @property
    def is_released(self) -> bool:
        return self._released

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.release()
        return False

    def __del__(self) -> None:
        self.release()

    def release(self) -> None:
        if self._released:
            return
        self._released = True
        self._world.machine.vdevices_open -= 1
        for chip in self._chips:
            chip.owners -= 1
            if chip.owners == 0 and chip.owner == "here":
                chip.owner, chip.owner_group = None, "UNIQUE"

    def get_physical_devices_ids(self) -> list[str]:
        self._world.step("VDevice.get_physical_devices_ids")
        return [chip.device_id for chip in self._chips]

    def get_physical_devices(self) -> list[Any]:
        return [self._world.device(chip.device_id) for chip in self._chips]

    def configure(self, hef: Any, configure_params_by_name: Any = None) -> list[Any]:
        """The older path, which a Hailo-10H does not have."""
        del hef, configure_params_by_name
        self._world.statuses.fail(7)

    def create_infer_model(self, hef_source: str | bytes, name: str = "") -> InferModel:
        if os.getpid() != self._creation_pid:
            message = "InferModel can be created only from the process VDevice was created in."
            raise self._world.statuses.error(message)
        self._world.step("create_infer_model")
        if not isinstance(hef_source, str | bytes):
            raise TypeError("create_infer_model(): incompatible function arguments.")
        return InferModel(self._world, self, self._world.hef(hef_source), name)
