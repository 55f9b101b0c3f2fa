"""`edgeinfer config fleet-device`: the prometheus.yml with which a device belongs to a fleet."""

from pathlib import Path

import click
import yaml

from edgeinfer.errors import SettingsError
from edgeinfer.monitoring import scrape_targets
from edgeinfer.monitoring.fleet.identity import identity
from edgeinfer.monitoring.fleet.sending import (
    AGENT_DEADLINE,
    AGENT_INTERVAL_SECONDS,
    AGENT_KEEPS,
    SERVER_DEADLINE,
    SERVER_KEEPS,
    Certificates,
    remote_write,
)
from edgeinfer.monitoring.scrape import SCRAPE_INTERVAL_SECONDS, prometheus_configuration


def create() -> click.Command:
    @click.command("fleet-device")
    @click.option("--url", required=True, help="Write address of the centre, such as https://centre:8443/api/v1/write.")
    @click.option("--site", default="", help="Where the device stands (default).")
    @click.option("--device", default="", help="Its name; made from the machine's own number if not given.")
    @click.option("--agent", is_flag=True, help="For a small device: no rules, alerts or history of its own.")
    @click.option("--compose", is_flag=True, help="For the compose stack; else for services on this machine.")
    @click.option("--certificates", help="Folder with ca.crt, device.crt and device.key, as Prometheus sees it.")
    def fleet(  # noqa: PLR0913 - click passes each option
        *, url: str, site: str, device: str, agent: bool, compose: bool, certificates: str | None
    ) -> None:
        """Print the prometheus.yml of a device that sends to a fleet's centre.

        Only a short list of series leaves the device; local alerts continue when the uplink is down.
        """
        if not url.startswith(("https://", "http://")):
            raise SettingsError(f"--url {url}", "it is not a URL", "Give one such as https://centre:8443/api/v1/write.")
        if agent and compose:
            raise SettingsError(
                "--agent with --compose",
                "the compose stack runs a full Prometheus, which keeps rules and alerts on the device",
                "Leave out one of the two.",
            )
        found = scrape_targets.COMPOSE if compose else scrape_targets.SYSTEMD
        sending = remote_write(
            url,
            keep=AGENT_KEEPS if agent else SERVER_KEEPS,
            deadline=AGENT_DEADLINE if agent else SERVER_DEADLINE,
            certificates=_certificates(certificates),
        )
        text = prometheus_configuration(
            targets={job: hosts for job, hosts in found.items() if not (agent and job == "alertmanager")},
            discovered=scrape_targets.COMPOSE_DISCOVERED if compose else {},
            alertmanagers=[] if agent else found["alertmanager"],
            rule_files=_rules(compose=compose),
            scrape_interval_seconds=AGENT_INTERVAL_SECONDS if agent else SCRAPE_INTERVAL_SECONDS,
            external_labels=identity(site, device).labels,
            remote_write=sending,
        )
        click.echo(without_rules(text) if agent else text, nl=False)

    return fleet


def without_rules(text: str) -> str:
    """The same for an agent, which refuses rules and how often to evaluate them."""
    document = yaml.safe_load(text)
    del document["rule_files"], document["global"]["evaluation_interval"], document["storage"]
    agent: str = yaml.safe_dump(document, sort_keys=False, width=120)
    return agent


def _rules(*, compose: bool) -> list[str]:
    folder = "/etc/prometheus" if compose else "/etc/edgeinfer"
    return [f"{folder}/rules/*.yml", f"{folder}/fleet/device.yml"]


def _certificates(folder: str | None) -> Certificates | None:
    if folder is None:
        return None
    path = Path(folder)
    return Certificates(
        authority=str(path / "ca.crt"), certificate=str(path / "device.crt"), key=str(path / "device.key")
    )
