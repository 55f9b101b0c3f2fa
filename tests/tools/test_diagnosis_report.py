"""The report's tables come from the outcomes, and what people wrote around them stays."""

import json
from pathlib import Path

import pytest

from tools import diagnosis_report

OUTCOME = {
    "scenario": "sidecar-killed",
    "passed": True,
    "diagnosed": {
        "at the alert": {
            "grade": "first",
            "named": [["sidecar-stopped", "certain"]],
            "services": ["hailo-inference"],
            "seconds": 0.1,
            "load": 1.5,
        }
    },
}


def test_the_report_has_a_place_for_every_part() -> None:
    text = diagnosis_report.REPORT.read_text("utf-8")
    for part in ("singles", "pairs", "busy", "unforeseen"):
        assert "the tables" in diagnosis_report.with_tables(text, part, "the tables")
    with pytest.raises(ValueError, match="has no <!-- others"):
        diagnosis_report.with_tables(text, "others", "")


def test_tables_take_the_place_of_older_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, outcomes = tmp_path / "report.md", tmp_path / "singles.json"
    begin = "<!-- singles: written by python -m tools.diagnosis_report -->"
    report.write_text(f"before\n\n{begin}\nold\n<!-- end of singles -->\nafter\n", encoding="utf-8")
    outcomes.write_text(json.dumps([OUTCOME]), encoding="utf-8")
    monkeypatch.setattr(diagnosis_report, "REPORT", report)
    assert diagnosis_report.main([f"singles={outcomes}"]) == 0
    written = report.read_text("utf-8")
    assert written.startswith("before\n")
    assert written.endswith("<!-- end of singles -->\nafter\n")
    assert "old" not in written
    assert "1 were played at a load of 1.5 to 1.5" in written
    assert "| sidecar-killed | sidecar-stopped | sidecar-stopped | first | - | - | - | 2 |" in written


def test_what_is_no_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert diagnosis_report.main(["doubles=x.json"]) == 2
    assert "singles, pairs, busy, unforeseen" in capsys.readouterr().err
