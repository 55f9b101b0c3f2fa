"""The HailoRT library, imported when it is asked for and never before."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from edgeinfer.errors import BackendError

Importer = Callable[[str], ModuleType]


@dataclass(frozen=True, slots=True)
class Library:
    """One loaded HailoRT.

    Args:
        version: such as "4.23.0".
        platform: the module `hailo_platform`.
        binding: the module `hailo_platform.pyhailort.pyhailort`, where the names live that the top level lacks.
    """

    version: str
    platform: Any
    binding: Any

    @property
    def is_remote(self) -> bool:
        """Whether the host only talks to a server on the device: the 5.x line, Hailo-10H."""
        return not self.version.startswith("4.")

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version as numbers that compare, such as (4, 23, 0)."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])

    @property
    def native_part(self) -> Path | None:
        """File of the compiled binding; None where there is none to be found."""
        file = getattr(getattr(self.binding, "_pyhailort", None), "__file__", None)
        return Path(file) if file and Path(file).is_file() else None

    def scan(self) -> list[str]:
        """Addresses of the devices, such as "0001:01:00.0"; raises HailoRT's raw exceptions."""
        return [str(device_id) for device_id in self.platform.Device.scan()]

    def scan_count(self) -> int | None:
        """Number of devices, for telling failures apart; None if even the scan fails."""
        try:
            return len(self.scan())
        except Exception:  # noqa: BLE001  # the raw exception of 4.x derives from nothing narrower
            return None


def load_library(import_module: Importer = importlib.import_module) -> Library:
    """Import HailoRT.

    Args:
        import_module: how a module is had by its name; tests give a fake one.

    Raises:
        BackendError: of class `hailort_init_failure`; the library is missing or does not load.
    """
    try:
        platform = import_module("hailo_platform")
        binding = import_module("hailo_platform.pyhailort.pyhailort")
    except ModuleNotFoundError as failure:
        raise _not_loaded(
            "is not installed for this Python",
            "Install it (on a Pi: sudo apt install hailo-all, or hailo-h10-all) and use a venv made with "
            "--system-site-packages.",
        ) from failure
    except Exception as failure:  # MissingPyHRTLib and a version clash of the native parts derive from nothing narrower
        raise _not_loaded(
            f"does not load ({type(failure).__name__}: {failure})",
            "Install python and native library of the same version; do not mix 4.x and 5.x packages.",
        ) from failure
    return Library(str(platform.__version__), platform, binding)


def _not_loaded(fault: str, remedy: str) -> BackendError:
    return BackendError("the HailoRT library", fault, remedy, error_class="hailort_init_failure")
