"""Alerts, one file for each subject; each offers `create() -> list[Alert]`."""

import importlib
import pkgutil

from edgeinfer.monitoring.alerts.alert import Alert

_NOT_SUBJECTS = ("alert", "rule_test", "chip_series", "service_series", "store_series")


def subjects() -> tuple[str, ...]:
    """The subject files of this folder."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NOT_SUBJECTS))


def alerts_of(subject: str) -> list[Alert]:
    """The alerts of one subject file."""
    found: list[Alert] = importlib.import_module(f"{__name__}.{subject}").create()
    return found


def all_alerts() -> list[Alert]:
    """Every alert, by subject and then as the file orders them."""
    return [alert for subject in subjects() for alert in alerts_of(subject)]
