"""The HailoRT library, imported when it is first needed and never at module import."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from edgeinfer.errors import BackendError
from edgeinfer.installation import this_installation

Importer = Callable[[str], ModuleType]
Locator = Callable[[], Path | None]
_PACKAGE = "hailo_platform"
_INSTALL = (
    "Install it (on a Pi: sudo apt install hailo-all, or hailo-h10-all) and use a venv made with "
    "--system-site-packages."
)
_SHARED_OBJECT = re.compile(r"libhailort\.so[\w.]*")
_CPYTHON = re.compile(r"cpython-(\d)(\d+)")


@dataclass(frozen=True, slots=True)
class Library:
    """One loaded HailoRT.

    Args:
        version: such as "4.23.0".
        platform: the module `hailo_platform`.
        binding: the module `hailo_platform.pyhailort.pyhailort`, with the names that the top level lacks.
        root: below which the kernel's folders of its machine lie, for explaining failures.
    """

    version: str
    platform: Any
    binding: Any
    root: Path = Path("/")

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
        """Number of devices, to distinguish failures; None if even the scan fails."""
        try:
            return len(self.scan())
        except Exception:  # noqa: BLE001  # the raw exception of 4.x derives from nothing narrower
            return None


def _package_folder() -> Path | None:
    spec = importlib.util.find_spec(_PACKAGE)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def load_library(import_module: Importer = importlib.import_module, locate: Locator = _package_folder) -> Library:
    """Import HailoRT.

    Args:
        import_module: imports a module by name; tests pass a fake.
        locate: finds the package without importing it; called only to explain a failure.

    Raises:
        BackendError: of class `hailort_init_failure`; the library is missing or does not load.
    """
    try:
        platform = import_module("hailo_platform")
        binding = import_module("hailo_platform.pyhailort.pyhailort")
    except ModuleNotFoundError as failure:
        raise _not_found(failure.name or _PACKAGE, locate) from failure
    except Exception as failure:  # a version clash of the native parts derives from nothing narrower
        raise _does_not_load(failure) from failure
    return Library(str(platform.__version__), platform, binding)


def _not_found(name: str, locate: Locator) -> BackendError:
    """Distinguish by what was not found: the package, its native part, or something that it needs."""
    if name == _PACKAGE:
        return _not_loaded("is not installed for this Python", _INSTALL)
    here = ".".join(map(str, sys.version_info[:2]))
    if name.startswith(_PACKAGE + "."):
        built_for = _native_pythons(locate())
        parts = f"its native part is for Python {', '.join(built_for)}" if built_for else "it has no native part"
        fault = f"is installed, and {parts}; this is Python {here}"
        remedy = f"Make the venv with that Python and --system-site-packages, or install HailoRT for Python {here}."
        return _not_loaded(fault, remedy if built_for else f"Install HailoRT for Python {here} again.")
    fault = f"is installed, and the module {name} that it needs is not"
    return _not_loaded(fault, f"Install it into this environment: {this_installation().add(name)}")


def _does_not_load(failure: Exception) -> BackendError:
    missing = _SHARED_OBJECT.search(str(failure))
    if missing:
        return _not_loaded(
            f"does not load: its native part wants {missing.group(0)}, and that is not here",
            "Install the package hailort (h10-hailort for a Hailo-10H) of the version of its Python package; do not "
            "mix 4.x and 5.x.",
        )
    return _not_loaded(
        f"does not load ({type(failure).__name__}: {failure})",
        "Install python and native library of the same version; do not mix 4.x and 5.x packages.",
    )


def _native_pythons(folder: Path | None) -> list[str]:
    """Python versions that a native part is installed for, such as "3.11"; CPython's tag is part of its file name."""
    if folder is None:
        return []
    found = [_CPYTHON.search(file.name) for file in (folder / "pyhailort").glob("_pyhailort*.so")]
    return sorted({f"{match.group(1)}.{match.group(2)}" for match in found if match})


def _not_loaded(fault: str, remedy: str) -> BackendError:
    return BackendError("the HailoRT library", fault, remedy, error_class="hailort_init_failure")
