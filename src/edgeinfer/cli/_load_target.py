"""The stack that `edgeinfer load-test --own-stack` starts."""

from edgeinfer.monitoring.alerting import alertmanager_configuration
from edgeinfer.monitoring.files import rule_files
from edgeinfer.monitoring.scrape import prometheus_configuration
from edgeinfer.settings import StackSettings
from edgeinfer.stack import plan
from edgeinfer.stack.binaries import Program, cache_folder, require
from edgeinfer.stack.fetch import find_or_fetch
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.own_stack import quiet


def load_target(settings: StackSettings, folder: DataFolder) -> list[plan.ProcessSpec]:
    """Sidecar, gateway, and Prometheus and Alertmanager with the real rules; their configuration is written."""
    services = [*plan.sidecars(settings), plan.gateway(settings, folder)]
    scraping = prometheus_configuration(
        targets=plan.scrape_targets(services, settings),
        alertmanagers=[f"{plan.LOOPBACK}:{settings.alertmanager_port}"],
        rule_files=[str(path) for path in rule_files()],
    )
    (folder.configuration / "prometheus.yml").write_text(scraping, encoding="utf-8")
    (folder.configuration / "alertmanager.yml").write_text(alertmanager_configuration(), encoding="utf-8")
    binaries = find_or_fetch(cache_folder(settings.cache_home.expanduser()), quiet)
    return [
        *services,
        plan.prometheus(settings, require(binaries, Program.PROMETHEUS), folder),
        plan.alertmanager(settings, require(binaries, Program.ALERTMANAGER), folder),
    ]
