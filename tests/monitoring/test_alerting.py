import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edgeinfer.cli._config_alertmanager import outside
from edgeinfer.errors import SettingsError
from edgeinfer.monitoring.alerting import CONSOLE_WEBHOOK_URL, alertmanager_configuration
from edgeinfer.monitoring.alerts import all_alerts
from edgeinfer.monitoring.alerts.alert import Alert, Severity
from edgeinfer.settings import AlertingSettings

RECEIVERS = {
    Severity.CRITICAL: "page",
    Severity.WARNING: "notify",
    Severity.TICKET: "local",
    Severity.INFO: "local",
    Severity.NONE: "local",
}

ENVIRONMENT = {
    "EDGEINFER_ALERT_WEBHOOK_URL": "http://hooks.example.org/edge",
    "EDGEINFER_ALERT_NTFY_URL": "http://ntfy.example.org/edge",
    "EDGEINFER_ALERT_NTFY_TOKEN_FILE": "/run/secrets/ntfy",
    "EDGEINFER_ALERT_EMAIL_TO": "you@example.org",
    "EDGEINFER_ALERT_EMAIL_FROM": "edge@example.org",
    "EDGEINFER_ALERT_SMTP_SMARTHOST": "mail.example.org:587",
    "EDGEINFER_ALERT_SMTP_USERNAME": "edge",
    "EDGEINFER_ALERT_SMTP_PASSWORD_FILE": "/run/secrets/smtp",
}
COMMAND = (sys.executable, "-m", "edgeinfer", "config", "alertmanager")


def _all_ways() -> str:
    return alertmanager_configuration(outside=outside(AlertingSettings.from_environment(ENVIRONMENT)))


@pytest.mark.parametrize("text", [alertmanager_configuration(), _all_ways()], ids=["default", "all ways"])
def test_alertmanager_accepts_the_configuration(text: str, amtool: Path, tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run([amtool, "check-config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_amtool_refuses_what_is_wrong(amtool: Path, tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_configuration().replace("receiver: page", "receiver: nobody"), encoding="utf-8")
    done = subprocess.run([amtool, "check-config", path], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "nobody" in done.stdout + done.stderr


def test_each_severity_reaches_its_receiver(amtool: Path, tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_configuration(), encoding="utf-8")
    for severity, receiver in RECEIVERS.items():
        _verify_route(amtool, path, receiver, "alertname=Some", f"severity={severity}")
    _verify_route(amtool, path, "local", "alertname=Watchdog", "severity=none")
    with pytest.raises(AssertionError):
        _verify_route(amtool, path, "page", "alertname=Some", "severity=warning")


def _verify_route(amtool: Path, path: Path, receiver: str, *labels: str) -> None:
    verify = f"--verify.receivers={receiver}"
    command = [str(amtool), "config", "routes", "test", f"--config.file={path}", verify, *labels]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_way_is_a_setting() -> None:
    receivers = {one["name"]: one for one in yaml.safe_load(_all_ways())["receivers"]}
    for name in ("page", "notify"):
        local, webhook, ntfy = receivers[name]["webhook_configs"]
        (mail,) = receivers[name]["email_configs"]
        assert (local["url"], webhook["url"]) == (CONSOLE_WEBHOOK_URL, "http://hooks.example.org/edge")
        assert ntfy["url"] == "http://ntfy.example.org/edge?template=alertmanager"
        assert ntfy["http_config"]["authorization"]["credentials_file"] == "/run/secrets/ntfy"
        assert (mail["to"], mail["smarthost"], mail["require_tls"]) == ("you@example.org", "mail.example.org:587", True)


def test_the_command_prints_what_the_settings_name() -> None:
    result = subprocess.run(COMMAND, capture_output=True, text=True, check=True, env=os.environ | ENVIRONMENT)
    assert result.stdout == _all_ways()
    compose = subprocess.run([*COMMAND, "--compose"], capture_output=True, text=True, check=True)
    assert compose.stdout in Path("deploy/monitoring/alertmanager.yml").read_text(encoding="utf-8")


def test_by_default_nothing_leaves_the_machine() -> None:
    text = alertmanager_configuration()
    assert set(re.findall(r"https?://([^:/]+)", text)) == {"127.0.0.1"}
    assert "email" not in text


def test_tickets_are_never_sent_outside() -> None:
    receivers = {one["name"]: one for one in yaml.safe_load(_all_ways())["receivers"]}
    assert "email_configs" not in receivers["local"]
    assert len(receivers["local"]["webhook_configs"]) == 1
    assert "email_configs" in receivers["page"]


def test_mail_without_a_server_is_refused_with_a_remedy() -> None:
    settings = AlertingSettings.from_environment({"EDGEINFER_ALERT_EMAIL_TO": "you@example.org"})
    with pytest.raises(SettingsError) as caught:
        outside(settings)
    assert "EDGEINFER_ALERT_SMTP_SMARTHOST" in caught.value.remedy


@pytest.mark.parametrize(
    ("cause", "symptom", "is_held_back"),
    [
        ("HailoSidecarDown", "HailoQueueBacklog", True),
        ("HailoSidecarDown", "HailoErrorBudgetBurnFast", True),
        ("HailoSidecarDown", "EdgeInferFallingBack", True),
        ("HailoSidecarDown", "EdgeInferDown", False),
        ("HailoSidecarDown", "HailoTemperatureHigh", False),
        ("HailoSidecarDown", "HailoSidecarDown", False),
        ("EdgeInferDown", "EdgeInferServerErrors", True),
        ("EdgeInferDown", "HailoSidecarDown", False),
        ("HailoExporterDown", "HailoSensorStale", True),
        ("HailoExporterDown", "HailoErrorBudgetBurnFast", False),
        ("HailoThrottling", "HailoLatencyBudgetBurnFast", True),
        ("HailoThrottling", "HailoErrorBudgetBurnFast", False),
        ("HailoErrorBudgetBurnFast", "HailoErrorBudgetBurnSlow", True),
        ("HailoErrorBudgetBurnFast", "HailoLatencyBudgetBurnSlow", False),
        ("HailoTemperatureCritical", "HailoSensorStale", False),
    ],
)
def test_a_cause_holds_back_its_symptoms_only(cause: str, symptom: str, *, is_held_back: bool) -> None:
    alerts = {alert.name: alert for alert in all_alerts()}
    rules = yaml.safe_load(alertmanager_configuration())["inhibit_rules"]
    assert any(_inhibits(rule, alerts[cause], alerts[symptom]) for rule in rules) is is_held_back


def _inhibits(rule: dict[str, list[str]], cause: Alert, symptom: Alert) -> bool:
    """As Alertmanager decides for two alerts of one machine."""
    source, target = (one.labels | {"alertname": one.name} for one in (cause, symptom))
    is_source = all(_matches(matcher, source) for matcher in rule["source_matchers"])
    is_target = all(_matches(matcher, target) for matcher in rule["target_matchers"])
    return is_source and is_target and all(source.get(name) == target.get(name) for name in rule["equal"])


def _matches(matcher: str, labels: dict[str, str]) -> bool:
    name, operator, value = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"', matcher, re.DOTALL).groups()  # type: ignore[union-attr]  # the configuration is ours
    found = re.fullmatch(value, labels.get(name, "")) if "~" in operator else labels.get(name, "") == value
    return bool(found) is not operator.startswith("!")


def test_alerts_of_two_machines_never_hold_each_other_back() -> None:
    rules = yaml.safe_load(alertmanager_configuration())["inhibit_rules"]
    assert all({"site", "device"} <= set(rule["equal"]) for rule in rules)
