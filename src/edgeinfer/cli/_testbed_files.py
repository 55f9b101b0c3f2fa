"""The files of a testbed's Prometheus and Alertmanager: as they should be, and as a broken monitoring has them."""

from collections.abc import Iterable
from pathlib import Path

from edgeinfer.loadgen.monitoring_faults import FAILING_RULE, FAILING_RULES, break_alertmanager, break_prometheus
from edgeinfer.loadgen.steps import MonitoringFault
from edgeinfer.loadgen.time_compression import compress_notification_times, compress_rule_times
from edgeinfer.monitoring.alerting import alertmanager_configuration
from edgeinfer.monitoring.files import rule_files
from edgeinfer.monitoring.scrape import prometheus_configuration
from edgeinfer.settings import StackSettings
from edgeinfer.stack import plan
from edgeinfer.stack.damage_rules import rule_file
from edgeinfer.stack.folder import DataFolder

_FULL_SCRAPE_SECONDS = 5


class MonitoringFiles:
    """Writes them into a folder.

    Args:
        folder: of the testbed; its configuration is written.
        settings: of the testbed.
        services: what is scraped.
        factor: by which the times of the rules are divided; 1 takes the real rules.
        receiver_url: whom Alertmanager tells.
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
        self._receiver_url = receiver_url
        self._scraping = prometheus_configuration(
            targets=plan.scrape_targets(services, settings),
            alertmanagers=[f"{plan.LOOPBACK}:{settings.alertmanager_port}"],
            rule_files=[str(path) for path in (*self._rules(), rule_file(folder))],
            scrape_interval_seconds=1 if factor > 1 else _FULL_SCRAPE_SECONDS,
        )
        alerting = alertmanager_configuration(local_url=receiver_url)
        self._alerting = compress_notification_times(alerting, factor) if factor > 1 else alerting

    def write(self, how: MonitoringFault | None = None, *, scrape_proxy: str = "") -> None:
        """Write both files, broken where told so."""
        scraping, alerting = self._scraping, self._alerting
        if how is not None:
            scraping = break_prometheus(scraping, how, scrape_proxy=scrape_proxy)
            alerting = break_alertmanager(alerting, how, refusing_url=f"{self._receiver_url}/that-is-not-there")
        (self._folder / FAILING_RULES).write_text(FAILING_RULE, encoding="utf-8")
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
