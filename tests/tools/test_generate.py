"""Generated files are what their sources give; a manual edit fails with the command to run."""

import subprocess
from pathlib import Path

import pytest

from edgeinfer.catalog.metric import Metric, MetricKind, Owner
from tools import generate
from tools.artifacts import GENERATED_FOLDERS, Artifact, all_artifacts


def test_no_generated_file_is_stale() -> None:
    stale = generate.stale_files(all_artifacts(), GENERATED_FOLDERS)
    assert [f"{fault.path}: {fault.fault}\n{fault.diff}" for fault in stale] == []


def test_every_render_is_the_same_twice() -> None:
    first, second = ({artifact.path: artifact.render() for artifact in all_artifacts()} for _ in range(2))
    assert first == second


def test_every_generated_file_is_tracked() -> None:
    done = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True)
    assert {artifact.path for artifact in all_artifacts()} - set(done.stdout.split("\n")) == set()


def _write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


@pytest.fixture
def artifacts() -> list[Artifact]:
    return [Artifact("made/dashboard.json", lambda: "right\n")]


def test_a_file_edited_by_hand_is_shown_with_its_difference(tmp_path: Path, artifacts: list[Artifact]) -> None:
    _write(tmp_path, "made/dashboard.json", "wrong\n")
    (fault,) = generate.stale_files(artifacts, ["made"], root=tmp_path)
    assert fault.path == "made/dashboard.json"
    assert "-wrong" in fault.diff
    assert "+right" in fault.diff


def test_a_missing_file_is_named(tmp_path: Path, artifacts: list[Artifact]) -> None:
    (fault,) = generate.stale_files(artifacts, [], root=tmp_path)
    assert fault.fault == "missing"


def test_a_file_that_nothing_generates_is_found_and_removed(tmp_path: Path, artifacts: list[Artifact]) -> None:
    _write(tmp_path, "made/dashboard.json", "right\n")
    _write(tmp_path, "made/old.json", "old\n")
    assert generate.orphans(["made/dashboard.json"], ["made"], root=tmp_path) == ["made/old.json"]
    assert generate.write(artifacts, ["made"], root=tmp_path) == ["made/old.json"]
    assert not (tmp_path / "made/old.json").exists()


def test_writing_leaves_nothing_stale(tmp_path: Path, artifacts: list[Artifact]) -> None:
    assert generate.write(artifacts, ["made"], root=tmp_path) == ["made/dashboard.json"]
    assert generate.stale_files(artifacts, ["made"], root=tmp_path) == []


def test_a_page_that_lists_generated_files_is_written_with_those_of_the_same_run(tmp_path: Path) -> None:
    def listed() -> str:
        return "".join(sorted(f"{path.name}\n" for path in (tmp_path / "made").glob("*.yml")))

    artifacts = [Artifact("guide.md", listed), Artifact("made/rules.yml", lambda: "groups: []\n")]
    generate.write(artifacts, ["made"], root=tmp_path)
    assert (tmp_path / "guide.md").read_text() == "rules.yml\n"


def test_the_check_fails_with_the_command_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"], root=tmp_path) == 1
    reported = capsys.readouterr().err
    assert "hint: edit the source, not the generated file, then run: make generate" in reported


@pytest.mark.parametrize(("unit", "fault"), [("", "without a unit cannot be read"), ("second", "'second' is none")])
def test_a_catalog_entry_without_a_right_unit_is_refused(unit: str, fault: str) -> None:
    with pytest.raises(ValueError, match=rf"{fault}; give one of .*, seconds,"):
        Metric(name="x", kind=MetricKind.GAUGE, unit=unit, help="A thing.", owners=(Owner.GATEWAY,))
