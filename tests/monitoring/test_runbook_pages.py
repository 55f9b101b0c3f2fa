from pathlib import Path

from edgeinfer.monitoring.alerts import all_alerts

SECTIONS = ("## Meaning", "## Impact", "## Diagnosis", "## Other deployments", "## Expression")


def test_every_alert_has_its_page_with_every_section() -> None:
    for alert in all_alerts():
        page = Path(alert.runbook_path).read_text(encoding="utf-8")
        assert all(section in page for section in SECTIONS), alert.name


def test_every_alert_is_in_the_list() -> None:
    listed = Path("docs/reference/alerts.md").read_text(encoding="utf-8")
    assert all(f"(../runbooks/{alert.name}.md)" in listed for alert in all_alerts())
