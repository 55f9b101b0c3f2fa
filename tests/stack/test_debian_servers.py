"""Under systemd the units of Debian's servers set damaged files aside before each start."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgeinfer.cli.main import edgeinfer_command
from edgeinfer.errors import DataFolderError
from edgeinfer.stack.damage_rules import SERIES
from edgeinfer.stack.debian_servers import SERVERS, set_aside_damage
from edgeinfer.stack.events import Event, EventKind
from tests.stack.recorded_events import RecordedEvents

DROP_INS = Path(__file__).parents[2] / "deploy/systemd"
BLOCK = "01JDXXXXXXXXXXXXXXXXXXXXXX"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """As Debian lays it out, with a block without its description and silences that are none."""
    (tmp_path / "metrics2" / BLOCK / "chunks").mkdir(parents=True)
    (tmp_path / "metrics2" / BLOCK / "index").write_bytes(b"\0" * 64)
    (tmp_path / "alertmanager").mkdir()
    (tmp_path / "alertmanager/silences").write_bytes(b"\xff" * 32)
    return tmp_path


def counts(root: Path) -> dict[str, str]:
    (group,) = json.loads((root / "damaged/set-aside.yml").read_text())["groups"]
    assert {rule["record"] for rule in group["rules"]} == {SERIES}
    return {rule["labels"]["part"]: rule["expr"] for rule in group["rules"]}


def test_what_prometheus_cannot_use_is_moved_and_counted_and_alertmanagers_files_are_left(
    root: Path, reported: RecordedEvents
) -> None:
    assert set_aside_damage("prometheus", root / "metrics2", reported)
    (moved,) = (root / "damaged").glob(f"*/metrics2/{BLOCK}")
    assert (moved / "index").exists()
    assert not (root / "metrics2" / BLOCK).exists()
    assert (root / "alertmanager/silences").read_bytes() == b"\xff" * 32
    assert counts(root) == {"prometheus": "vector(1)", "alertmanager": "vector(0)", "stack": "vector(0)"}
    assert not set_aside_damage("prometheus", root / "metrics2", reported)


def test_what_alertmanager_cannot_use_is_moved_and_counted(root: Path, reported: RecordedEvents) -> None:
    assert set_aside_damage("alertmanager", root / "alertmanager", reported)
    assert [path.read_bytes() for path in (root / "damaged").glob("*/alertmanager/silences")] == [b"\xff" * 32]
    assert (root / "alertmanager/silences").read_bytes() == b""
    assert (root / "metrics2" / BLOCK).exists()
    assert counts(root)["alertmanager"] == "vector(1)"


def test_it_says_what_is_lost(root: Path) -> None:
    events: list[Event] = []
    set_aside_damage("alertmanager", root / "alertmanager", events.append)
    (event,) = [event for event in events if event.kind is EventKind.DAMAGED]
    assert "alertmanager/silences" in event.message
    assert "Lost: " in event.message


def test_root_is_refused_because_the_files_would_become_its_own(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    before = sorted(root.rglob("*"))
    done = CliRunner().invoke(edgeinfer_command, ["set-aside", "prometheus", str(root / "metrics2")])
    assert isinstance(done.exception, DataFolderError)
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("server", SERVERS)
def test_the_unit_calls_it_on_the_folder_that_its_server_gets_and_starts_whatever_comes_of_it(server: str) -> None:
    name = "prometheus" if server == "prometheus" else "prometheus-alertmanager"
    text = (DROP_INS / f"{name}.service.d/edgeinfer.conf").read_text()
    (storage,) = re.findall(r"--storage\.(?:tsdb\.)?path=(\S+)", text)
    assert f"ExecStartPre=-/opt/edgeinfer/venv/bin/edgeinfer set-aside {server} {storage}\n" in text
    # Each of them is a mount of its own, and a rename from one to another fails.
    assert re.findall(r"(?m)^(?:StateDirectory|ReadWritePaths)=(.*)$", text) == ["prometheus"]
    assert "/var/lib/prometheus/damaged/*.yml" in (DROP_INS / "prometheus.yml").read_text()


def test_what_cannot_be_moved_is_said_and_stays(root: Path) -> None:
    events: list[Event] = []
    (root / "damaged").write_text("a file in the way")
    set_aside_damage("alertmanager", root / "alertmanager", events.append)
    (event,) = events
    assert event.kind is EventKind.WARNING
    assert "alertmanager/silences" in event.message
    assert "could not be moved" in event.message
    assert (root / "alertmanager/silences").exists()
