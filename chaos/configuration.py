"""The configuration of a testbed's Prometheus and Alertmanager, with the times of the rules divided."""

from collections.abc import Iterable
from pathlib import Path

from chaos.actions.action import Edit
from chaos.time_compression import compress_notification_times, compress_rule_times
from edgeinfer.monitoring.alerting import alertmanager_configuration
from edgeinfer.monitoring.files import rule_files
from edgeinfer.monitoring.scrape import prometheus_configuration
from edgeinfer.settings import StackSettings
from edgeinfer.stack import plan
from edgeinfer.stack.damage_rules import rule_file
from edgeinfer.stack.folder import DataFolder

_FULL_SCRAPE_SECONDS = 5


class MonitoringConfiguration:
    """Writes both files into a folder.

    Args:
        folder: of the testbed; its configuration is written.
        settings: of the testbed.
        services: what is scraped.
        factor: by which the times of the rules are divided; 1 takes the real rules.
        receiver_url: whom Alertmanager notifies.
    """

    def __init__(
        self,
        folder: DataFolder,
        settings: StackSettings,
        services: list[plan.ProcessSpec],
        *,
        factor: float,
        receiver_url: str,
    ) -> None:
        self._folder = folder.configuration
        self._factor = factor
        self._scraping = prometheus_configuration(
            targets=plan.scrape_targets(services, settings),
            alertmanagers=[f"{plan.LOOPBACK}:{settings.alertmanager_port}"],
            rule_files=[str(path) for path in (*self._rules(), rule_file(folder))],
            scrape_interval_seconds=1 if factor > 1 else _FULL_SCRAPE_SECONDS,
        )
        alerting = alertmanager_configuration(local_url=receiver_url)
        self._alerting = compress_notification_times(alerting, factor) if factor > 1 else alerting

    def write(self, *, prometheus: Edit | None = None, alertmanager: Edit | None = None) -> None:
        """Write both files, changed by these edits."""
        scraping = prometheus(self._scraping) if prometheus else self._scraping
        alerting = alertmanager(self._alerting) if alertmanager else self._alerting
        (self._folder / "prometheus.yml").write_text(scraping, encoding="utf-8")
        (self._folder / "alertmanager.yml").write_text(alerting, encoding="utf-8")

    def _rules(self) -> Iterable[Path]:
        if self._factor <= 1:
            return rule_files()
        shortened = self._folder / "rules"
        shortened.mkdir(exist_ok=True)
        for path in rule_files():
            text = compress_rule_times(path.read_text(encoding="utf-8"), self._factor, scrape_seconds=1)
            (shortened / path.name).write_text(text, encoding="utf-8")
        return sorted(shortened.glob("*.yml"))
