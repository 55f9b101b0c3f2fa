"""Dashboard files: read, read again, refused one by one."""

import os
from pathlib import Path

import pytest

from edgeinfer.console.library import Broken, Library, parse_file
from edgeinfer.errors import UnknownDashboard
from edgeinfer.monitoring.files import dashboard_files
from tests.console.boards import board, panel, target, write


def test_panels_in_folded_rows_are_found(tmp_path: Path) -> None:
    row = {"id": 9, "type": "row", "title": "Row", "collapsed": True, "panels": [panel(2, target("up"))]}
    library = Library(write(tmp_path, board(panel(1, target("up")), row)))
    assert set(library.get("small-board").panels) == {1, 2, 9}


@pytest.mark.parametrize(
    "text", ["{", "[]", "null", '{"dashboard": {}}', '{"panels": [{}], "uid": "a", "title": "b"}', '{"panels": 3}']
)
def test_a_malformed_file_is_told_and_harms_no_other(tmp_path: Path, text: str) -> None:
    write(tmp_path, board(panel(1, target("up"))))
    (tmp_path / "bad.json").write_text(text)
    dashboards, broken = Library(tmp_path).read()
    assert [one.uid for one in dashboards] == ["small-board"]
    assert [one.file for one in broken] == ["bad.json"]
    assert broken[0].fault


def test_two_panels_with_one_id_are_refused(tmp_path: Path) -> None:
    write(tmp_path, board(panel(1, target("up")), panel(1, target("up"))))
    assert isinstance(parse_file(tmp_path / "small-board.json"), Broken)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    library = Library(write(tmp_path, board(panel(1, target("up")))))
    assert library.get("small-board").title == "Small"
    write(tmp_path, board(panel(1, target("up")), title="Renamed"))
    os.utime(tmp_path / "small-board.json", ns=(1, 1))
    assert library.get("small-board").title == "Renamed"


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    dashboards, broken = Library(tmp_path / "nowhere").read()
    assert dashboards == []
    assert "no such folder" in broken[0].fault


def test_an_unknown_uid_has_no_dashboard(tmp_path: Path) -> None:
    with pytest.raises(UnknownDashboard):
        Library(tmp_path).get("../../etc/passwd")


def test_every_shipped_dashboard_is_readable() -> None:
    found = [parse_file(path) for path in dashboard_files()]
    assert found
    assert [one for one in found if isinstance(one, Broken)] == []
