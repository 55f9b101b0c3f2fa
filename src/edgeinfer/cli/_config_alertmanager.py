"""`edgeinfer config alertmanager`: the alertmanager.yml for the receivers in the settings."""

import dataclasses

import click

from edgeinfer.monitoring.alerting import CONSOLE_WEBHOOK_URL, Outside, alertmanager_configuration
from edgeinfer.settings import AlertingSettings

_COMPOSE_WEBHOOK_URL = "http://console:8088/hooks/alerts"


def create() -> click.Command:
    @click.command("alertmanager")
    @click.option("--compose", is_flag=True, help="For the compose stack; else for an Alertmanager on this machine.")
    def alerting(*, compose: bool) -> None:
        """Print the alertmanager.yml for the receivers in the settings.

        Webhook, ntfy and e-mail are settings (EDGEINFER_ALERT_...); without any, alerts go to the console's log only.
        "edgeinfer up" writes the same by itself.
        """
        text = alertmanager_configuration(
            local_url=_COMPOSE_WEBHOOK_URL if compose else CONSOLE_WEBHOOK_URL,
            outside=outside(AlertingSettings.from_environment()),
        )
        click.echo(text, nl=False)

    return alerting


def outside(settings: AlertingSettings) -> Outside:
    """The people whom the settings name.

    Raises:
        SettingsError: an e-mail address is given without sender or mail server.
    """
    return Outside(**{field.name: getattr(settings, field.name) for field in dataclasses.fields(Outside)})
