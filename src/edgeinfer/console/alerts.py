"""The Alerts page: rules from Prometheus, silences from Alertmanager, runbooks from a folder, joined."""

import asyncio
import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from edgeinfer.console.alertmanager import Alertmanager
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.errors import InvalidBody, MonitoringError
from edgeinfer.web.json_errors import UNDECODABLE

_ALERT_NAME = re.compile(r"[A-Za-z_]\w{0,99}")
_MAX_HOURS = 24 * 30
_MAX_MATCHERS = 30
_MAX_TEXT = 1000


class SilenceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person wants to be quiet, for how long and why."""

    labels: dict[str, str]
    hours: float
    comment: str
    author: str


@dataclass(frozen=True, slots=True)
class Alerts:
    """Reads and joins.

    Args:
        prometheus: knows rules and their state.
        alertmanager: knows silences.
        runbooks: folder of `<alert name>.md`, if there is one.
    """

    prometheus: Prometheus
    alertmanager: Alertmanager
    runbooks: Path | None = None

    async def read(self) -> dict[str, Any]:
        """Everything on the page; what cannot be read is named, and rules are None then: not knowing is not silence."""
        (rules, rule_fault), (alerts, alert_fault), (silences, silence_fault) = await asyncio.gather(
            _tried(self.prometheus.rules()), _tried(self.alertmanager.alerts()), _tried(self.alertmanager.silences())
        )
        faults = [fault for fault in (rule_fault, alert_fault, silence_fault) if fault]
        held = {_key(one["labels"]): one["status"] for one in alerts}
        found = [self._rule(rule, held) for rule in _flat(rules)]
        return {
            "rules": None if rule_fault else sorted(found, key=_urgency),
            "silences": silences,
            "faults": list(dict.fromkeys(faults)),
            "can_silence": not silence_fault,
        }

    async def silence(self, request: SilenceRequest, now: float) -> str:
        """Silence what has these labels.

        Raises:
            InvalidBody: no labels, too long, or nobody to ask about it.
        """
        if not request.labels or len(request.labels) > _MAX_MATCHERS:
            raise InvalidBody("labels", f"from 1 to {_MAX_MATCHERS} are wanted", "Give the labels of the alert.")
        if not 0 < request.hours <= _MAX_HOURS:
            raise InvalidBody("hours", f"more than 0 and at most {_MAX_HOURS} are wanted", "Choose another time.")
        if not request.comment.strip() or not request.author.strip():
            raise InvalidBody("silence", "comment or author is missing", "Say why, and whom to ask.")
        starts = datetime.fromtimestamp(now, UTC)
        matchers = [
            {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in request.labels.items()
        ]
        return await self.alertmanager.make_silence(
            {
                "matchers": matchers,
                "startsAt": starts.isoformat(),
                "endsAt": (starts + timedelta(hours=request.hours)).isoformat(),
                "createdBy": request.author[:_MAX_TEXT],
                "comment": request.comment[:_MAX_TEXT],
            }
        )

    def _rule(self, rule: Mapping[str, Any], held: Mapping[tuple[Any, ...], Mapping[str, Any]]) -> dict[str, Any]:
        hold = timedelta(seconds=rule.get("duration", 0))
        alerts = [_alert(one, held, hold) for one in rule.get("alerts") or []]
        return {
            "name": rule["name"],
            "state": rule.get("state", "unknown"),
            "expression": rule["query"],
            "hold_seconds": rule.get("duration", 0),
            "labels": rule.get("labels") or {},
            "annotations": rule.get("annotations") or {},
            "health": rule.get("health", ""),
            "error": rule.get("lastError", ""),
            "alerts": sorted(alerts, key=lambda one: one["since"]),
            "runbook": self._runbook(rule["name"]),
        }

    def _runbook(self, name: str) -> str:
        if self.runbooks is None or not _ALERT_NAME.fullmatch(name):
            return ""
        try:
            return (self.runbooks / f"{name}.md").read_text("utf-8")
        except OSError:
            return ""


_STATES = ("firing", "pending", "inactive")
_SEVERITIES = ("critical", "warning", "ticket", "info", "none")


def read_silence(body: bytes) -> SilenceRequest:
    """The silence in a body.

    Raises:
        InvalidBody: not the documented object.
    """
    try:
        return msgspec.json.decode(body, type=SilenceRequest)
    except UNDECODABLE as failure:
        raise InvalidBody("silence", str(failure), "Send labels, hours, comment and author.") from failure


def _urgency(rule: Mapping[str, Any]) -> tuple[int, int, str]:
    return (_rank(rule["state"], _STATES), _rank(rule["labels"].get("severity"), _SEVERITIES), rule["name"])


def _rank(word: str | None, order: tuple[str, ...]) -> int:
    return order.index(word) if word in order else len(order)


def _flat(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for group in groups for rule in group["rules"] if rule.get("type") == "alerting"]


def _since(alert: Mapping[str, Any], hold: timedelta) -> str:
    """When its state began; Prometheus reports only when the expression first was true, from which on it waits."""
    active = str(alert["activeAt"])
    if alert["state"] != "firing":
        return active
    return (datetime.fromisoformat(active) + hold).isoformat()


def _alert(
    alert: Mapping[str, Any], held: Mapping[tuple[Any, ...], Mapping[str, Any]], hold: timedelta
) -> dict[str, Any]:
    status = held.get(_key(alert["labels"]), {})
    return {
        "labels": alert["labels"],
        "annotations": alert.get("annotations") or {},
        "state": alert["state"],
        "since": _since(alert, hold),
        "value": alert.get("value", ""),
        "silenced_by": status.get("silencedBy", []),
        "inhibited_by": status.get("inhibitedBy", []),
    }


def _key(labels: Mapping[str, str]) -> tuple[Any, ...]:
    """Labels that both sides know; Prometheus adds its external ones on the way to Alertmanager."""
    return tuple(sorted((name, value) for name, value in labels.items() if name not in ("site", "device")))


async def _tried(asked: Awaitable[list[dict[str, Any]]]) -> tuple[list[dict[str, Any]], str]:
    """The answer and no fault, or no answer and the fault."""
    try:
        return await asked, ""
    except MonitoringError as failure:
        return [], f"{failure.thing}: {failure.fault}. {failure.remedy}"
