"""The stack that runs is found by its own record: its folder, its ports, and which one of several."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgeinfer.cli import diagnose, doctor, incidents, load_test, top
from edgeinfer.cli._background import refuse_another_backend
from edgeinfer.cli._running_stack import find_running_stack, root_to_diagnose
from edgeinfer.errors import DataFolderError, MonitoringError
from edgeinfer.monitoring.causes.commands import Way
from edgeinfer.settings import StackSettings
from edgeinfer.stack import lock, state_file
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.ports import PortPool

NAMES = ("gateway", "sidecar-1", "console", "prometheus", "alertmanager")


@contextmanager
def running_on(root: Path) -> Iterator[dict[str, str]]:
    """A run that holds the folder and has written down where its processes are; nothing listens there."""
    root.mkdir(exist_ok=True)
    addresses = {name: f"http://127.0.0.1:{port}" for name, port in zip(NAMES, PortPool().take(5), strict=True)}
    with lock.hold(DataFolder(root).lock):
        state_file.write(DataFolder(root).record, state_file.StackRecord(os.getpid(), addresses, ()))
        yield addresses


def settings_of(home: Path, folder: Path | None = None) -> StackSettings:
    return StackSettings.from_environment({}, data_home=home, data_folder=folder)


def test_folder_and_ports_are_those_of_the_record(tmp_path: Path) -> None:
    with running_on(tmp_path / "mine ü") as addresses:
        stack = find_running_stack(settings_of(tmp_path, tmp_path / "mine ü"))
        assert stack is not None
        settings = stack.settings(settings_of(tmp_path))
    assert settings.data_folder == tmp_path / "mine ü"
    assert addresses["prometheus"].endswith(f":{settings.prometheus_port}")
    assert addresses["sidecar-1"].endswith(f":{settings.sidecar_port}")
    assert settings.sidecars == 1


def test_a_record_of_a_run_that_has_ended_is_no_stack(tmp_path: Path) -> None:
    with running_on(tmp_path / "gone"):
        pass
    assert find_running_stack(settings_of(tmp_path, tmp_path / "gone")) is None
    with lock.hold(DataFolder(tmp_path / "gone").lock):
        state_file.write(DataFolder(tmp_path / "gone").record, state_file.StackRecord(1, {}, ()))
        assert find_running_stack(settings_of(tmp_path, tmp_path / "gone")) is None


def test_without_a_name_the_only_one_is_found_and_several_are_listed(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with ExitStack() as runs:
        runs.enter_context(running_on(first))
        second.mkdir()
        only = find_running_stack(settings_of(tmp_path), marked=lambda: [first, second, tmp_path / "nowhere"])
        assert only is not None
        assert only.root == first
        runs.enter_context(running_on(second))
        with pytest.raises(DataFolderError, match=f"several stacks run here: on {first}, {second}"):
            find_running_stack(settings_of(tmp_path), marked=lambda: [second, first])


def test_the_usual_folder_comes_before_others(tmp_path: Path) -> None:
    with running_on(tmp_path / "edgeinfer"), running_on(tmp_path / "other"):
        stack = find_running_stack(settings_of(tmp_path), marked=lambda: [tmp_path / "other"])
    assert stack is not None
    assert stack.root == tmp_path / "edgeinfer"


def invoke(command: object, *words: str) -> Result:
    return CliRunner().invoke(command.create(), words)  # type: ignore[attr-defined]  # a module of cli


def test_doctor_looks_at_the_ports_of_the_stack_that_runs(tmp_path: Path) -> None:
    with running_on(tmp_path) as addresses:
        said = invoke(doctor, "--only", "ports", "--data-folder", str(tmp_path)).output
    assert f"stack: runs on {tmp_path} (process {os.getpid()}): {addresses['gateway']}" in said
    assert f"port {addresses['console'].rpartition(':')[2]}: free for the console" in said


def test_top_asks_the_prometheus_of_the_stack_that_runs(tmp_path: Path) -> None:
    with running_on(tmp_path) as addresses:
        said = invoke(top, "--once", "--json", "--data-folder", str(tmp_path))
    assert said.exit_code == 1
    assert addresses["prometheus"] in said.output
    ended = invoke(top, "--once", "--data-folder", str(tmp_path))
    assert isinstance(ended.exception, DataFolderError)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Addresses of the only run that a process of this machine belongs to, and not on the usual folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("EDGEINFER_DATA_FOLDER", raising=False)
    with running_on(tmp_path / "elsewhere") as addresses:
        monkeypatch.setattr(state_file, "marked_folders", lambda: {tmp_path / "elsewhere"})
        yield addresses


def test_a_diagnosis_is_of_the_stack_that_runs(elsewhere: dict[str, str]) -> None:
    said = invoke(diagnose, "--at", "5m")
    assert f"cannot be reached at {elsewhere['prometheus']}" in said.output
    assert "names no run that is under way" not in said.output


def test_incidents_are_of_the_stack_that_runs(elsewhere: dict[str, str]) -> None:
    failure = invoke(incidents).exception
    assert isinstance(failure, MonitoringError)
    assert elsewhere["prometheus"] in str(failure)


@pytest.mark.usefixtures("elsewhere")
def test_a_stack_that_is_named_is_not_looked_for(tmp_path: Path) -> None:
    unnamed, usual = settings_of(tmp_path / "home"), tmp_path / "home" / "edgeinfer"
    assert root_to_diagnose(unnamed, None) == tmp_path / "elsewhere"
    assert root_to_diagnose(unnamed, None, Way.UP) == tmp_path / "elsewhere"
    assert root_to_diagnose(settings_of(tmp_path, tmp_path / "named"), None) == tmp_path / "named"
    assert root_to_diagnose(unnamed, "http://127.0.0.1:9090") == usual
    assert root_to_diagnose(unnamed, None, Way.SYSTEMD) == usual


def test_of_several_stacks_the_diagnosis_asks_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    folders = {tmp_path / "first", tmp_path / "second"}
    monkeypatch.setattr(state_file, "marked_folders", lambda: folders)
    with ExitStack() as runs:
        for folder in folders:
            runs.enter_context(running_on(folder))
        for command in (diagnose, incidents):
            assert "Name one with --data-folder" in str(invoke(command).exception)


def test_load_test_loads_the_stack_that_runs_and_says_so(tmp_path: Path) -> None:
    words = ("--running-stack", "--seconds", "1", "--users", "1", "--data-folder", str(tmp_path))
    with running_on(tmp_path) as addresses:
        said = invoke(load_test, *words)
    assert said.exit_code == 1
    assert f"against {addresses['gateway']}" in said.output
    assert f"Loading the stack that runs on {tmp_path}; its dashboards: {addresses['console']}" in said.output
    ended = invoke(load_test, *words)
    assert isinstance(ended.exception, DataFolderError)
    assert "no stack runs on it" in str(ended.exception)


def test_a_stack_that_does_not_say_its_backend_is_left_alone(tmp_path: Path) -> None:
    with running_on(tmp_path):
        stack = find_running_stack(settings_of(tmp_path, tmp_path))
    assert stack is not None
    refuse_another_backend(stack, "stub")
