"""`edgeinfer config`: the configuration files that other programs of the stack need."""

import click

from edgeinfer.cli import _config_alertmanager, _config_fleet_device


def create() -> click.Command:
    @click.group("config")
    def config() -> None:
        """Print a configuration file for Alertmanager or a fleet."""

    config.add_command(_config_alertmanager.create())
    config.add_command(_config_fleet_device.create())
    return config
