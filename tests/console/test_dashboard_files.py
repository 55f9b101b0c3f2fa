"""Dashboard files: read, read again, refused one by one."""

import json
import os
from pathlib import Path

import pytest

from edgeinfer.console.dashboard_files import Broken, DashboardFiles, parse_file
from edgeinfer.errors import UnknownDashboard
from edgeinfer.monitoring.files import dashboard_files
from tests.console.small_dashboards import dashboard, panel, target, write


def test_panels_in_folded_rows_are_found(tmp_path: Path) -> None:
    row = {"id": 9, "type": "row", "title": "Row", "collapsed": True, "panels": [panel(2, target("up"))]}
    library = DashboardFiles(write(tmp_path, dashboard(panel(1, target("up")), row)))
    assert set(library.get("small").panels) == {1, 2, 9}


@pytest.mark.parametrize(
    "text", ["{", "[]", "null", '{"dashboard": {}}', '{"panels": [{}], "uid": "a", "title": "b"}', '{"panels": 3}']
)
def test_a_malformed_file_is_reported_and_harms_no_other(tmp_path: Path, text: str) -> None:
    write(tmp_path, dashboard(panel(1, target("up"))))
    (tmp_path / "bad.json").write_text(text)
    dashboards, broken = DashboardFiles(tmp_path).read()
    assert [one.uid for one in dashboards] == ["small"]
    assert [one.file for one in broken] == ["bad.json"]
    assert broken[0].fault


def test_of_two_panels_with_one_id_the_second_gets_another_with_a_note(tmp_path: Path) -> None:
    write(tmp_path, dashboard(panel(1, target("up")), panel(1, target("down"))))
    found = DashboardFiles(tmp_path).get("small")
    assert {number: one.targets[0].expression for number, one in found.panels.items()} == {1: "up", 2: "down"}
    assert [one["id"] for one in found.document["panels"]] == [1, 2]
    assert "1 panels had the id of another" in found.document["description"]


@pytest.mark.parametrize(
    ("text", "says"),
    [('{"rows": [], "title": "Old"}', "Grafana 4 or older"), ('{"spec": {"elements": {}}}', "schema v2")],
)
def test_a_model_that_the_console_does_not_read_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "other.json").write_text(text)
    _, (broken,) = DashboardFiles(tmp_path).read()
    assert says in broken.fault


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    library = DashboardFiles(write(tmp_path, dashboard(panel(1, target("up")))))
    assert library.get("small").title == "Small"
    write(tmp_path, dashboard(panel(1, target("up")), title="Renamed"))
    os.utime(tmp_path / "small.json", ns=(1, 1))
    assert library.get("small").title == "Renamed"


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    dashboards, broken = DashboardFiles(tmp_path / "nowhere").read()
    assert dashboards == []
    assert "no such folder" in broken[0].fault


def test_an_unknown_uid_has_no_dashboard(tmp_path: Path) -> None:
    with pytest.raises(UnknownDashboard):
        DashboardFiles(tmp_path).get("../../etc/passwd")


def test_every_shipped_dashboard_is_readable() -> None:
    found = [parse_file(path) for path in dashboard_files()]
    assert found
    assert [one for one in found if isinstance(one, Broken)] == []


def test_a_file_without_uid_and_ids_is_taken_with_a_note(tmp_path: Path) -> None:
    document = dashboard(
        panel(5, target("up")), {"type": "stat", "title": "New", "gridPos": {}, "targets": [target("up")]}
    )
    del document["uid"]
    tmp_path.joinpath("mine.json").write_text(json.dumps(document))
    (found,), broken = DashboardFiles(tmp_path).read()
    assert (found.uid, set(found.panels), broken) == ("mine", {5, 6}, [])
    assert found.document["panels"][1]["id"] == 6
    assert found.document["panels"][1]["gridPos"] == {"x": 0, "y": 0, "w": 6, "h": 3}
    assert "its name mine is used. 1 panels had no id." in found.document["description"]


def test_two_files_with_one_uid_are_both_shown(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        tmp_path.joinpath(f"{name}.json").write_text(json.dumps(dashboard(panel(1, target("up")), title=name)))
    found, broken = DashboardFiles(tmp_path).read()
    assert {one.title: one.uid for one in found} == {
        "a": "small",
        "b": "small-2",
        "c": "small-3",
    }
    assert broken == []
    assert "Another file has the uid small" in DashboardFiles(tmp_path).get("small-2").document["description"]


def test_what_is_not_prometheus_is_not_asked(tmp_path: Path) -> None:
    loki = panel(1, {"refId": "A", "expr": '{job="x"}'}, datasource={"type": "loki", "uid": "l"})
    math = panel(2, target("up"), {"refId": "B", "type": "math", "expression": "$A * 2"})
    shared = {
        "id": 3,
        "title": "SingleFlightCache",
        "libraryPanel": {"uid": "l", "name": "SingleFlightCache"},
        "gridPos": {},
    }
    found = DashboardFiles(write(tmp_path, dashboard(loki, math, shared))).get("small")
    asked = {number: [target.expression for target in one.targets] for number, one in found.panels.items()}
    assert asked == {1: [], 2: ["up"], 3: []}
    assert found.panels[3].kind == "library panel"
