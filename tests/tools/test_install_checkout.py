import os
import subprocess
import venv
from pathlib import Path

import pytest

from tools.install_checkout import make_relative


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A Python whose environment names a checkout below an umlaut, as an editable installation does."""
    checkout = tmp_path / "Übung" / "edgeinfer"
    (checkout / "src").mkdir(parents=True)
    (checkout / "src/of_the_checkout.py").touch()
    venv.create(checkout / ".venv", symlinks=True)
    (packages,) = (checkout / ".venv/lib").glob("python*/site-packages")
    (packages / "_editable_impl_edgeinfer.pth").write_text(str(checkout / "src"), encoding="utf-8")
    make_relative(packages)
    return checkout / ".venv/bin/python"


def test_a_checkout_below_an_umlaut_is_found_in_locale_c(python: Path) -> None:
    environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    subprocess.run([python, "-c", "import of_the_checkout"], env=environment, check=True)


def test_a_second_time_changes_nothing(python: Path) -> None:
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    make_relative(packages)
    assert (packages / "_editable_impl_edgeinfer.pth").read_text(encoding="utf-8") == "../../../../src\n"
