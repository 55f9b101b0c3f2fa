"""Diagnoses and incidents over HTTP, from what the fake Prometheus says."""

from typing import Any

import pytest

from edgeinfer.diagnosis.symptoms import ACTIVE, SINCE
from edgeinfer.monitoring.causes.signs import SIDECAR, refused
from tests.console.conftest import NOW, Bench

WATCHDOG = "count(ALERTS{alertname='Watchdog', alertstate='firing'})"
FIRING = 'max by (alertname, severity) (ALERTS{alertstate="firing", severity=~"critical|warning"})'
BEGAN = 'min by (alertname) (ALERTS_FOR_STATE{severity=~"critical|warning"})'
DOWN = {"alertname": "HailoSidecarDown", "severity": "critical", "service": SIDECAR}


def instant(value: float, **labels: str) -> dict[str, Any]:
    return {"metric": labels, "values": [[NOW, str(value)]]}


def ranged(labels: dict[str, str], *values: tuple[float, float]) -> dict[str, Any]:
    return {"metric": labels, "values": [[moment, str(value)] for moment, value in values]}


@pytest.fixture
def troubled(bench: Bench) -> Bench:
    """The sidecar has been down for two minutes."""
    moments = [NOW - 90, NOW - 60, NOW - 30, NOW]
    bench.prometheus.series |= {
        "max(timestamp(up))": [instant(NOW - 2)],
        WATCHDOG: [instant(1)],
        ACTIVE: [instant(1, alertstate="firing", **DOWN)],
        SINCE: [instant(NOW - 120, alertname="HailoSidecarDown")],
        refused(SIDECAR): [instant(0, job=SIDECAR)],
        FIRING: [ranged(DOWN, *((moment, 1) for moment in moments))],
        BEGAN: [ranged({"alertname": "HailoSidecarDown"}, *((moment, NOW - 120) for moment in moments))],
    }
    return bench


async def test_what_is_wrong_now_is_one_answer(troubled: Bench) -> None:
    document = (await troubled.client.get("/api/diagnosis")).json()
    # No log can be read here, so an end for want of memory is not ruled out.
    assert (document["verdict"], document["headline"]) == ("found", "The sidecar does not run (likely)")
    assert [one["name"] for one in document["possible"]] == ["sidecar-out-of-memory", "sidecar-refuses-configuration"]
    assert document["findings"][0]["steps"][0]["command"]
    assert document["findings"][0]["explains"] == ["HailoSidecarDown"]


async def test_incidents_are_listed_and_one_is_opened_with_its_picture(troubled: Bench) -> None:
    [one] = (await troubled.client.get("/api/incidents")).json()["incidents"]
    assert (one["start"], one["end"], one["severity"]) == (NOW - 150, None, "critical")
    assert one["causes"][0] == "sidecar-stopped"
    opened = (await troubled.client.get(f"/api/incidents/{one['id']}")).json()
    assert opened["diagnosis"]["findings"][0]["name"] == "sidecar-stopped"
    within = (await troubled.client.get(f"/api/incidents/{NOW - 20:.0f}")).json()
    assert within["id"] == one["id"], "a notification names a second of the incident"
    kinds = [row["kind"] for row in opened["picture"]["rows"]]
    assert kinds[0] == "alert"
    assert "evidence" in kinds


async def test_without_alerts_the_list_is_empty(bench: Bench) -> None:
    assert (await bench.client.get("/api/incidents")).json() == {"incidents": []}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/incidents/12", 404),
        ("/api/incidents?days=soon", 400),
        ("/api/incidents?days=-1", 400),
        ("/api/incidents?days=nan", 400),
        (f"/api/diagnosis?at={NOW + 60}", 400),
        ("/api/diagnosis?at=x", 400),
    ],
)
async def test_what_cannot_be_answered_is_refused_in_words(bench: Bench, path: str, status: int) -> None:
    answer = await bench.client.get(path)
    assert answer.status_code == status
    assert answer.json()["remedy"]


async def test_a_dead_prometheus_is_said_and_is_no_traceback(bench: Bench) -> None:
    bench.prometheus.raw = {"max(timestamp(up))": (503, b"")}
    document = (await bench.client.get("/api/diagnosis")).json()
    assert document["verdict"] == "unseen"
    assert any(text.startswith("measurements: ") for text in document["unseen"])


async def test_the_page_of_incidents_has_addresses_of_its_own(bench: Bench) -> None:
    for path in ("/incidents", "/incidents/1800000000"):
        assert (await bench.client.get(path)).headers["content-type"].startswith("text/html")
