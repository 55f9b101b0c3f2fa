"""What the gateway set aside is said once on the terminal."""

from pathlib import Path

from edgeinfer.stack.gateway_reports import GatewayReports


def test_each_new_report_is_said_once(tmp_path: Path) -> None:
    reports = GatewayReports(tmp_path)
    assert reports.news() == []
    old = tmp_path / "damaged" / "2026-01-01T00-00-00Z"
    old.mkdir(parents=True)
    (old / "report.txt").write_text("of the run before\n")
    reports.remember()
    assert reports.news() == []
    for day in ("02", "03"):
        (tmp_path / "damaged" / f"2026-01-{day}T00-00-00Z").mkdir()
    (tmp_path / "damaged" / "2026-01-02T00-00-00Z" / "report.txt").write_text("live-00000001.log: it is gone\nmore\n")
    [said] = reports.news()
    assert "live-00000001.log: it is gone" in said
    assert str(tmp_path) in said
    assert reports.news() == []
    (tmp_path / "damaged" / "2026-01-03T00-00-00Z" / "report.txt").write_text("manifest.json: it cannot be read\n")
    assert len(reports.news()) == 1
