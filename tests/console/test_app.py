"""Pages, files, guards, alerts, silences, notifications, targets."""

import json
import logging
import re

import pytest

from edgeinfer.console.assets import Assets, load_assets
from tests.console.conftest import Bench
from tests.console.fake_prometheus import series
from tests.console.small_dashboards import dashboard, panel, target


@pytest.mark.parametrize("path", ["/", "/d/any-dashboard", "/d/any-dashboard/slug", "/alerts", "/targets"])
async def test_every_page_is_the_same_shell_under_a_strict_policy(bench: Bench, path: str) -> None:
    answer = await bench.client.get(path)
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


async def test_files_are_cached_for_good_under_the_version_of_their_bytes(bench: Bench) -> None:
    version = load_assets().version
    answer = await bench.client.get(f"/static/{version}/main.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    stale = await bench.client.get("/static/000000000000/main.js")
    assert stale.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["..%2f..%2fapp.py", "../app.py", "nothing.js", "vendor/uPlot.LICENSE.txt"])
async def test_only_files_of_the_page_are_served(bench: Bench, path: str) -> None:
    assert (await bench.client.get(f"/static/v/{path}")).status_code == 404


LATER = {
    "inspect.js", "markdown.js", "pages/alerts.js", "pages/incidents.js", "pages/list.js", "pages/targets.js",
    "pages/session.js", "pages/session_timeline.js", "pages/session_words.js", "pages/sessions.js",
    "panels/gauge.js", "panels/table.js", "panels/text.js",
}  # fmt: skip


def announced(assets: Assets) -> set[str]:
    """Files that the page names in its head, each of them once."""
    names = re.findall(rf'(?:href|src)="/static/{assets.version}/([^"]+)"', assets.shell.body.decode())
    assert {name for name in names if names.count(name) > 1} == {"main.js"}
    return set(names)


async def test_the_page_announces_what_it_starts_with_and_nothing_that_can_wait() -> None:
    assets = load_assets()
    assert set(assets.files) - announced(assets) == LATER


async def test_what_every_page_starts_with_is_at_most_80_kilobytes() -> None:
    assets = load_assets()
    size = len(assets.shell.compressed) + sum(len(assets.files[name].compressed) for name in announced(assets))
    assert 50_000 < size < 80_000


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.test"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
        {"Origin": "http://[x"},
        {"Origin": ""},
    ],
)
async def test_pages_of_other_sites_can_change_nothing(bench: Bench, headers: dict[str, str]) -> None:
    answer = await bench.client.post("/api/silences", content=b"{}", headers=headers)
    assert answer.status_code == 403
    hook = await bench.client.post("/hooks/alerts", content=b'{"alerts": []}', headers=headers)
    assert hook.status_code == 403


@pytest.mark.parametrize("route", ["/api/dashboards/small/refresh", "/api/silences", "/hooks/alerts"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"\xd1": 1}',
        b'{"labels": "\xed\xa0\x80"}',
        b'{"a":' * 3000,
        b"[" * 3000,
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
    ],
)
async def test_what_is_not_json_is_refused_in_the_shape_of_every_error(bench: Bench, route: str, body: bytes) -> None:
    bench.dashboards(dashboard(panel(1, target("up"))))
    answer = await bench.client.post(route, content=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_body")


async def test_an_unknown_route_points_at_a_description_that_exists(bench: Bench) -> None:
    answer = await bench.client.get("/api/v1/query?query=up")
    assert (answer.status_code, answer.json()["remedy"]) == (
        404,
        "See GET /docs for the routes of this service.",
    )
    assert (await bench.client.get("/openapi.json")).status_code == 200


async def test_a_name_that_is_not_the_consoles_is_refused(bench: Bench) -> None:
    assert (await bench.client.get("/api/status", headers={"Host": "evil.test"})).status_code == 421
    assert (await bench.client.get("/api/status", headers={"Host": "127.0.0.1:8088"})).status_code == 200


@pytest.mark.parametrize("host", ["[::1", "[x]", "[]:80"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_host_that_is_none_is_refused_in_the_shape_of_every_error(bench: Bench, host: str, method: str) -> None:
    answer = await bench.client.request(method, "/api/status", headers={"Host": host})
    assert answer.status_code in {400, 421}
    assert set(answer.json()) == {"error", "status", "message", "remedy", "retry"}


async def test_the_list_names_dashboards_and_broken_files(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("up"))))
    (bench.folder / "bad.json").write_text("{")
    answer = (await bench.client.get("/api/dashboards")).json()
    assert [one["uid"] for one in answer["dashboards"]] == ["small"]
    assert answer["broken"][0]["file"] == "bad.json"


async def test_while_prometheus_is_away_no_alert_is_said_to_be_quiet(bench: Bench) -> None:
    bench.prometheus.raw["/api/v1/rules"] = (503, b"not yet")
    answer = (await bench.client.get("/api/alerts")).json()
    assert answer["rules"] is None
    assert "it is starting" in answer["faults"][0]


async def test_the_status_counts_down_to_the_first_data(bench: Bench) -> None:
    bench.prometheus.start_time = "2027-01-15T08:00:00Z"
    answer = (await bench.client.get("/api/status")).json()
    assert answer["prometheus"] == "collecting"
    assert answer["first_data_seconds"] == 9


async def test_the_status_names_a_stub(bench: Bench) -> None:
    bench.prometheus.series["count(up)"] = [series([(0, "1")])]
    query = "count by (backend, device) (hailo_runtime_info)"
    bench.prometheus.series[query] = [series([(0, "1")], backend="stub", device="none")]
    answer = (await bench.client.get("/api/status")).json()
    assert answer["prometheus"] == "ok"
    assert answer["backends"] == [{"backend": "stub", "device": "none"}]


@pytest.mark.parametrize("scraped", [[], [series([(0, "1")])]])
async def test_the_status_says_when_no_alert_can_fire(scraped: list[dict[str, object]], bench: Bench) -> None:
    """Prometheus refused every sample behind a block from the future: all targets up, and every alert dead."""
    bench.prometheus.start_time = "2020-01-01T08:00:00Z"
    bench.prometheus.series["count(up)"] = scraped
    ahead = b'{"status":"success","data":{"headStats":{"maxTime":32503680000000}}}'
    bench.prometheus.raw["/api/v1/status/tsdb"] = (200, ahead)

    reason = (await bench.client.get("/api/status")).json()["no_alert_can_fire"]

    assert "the newest measurement in Prometheus is of 3000-01-01 00:00 UTC" in reason
    assert "ahead of this machine's clock" in reason


async def test_the_status_says_nothing_of_alerts_right_after_a_start(bench: Bench) -> None:
    bench.prometheus.start_time = "2027-01-15T08:00:00Z"
    bench.prometheus.series["count(up)"] = [series([(0, "1")])]
    assert (await bench.client.get("/api/status")).json()["no_alert_can_fire"] == ""


HOT = {"alertname": "Hot", "severity": "critical", "instance": "a"}
RULE = {
    "type": "alerting",
    "name": "Hot",
    "state": "firing",
    "query": "temperature > 90",
    "duration": 60,
    "labels": {"severity": "critical"},
    "annotations": {"summary": "hot"},
    "health": "ok",
    "alerts": [
        {
            "labels": HOT,
            "annotations": {"summary": "a is hot"},
            "state": "firing",
            "activeAt": "2026-11-24T00:00:00Z",
            "value": "1",
        }
    ],
}


async def test_alerts_join_rule_runbook_and_silence(bench: Bench) -> None:
    bench.prometheus.rules = [RULE | {"name": "Quiet", "state": "inactive", "alerts": []}, RULE]
    status = {"silencedBy": ["5eed0000"], "inhibitedBy": []}
    bench.alertmanager.alerts = [{"labels": HOT | {"site": "local", "device": "local"}, "status": status}]
    rules = (await bench.client.get("/api/alerts")).json()["rules"]
    assert [rule["name"] for rule in rules] == ["Hot", "Quiet"]
    assert rules[0]["alerts"][0]["silenced_by"] == ["5eed0000"]
    assert "Open a window" in rules[0]["runbook"]
    assert rules[1]["runbook"] == ""


async def test_an_alert_fires_since_it_has_waited_and_waits_since_it_was_true(bench: Bench) -> None:
    firing: dict[str, object] = {"labels": HOT, "state": "firing", "activeAt": "2026-11-24T00:00:00Z"}
    bench.prometheus.rules = [RULE | {"alerts": [firing, firing | {"state": "pending"}]}]
    alerts = (await bench.client.get("/api/alerts")).json()["rules"][0]["alerts"]
    since = {one["state"]: one["since"] for one in alerts}
    assert since == {"firing": "2026-11-24T00:01:00+00:00", "pending": "2026-11-24T00:00:00Z"}


async def test_a_silence_is_made_and_ended(bench: Bench) -> None:
    body = {"labels": HOT, "hours": 2, "comment": "new fan", "author": "Ada"}
    made = await bench.client.post("/api/silences", json=body)
    assert made.status_code == 201
    [silence] = bench.alertmanager.silences.values()
    assert {one["name"]: one["value"] for one in silence["matchers"]} == HOT
    assert silence["createdBy"] == "Ada"
    ended = await bench.client.delete(f"/api/silences/{made.json()['id']}")
    assert ended.status_code == 204
    assert bench.alertmanager.silences == {}


@pytest.mark.parametrize(
    "change",
    [{"labels": {}}, {"hours": 0}, {"hours": 100_000}, {"comment": " "}, {"author": ""}, {"extra": 1}, {"hours": "2"}],
)
async def test_a_silence_without_reason_or_end_is_refused(bench: Bench, change: dict[str, object]) -> None:
    body = {"labels": HOT, "hours": 2, "comment": "new fan", "author": "Ada"} | change
    assert (await bench.client.post("/api/silences", json=body)).status_code == 400
    assert bench.alertmanager.silences == {}


async def test_what_alertmanager_refuses_is_reported(bench: Bench) -> None:
    bench.alertmanager.refuse = "bad matcher"
    body = {"labels": HOT, "hours": 2, "comment": "new fan", "author": "Ada"}
    answer = await bench.client.post("/api/silences", json=body)
    assert answer.status_code == 400
    assert "bad matcher" in answer.json()["message"]


async def test_alerts_are_shown_while_alertmanager_is_away(bench: Bench) -> None:
    bench.prometheus.rules = [RULE]
    bench.alertmanager.refuse = "no"
    assert (await bench.client.get("/api/alerts")).json()["rules"][0]["state"] == "firing"


async def test_a_notification_is_logged_and_kept(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    alert = {
        "status": "firing",
        "labels": HOT,
        "annotations": {"summary": "a is hot"},
        "startsAt": "2026-11-24T00:00:00Z",
    }
    message = {"version": "4", "receiver": "local", "alerts": [alert], "groupLabels": {}}
    with caplog.at_level(logging.INFO):
        answer = await bench.client.post("/hooks/alerts", json=message)
    assert answer.json() == {"received": 1}
    [record, diagnosis] = [one for one in caplog.records if one.name.startswith("edgeinfer")]
    assert record.getMessage() == "alert Hot firing: a is hot"
    assert record.levelno == logging.ERROR
    assert diagnosis.getMessage().startswith("diagnosis of Hot: ")
    received = (await bench.client.get("/api/alerts")).json()["received"][0]
    assert received["alert"] == "Hot"
    assert diagnosis.getMessage().endswith(received["diagnosis"])


async def test_what_is_resolved_is_not_diagnosed(bench: Bench) -> None:
    alert = {"status": "resolved", "labels": HOT}
    await bench.client.post("/hooks/alerts", json={"alerts": [alert]})
    assert "diagnosis" not in (await bench.client.get("/api/alerts")).json()["received"][0]
    assert bench.prometheus.queries() == []


async def test_only_the_newest_notifications_are_kept(bench: Bench) -> None:
    for first in range(0, 300, 50):
        alerts = [{"status": "firing", "labels": {"alertname": f"A{first + at}"}} for at in range(50)]
        await bench.client.post("/hooks/alerts", content=json.dumps({"alerts": alerts}))
    received = (await bench.client.get("/api/alerts")).json()["received"]
    assert len(received) == 200
    assert received[0]["alert"] == "A299"


async def test_targets_list_what_is_down_first(bench: Bench) -> None:
    base = {"scrapeUrl": "http://a/metrics", "lastScrape": "2026-11-24T00:00:00Z", "lastScrapeDuration": 0.01}
    bench.prometheus.targets = [
        base | {"labels": {"job": "a", "instance": "1"}, "health": "up", "lastError": ""},
        base | {"labels": {"job": "b", "instance": "2"}, "health": "down", "lastError": "connection refused"},
    ]
    targets = (await bench.client.get("/api/targets")).json()["targets"]
    assert [(one["job"], one["error"]) for one in targets] == [("b", "connection refused"), ("a", "")]


async def test_the_console_is_healthy_without_prometheus(bench: Bench) -> None:
    assert (await bench.client.get("/healthz")).text == "OK\n"
