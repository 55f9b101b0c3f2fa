"""The diagnosis goes to Alertmanager as an alert of its own, and to nobody twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from edgeinfer.console.alertmanager import Alertmanager
from edgeinfer.console.diagnosis_alert import NAME, DiagnosisAlert
from tests.console.fake_alertmanager import FakeAlertmanager, running_alertmanager

NOW = 1_800_000_000.0
SINCE = "2027-01-15T07:59:00.000Z"


def received(name: str = "HailoSidecarDown", status: str = "firing", severity: str = "critical") -> dict[str, Any]:
    labels = {"alertname": name, "site": "barn", "device": "pi-1", "severity": severity}
    return {"alert": name, "status": status, "severity": severity, "labels": labels, "since": SINCE}


def document(verdict: str = "found", *causes: str) -> dict[str, Any]:
    findings = [{"name": cause, "evidence": ["connections are refused"]} for cause in causes]
    headline = f"{causes[0]} it is" if causes else "No known cause fits"
    return {"verdict": verdict, "headline": headline, "findings": findings, "possible": []}


class Answers:
    """What diagnose answers, one after the other; the last for good."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        self.left = list(documents)

    async def __call__(self) -> dict[str, Any]:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


@pytest.fixture
async def fake() -> AsyncIterator[FakeAlertmanager]:
    async with running_alertmanager(FakeAlertmanager()) as running:
        yield running


async def sent(fake: FakeAlertmanager, answers: Answers, until: Callable[[], bool], *heard: dict[str, Any]) -> None:
    """Let it hear alerts, and wait until the fake has got what the test waits for."""
    async with aiohttp.ClientSession() as http:
        alert = DiagnosisAlert(Alertmanager(http, fake.url), answers, "http://console:8088/", lambda: NOW, 0.02)
        alert.hear(heard)
        async with asyncio.timeout(10):
            while not until():  # noqa: ASYNC110 - the fake sets no Event
                await asyncio.sleep(0.01)
        await alert.close()


async def test_the_first_line_and_the_link_to_the_incident_are_handed_to_alertmanager(fake: FakeAlertmanager) -> None:
    await sent(fake, Answers(document("found", "sidecar-stopped")), lambda: bool(fake.sent), received())
    first = fake.sent[0]
    assert first["labels"] == {
        "alertname": NAME,
        "severity": "critical",
        "cause": "sidecar-stopped",
        "site": "barn",
        "device": "pi-1",
    }
    assert first["annotations"]["summary"] == "sidecar-stopped it is."
    assert first["annotations"]["incident_url"] == "http://console:8088/incidents/1799999940"
    assert first["endsAt"] > "2027-01-15T08:00"


async def test_an_unknown_cause_is_sent_as_that(fake: FakeAlertmanager) -> None:
    await sent(fake, Answers(document("unknown")), lambda: bool(fake.sent), received(severity="warning"))
    assert (fake.sent[0]["labels"]["cause"], fake.sent[0]["labels"]["severity"]) == ("unknown", "warning")


async def test_another_cause_ends_the_first_and_a_healthy_stack_ends_it_for_good(fake: FakeAlertmanager) -> None:
    answers = Answers(document("found", "a"), document("found", "b"), document("unseen"), document("well"))
    await sent(fake, answers, lambda: len(fake.sent) >= 4, received())
    ended = "2027-01-15T08:00:00+00:00"
    causes = [(one["labels"]["cause"], one["endsAt"] == ended) for one in fake.sent]
    assert causes == [("a", False), ("a", True), ("b", False), ("b", True)]


async def test_what_notifies_nobody_and_its_own_alert_start_nothing(fake: FakeAlertmanager) -> None:
    quiet = (
        received(status="resolved"),
        received("Watchdog", severity="none"),
        received("HailoCpuBusy", severity="ticket"),
        received(NAME),
    )
    async with aiohttp.ClientSession() as http:
        alert = DiagnosisAlert(Alertmanager(http, fake.url), Answers(document("found", "a")), "", lambda: NOW, 0.01)
        alert.hear(quiet)
        assert alert._running is None


async def test_an_alertmanager_that_refuses_is_asked_again(
    fake: FakeAlertmanager, caplog: pytest.LogCaptureFixture
) -> None:
    fake.refuse = "no"

    def until() -> bool:
        if "was not sent" in caplog.text:
            fake.refuse = ""
        return bool(fake.sent)

    await sent(fake, Answers(document("found", "a")), until, received())
    assert fake.sent[0]["labels"]["cause"] == "a"
