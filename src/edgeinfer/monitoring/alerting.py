"""The text of alertmanager.yml: who hears of which alert, how often, and what silences what."""

from dataclasses import dataclass
from typing import Any

import yaml

from edgeinfer.errors import SettingsError

CONSOLE_WEBHOOK_URL = "http://127.0.0.1:8088/hooks/alerts"

_GROUP_BY = ("alertname", "site", "device")
# A symptom is distinguished from another machine's cause by its origin.
_SAME_MACHINE = ("site", "device")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Receivers of warnings and pages in addition to the local log; empty means none.

    Args:
        webhook_url: receives Alertmanager's JSON.
        ntfy_url: address of an ntfy topic.
        ntfy_token_file: path, as Alertmanager sees it, of the file with the topic's token.
        email_to: address for the mails.
        email_from: sender of the mails.
        smtp_smarthost: host:port of the mail server.
        smtp_username: for a mail server that asks for one.
        smtp_password_file: path, as Alertmanager sees it, of the file with its password.
        smtp_tls: whether a mail server without TLS is refused.

    Raises:
        SettingsError: an e-mail address is given without sender or mail server.
    """

    webhook_url: str = ""
    ntfy_url: str = ""
    ntfy_token_file: str = ""
    email_to: str = ""
    email_from: str = ""
    smtp_smarthost: str = ""
    smtp_username: str = ""
    smtp_password_file: str = ""
    smtp_tls: bool = True

    def __post_init__(self) -> None:
        if self.email_to and not (self.email_from and self.smtp_smarthost):
            raise SettingsError(
                "alert e-mail",
                f"{self.email_to} is set without a sender or a mail server",
                "Set EDGEINFER_ALERT_EMAIL_FROM and EDGEINFER_ALERT_SMTP_SMARTHOST (host:port) as well.",
            )


def alertmanager_configuration(*, local_url: str = CONSOLE_WEBHOOK_URL, outside: Outside | None = None) -> str:
    """A configuration that Alertmanager 0.25 and later read alike; by default nothing leaves the machine.

    Tickets and notes go to the local log only; warnings and pages also go to the receivers in the settings.

    Args:
        local_url: receives every alert; the console by default, which logs each.
        outside: whom else warnings and pages are sent to.
    """
    ways = outside or Outside()
    receivers = {"webhook_configs": [_webhook(local_url), *_outside_webhooks(ways)], **_emails(ways)}
    document = {
        "route": _route(),
        "inhibit_rules": _inhibitions(),
        "receivers": [
            {"name": "local", "webhook_configs": [_webhook(local_url)]},
            {"name": "notify", **receivers},
            {"name": "page", **receivers},
        ],
    }
    return yaml.dump(document, Dumper=_WithoutAliases, sort_keys=False, width=120)


class _WithoutAliases(yaml.SafeDumper):
    """Writes what stands twice out twice: a reader should not have to look up anchors."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _route() -> dict[str, Any]:
    return {
        "receiver": "local",
        "group_by": list(_GROUP_BY),
        "group_wait": "10s",
        "group_interval": "1m",
        "repeat_interval": "1d",
        "routes": [
            # Always firing: a receiver that stops hearing it knows that alerting itself is broken.
            {"receiver": "local", "matchers": ['alertname="Watchdog"'], "repeat_interval": "1h"},
            {
                "receiver": "page",
                "matchers": ['severity="critical"'],
                "group_wait": "5s",
                "repeat_interval": "1h",
            },
            {"receiver": "notify", "matchers": ['severity="warning"'], "repeat_interval": "4h"},
        ],
    }


def _inhibitions() -> list[dict[str, Any]]:
    return [
        _inhibit('alertname="HailoSidecarDown"', 'service="hailo-inference"', 'alertname!="HailoSidecarDown"'),
        _inhibit('alertname="HailoSidecarDown"', 'signal=~"availability|latency|traffic"', 'alertname!~".+Down"'),
        _inhibit('alertname="EdgeInferDown"', 'service="edge-infer"', 'alertname!="EdgeInferDown"'),
        _inhibit('alertname="EdgeInferDown"', 'signal=~"availability|latency|traffic"', 'alertname!~".+Down"'),
        _inhibit('alertname="HailoExporterDown"', 'service="hailo-exporter"', 'alertname!="HailoExporterDown"'),
        _inhibit('alertname="HailoThrottling"', 'signal="latency"'),
        # The page says what the ticket says, only sooner.
        {
            "source_matchers": ['severity="critical"', 'objective=~".+"'],
            "target_matchers": ['severity=~"warning|ticket"', 'objective=~".+"'],
            "equal": ["signal", *_SAME_MACHINE],
        },
    ]


def _inhibit(source: str, *targets: str) -> dict[str, Any]:
    return {"source_matchers": [source], "target_matchers": list(targets), "equal": list(_SAME_MACHINE)}


def _webhook(url: str) -> dict[str, Any]:
    return {"url": url, "send_resolved": True}


def _outside_webhooks(ways: Outside) -> list[dict[str, Any]]:
    found = [_webhook(ways.webhook_url)] if ways.webhook_url else []
    if ways.ntfy_url:
        # This server-side template of ntfy (2.14 and later) turns Alertmanager's JSON into a title and a text.
        topic = _webhook(f"{ways.ntfy_url}?template=alertmanager")
        if ways.ntfy_token_file:
            topic["http_config"] = {"authorization": {"credentials_file": ways.ntfy_token_file}}
        found.append(topic)
    return found


def _emails(ways: Outside) -> dict[str, Any]:
    if not ways.email_to:
        return {}
    mail: dict[str, Any] = {
        "to": ways.email_to,
        "from": ways.email_from,
        "smarthost": ways.smtp_smarthost,
        "require_tls": ways.smtp_tls,
        "send_resolved": True,
    }
    if ways.smtp_username:
        mail["auth_username"] = ways.smtp_username
    if ways.smtp_password_file:
        mail["auth_password_file"] = ways.smtp_password_file
    return {"email_configs": [mail]}
