"""The wheel, installed alone with what the runtime lock names, is the whole product."""

import json
import os
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
    uv = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-deps", "--no-index"]
    subprocess.run([*uv, "--python", str(home / "bin" / "python"), str(wheel)], check=True, capture_output=True)
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


def test_every_file_of_the_source_that_a_message_names_is_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r"""shipped_file\(["']([^"']+)["']\)""", source))
    assert len(named) >= 6
    assert {f"edgeinfer/{name}" for name in named} - names == set()


def test_the_guide_names_the_command_of_each_make_target_that_a_user_needs() -> None:
    page = (ROOT / "docs/guides/without-a-checkout.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `make ([a-z0-9-]+)[^`]*` \| (.*) \|$", page, flags=re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    of_production = makefile.split("# --- Production", 1)[1].split("\nimage image-digests", 1)[0]
    wanted = set(re.findall(r"^([a-z0-9-]+):.*## ", of_production, flags=re.MULTILINE))
    wanted |= {"run", "setup", "setup-monitoring", "test", "test-performance", "chaos"}
    assert wanted - rows.keys() == set()
    assert [name for name, cell in rows.items() if not re.search(r"`[^`]*edgeinfer |checkout", cell)] == []


def in_a_bare_shell(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as a person types it: another folder, and no make, git, docker or Prometheus on PATH."""
    environment = {"HOME": str(folder), "PATH": str(installed / "bin"), "LANG": "C.UTF-8"}
    quiet = {name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")}
    return subprocess.run(
        ["edgeinfer", *words], env=environment | quiet, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.end_to_end
@pytest.mark.timeout(240)  # the first test of the file also makes the environment
def test_the_command_is_there_and_every_verb_of_it_answers_help(installed: Path, tmp_path: Path) -> None:
    listed = in_a_bare_shell(installed, tmp_path, "--help")
    assert listed.returncode == 0, listed.stderr
    verbs = re.findall(r"^  ([a-z-]+)  ", listed.stdout.split("Commands:", 1)[1], flags=re.MULTILINE)
    assert {"up", "down", "doctor", "top", "diagnose", "incidents", "replay", "load-test"} <= set(verbs)
    every = (
        "from click.testing import CliRunner\nfrom edgeinfer.cli.main import edgeinfer_command as command\n"
        f"print([name for name in {verbs!r} if CliRunner().invoke(command, [name, '--help']).exit_code])"
    )
    python = installed / "bin" / "python"
    failed = subprocess.run([python, "-I", "-c", every], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert failed.stdout.strip() == "[]", failed.stdout + failed.stderr


@pytest.mark.end_to_end
def test_doctor_says_in_any_folder_what_is_here_and_which_command_gets_the_rest(
    installed: Path, tmp_path: Path
) -> None:
    checked = in_a_bare_shell(installed, tmp_path, "doctor", "--json", "--data-folder", str(tmp_path / "data"))
    found = {one["subject"]: one for one in json.loads(checked.stdout)}
    assert {found[subject]["verdict"] for subject in ("python", "edgeinfer", "model", "recordings", "data folder")} == {
        "ok"
    }
    assert str(installed) in found["model"]["message"]
    # No apt-get on this PATH, so Prometheus cannot be fetched; what is said must not need a checkout.
    assert found["prometheus"]["verdict"] == "missing"
    assert "make " not in checked.stdout
    assert checked.returncode == 1


@pytest.mark.end_to_end
def test_what_prometheus_needs_is_one_command_where_packages_can_be_fetched(installed: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("apt-get", "dpkg"):
        (tools / name).symlink_to("/bin/false")
    environment = {"HOME": str(tmp_path), "PATH": f"{installed / 'bin'}:{tools}", "LANG": "C.UTF-8"}
    checked = subprocess.run(
        ["edgeinfer", "doctor", "--only", "prometheus"], env=environment, cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "edgeinfer doctor --fetch" in checked.stdout


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
@pytest.mark.timeout(300)
def test_the_whole_stack_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    from tests.end_to_end.running_stack import RunningStack, until  # noqa: PLC0415  # only this test starts a stack

    running = RunningStack(tmp_path / "data", python=str(installed / "bin" / "python"))
    try:
        assert until(lambda: running.query("sum(edgeinfer_samples_received_total) > 0") != {}, 120)
    finally:
        running.interrupt()
        running.close()
