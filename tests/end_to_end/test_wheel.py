"""The wheel, installed alone with what the runtime lock names, is the whole product."""

import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_EDITION = {"onnx", "torch", "pytest", "grafana_foundation_sdk", "hypothesis", "mypy", "playwright"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment elsewhere with the wheel and links to the distributions of the runtime lock, nothing else."""
    home = tmp_path_factory.mktemp("elsewhere")
    venv.create(home, with_pip=False)
    site = next(home.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for name in _locked():
        for entry in _entries(name):
            (site / entry.name).symlink_to(entry)
    return home


def _locked() -> list[str]:
    lock = (ROOT / "requirements-runtime.lock").read_text(encoding="utf-8")
    return re.findall(r"^([\w.-]+)==", lock, flags=re.MULTILINE)


def _entries(name: str) -> Iterator[Path]:
    """The top-level files and folders of a distribution in site-packages."""
    try:
        listed = files(name) or []
    except PackageNotFoundError:  # of another platform
        return
    tops = {file.parts[0]: Path(str(file.locate())) for file in listed if file.parts[0] not in {"..", "__pycache__"}}
    for top, path in tops.items():
        yield next(parent for parent in (path, *path.parents) if parent.name == top)


def test_model_recordings_dashboards_rules_runbooks_and_console_are_inside_and_nothing_else_is(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for wanted in (
        "edgeinfer/model/default/card.json",
        "edgeinfer/monitoring/generated/dashboards/grafana_hailo_sidecar_dashboard.json",
        "edgeinfer/monitoring/generated/rules/recording.yml",
        "edgeinfer/monitoring/generated/runbooks/HailoSidecarDown.md",
        "edgeinfer/monitoring/generated/fleet/centre.yml",
        "edgeinfer/console/static/index.html",
    ):
        assert wanted in names
    assert [name for name in names if name.startswith("edgeinfer/recordings/") and not name.endswith(".py")]
    assert {name.split("/")[0].split("-")[0] for name in names} == {"edgeinfer"}
    checkout = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "edgeinfer").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert checkout - names == set()


def test_the_runtime_lock_names_every_dependency_and_nothing_of_development() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = project.split("\ndependencies = [", 1)[1].split("\n]", 1)[0]
    wanted = set(re.findall(r'^  "([\w-]+)', listed, flags=re.MULTILINE))
    locked = {name.lower() for name in _locked()}
    assert wanted - locked == set(), "run make lock"
    assert not locked & {"pytest", "onnx", "mypy", "ruff", "playwright", "hatchling", "grafana-foundation-sdk"}


@pytest.mark.end_to_end
def test_the_wheel_alone_knows_its_parts_and_refuses_development_imports(installed: Path) -> None:
    python = installed / "bin" / "python"
    result = subprocess.run(
        [python, "-I", "-m", "edgeinfer", "doctor", "--only", "model"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert str(installed) in result.stdout
    imports = (
        f"import importlib.util, sys\nprint([name for name in {sorted(_EDITION)!r} if importlib.util.find_spec(name)])"
    )
    assert subprocess.check_output([python, "-I", "-c", imports], text=True).strip() == "[]"


@pytest.mark.end_to_end
def test_the_whole_stack_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    from tests.end_to_end.running_stack import RunningStack, until  # noqa: PLC0415  # only this test starts a stack

    running = RunningStack(tmp_path / "data", python=str(installed / "bin" / "python"))
    try:
        assert until(lambda: running.query("sum(edgeinfer_samples_received_total) > 0") != {}, 40)
    finally:
        running.interrupt()
        running.close()
