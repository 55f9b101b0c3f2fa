"""Installs this checkout into the environment of the Python that runs this, by a path relative to the environment.

pip writes the whole path. Python before 3.13 reads it in the encoding of the locale, even in UTF-8 mode: with LC_ALL=C
and an umlaut in the path, no Python of that environment would start any more. Nothing but the standard library is
needed.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation")
_ROOT = Path(__file__).resolve().parents[1]
_PATH_FILES = "_editable_impl_*.pth"


def make_relative(packages: Path) -> None:
    """Rewrite each path file of an editable installation.

    Args:
        packages: the folder of the environment's packages.
    """
    for file in packages.glob(_PATH_FILES):
        path = packages / file.read_text(encoding="utf-8").strip()
        file.write_text(os.path.relpath(path, packages) + "\n", encoding="utf-8")


def main() -> None:
    """Install; ends with pip's exit code."""
    code = subprocess.run([sys.executable, *_PIP, "--editable", str(_ROOT)], check=False).returncode
    make_relative(Path(sysconfig.get_path("purelib")))
    sys.exit(code)


if __name__ == "__main__":
    main()
