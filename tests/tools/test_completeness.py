"""What was forgotten is said by name, with the file to edit."""

from dataclasses import replace

from chaos.scenarios import SCENARIOS
from edgeinfer.monitoring.alerts import alerts_of, all_alerts
from tools.completeness import gaps, scenarios_of_alerts

DOWN = next(alert for alert in alerts_of("services") if alert.name == "HailoSidecarDown")
KILLED = next(scenario for scenario in SCENARIOS if scenario.name == DOWN.provoked_by)


def test_nothing_is_forgotten() -> None:
    assert gaps() == []


def test_an_alert_whose_scenario_does_not_exist_is_named() -> None:
    [gap] = scenarios_of_alerts([("services", replace(DOWN, provoked_by="sidecar-eaten"))], [])
    assert gap.path == "src/edgeinfer/monitoring/alerts/services.py"
    assert "HailoSidecarDown" in gap.fault
    assert "'sidecar-eaten'" in gap.fault


def test_a_scenario_that_waits_for_another_alert_is_named() -> None:
    entries = [("services", alert) for alert in all_alerts()]
    scenarios = [replace(one, alert="HailoNoTraffic") if one is KILLED else one for one in SCENARIOS]
    [gap] = scenarios_of_alerts(entries, scenarios)
    assert gap.path == "chaos/scenarios"
    assert "'sidecar-killed' does not wait for the alert HailoSidecarDown" in gap.fault


def test_a_scenario_of_an_alert_that_does_not_exist_is_named() -> None:
    [gap] = scenarios_of_alerts([], [KILLED])
    assert gap.path == "chaos/scenarios"
    assert "'sidecar-killed' waits for the alert HailoSidecarDown" in gap.fault


def test_an_alert_that_no_scenario_can_provoke_says_why() -> None:
    unprovoked = replace(DOWN, provoked_by="", unprovoked_because="It needs a real chip.")
    assert list(scenarios_of_alerts([("services", unprovoked)], [])) == []
