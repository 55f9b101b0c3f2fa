"""How this copy of the package was installed: where its pages are, and what a person types to add packages to it."""

import importlib.util
import re
import shlex
import sys
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path

_PACKAGE = Path(__file__).parent
# What these tools write into the root of an environment that they made.
_PIPX_FILE = "pipx_metadata.json"
_UV_TOOL_FILE = "uv-receipt.toml"
# Of our image (deploy/Dockerfile), whose root is read-only.
_PREFIX_OF_THE_IMAGE = Path("/opt/edgeinfer")
_CONTAINER_FILES = (Path("/.dockerenv"), Path("/run/.containerenv"))
_EXTRA = re.compile(r"""^(?P<requirement>.*?)\s*;.*\bextra\s*==\s*["'](?P<extra>[\w-]+)["']""")


def _has_pip() -> bool:
    return importlib.util.find_spec("pip") is not None


@dataclass(frozen=True, slots=True)
class Installation:
    """A copy of the package and the environment that it is in.

    Args:
        package: folder of the package.
        prefix: root of the environment.
        python: its interpreter.
        has_pip: whether pip is in it; uv makes environments without.
        is_in_image: whether the environment is the one of our image, to which nothing can be added.
    """

    package: Path
    prefix: Path
    python: str
    has_pip: bool
    is_in_image: bool = False

    @property
    def checkout(self) -> Path | None:
        """Root of the checkout that the package runs from; None for a wheel."""
        root = self.package.parent.parent
        return root if self.package.parent.name == "src" and (root / "pyproject.toml").exists() else None

    def file(self, name: str) -> str:
        """Where a file of the source is here; its name in the source where it was not installed.

        Args:
            name: relative to the root of the source, such as docs/guides/fleet.md.
        """
        shipped = self.package / name
        return str(shipped) if shipped.exists() else name

    def add(self, *requirements: str) -> str:
        """The command that adds packages, or other versions of them, to this environment."""
        words = shlex.join(requirements)
        if (self.prefix / _PIPX_FILE).exists():
            return f"pipx runpip {shlex.quote(self.prefix.name)} install {words}"
        python = shlex.quote(self.python)
        if (self.prefix / _UV_TOOL_FILE).exists() or not self.has_pip:
            return f"uv pip install --python {python} {words}"
        return f"{python} -m pip install {words}"

    def add_extra(self, extra: str) -> str:
        """The command that adds what an extra of the package needs: by the lock in a checkout, else by its metadata."""
        if self.checkout is not None:
            return self.add("--require-hashes", "-r", str(self.checkout / f"requirements-{extra}.lock"))
        if self.is_in_image:
            return f"build the image with IMAGE_EXTRAS={extra} in deploy/.env"
        return self.add(*requirements_of(extra, requires("edgeinfer") or []))


def requirements_of(extra: str, listed: list[str]) -> list[str]:
    """Those requirements of a package's metadata that an extra adds."""
    found = [match for line in listed if (match := _EXTRA.match(line))]
    return [match["requirement"] for match in found if match["extra"] == extra]


def this_installation() -> Installation:
    prefix = Path(sys.prefix)
    is_in_image = prefix == _PREFIX_OF_THE_IMAGE and any(file.exists() for file in _CONTAINER_FILES)
    return Installation(_PACKAGE, prefix, sys.executable, _has_pip(), is_in_image)


def shipped_file(name: str) -> str:
    """`Installation.file` of the one that runs, for the remedies of errors."""
    return this_installation().file(name)
