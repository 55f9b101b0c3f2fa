"""A refresh: one question, all answers, and no query but those of the file."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from edgeinfer.console.dashboard_files import DashboardFiles
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.refresh import PanelView, Refresher, RefreshRequest
from edgeinfer.console.status import StatusReader
from tests.console.conftest import NOW, Bench
from tests.console.fake_prometheus import FakePrometheus, running, series
from tests.console.small_dashboards import dashboard, panel, query_variable, target, write
from tests.console.wire import from_wire

END = NOW // 5 * 5
ONE = [series([(END - 5, "1"), (END, "2")], job="a")]


async def test_one_request_answers_every_visible_panel(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("up")), panel(2, target("down")), panel(3, target("hidden"))))
    bench.prometheus.series["up"] = ONE
    answer = (await bench.refresh(panels=[{"id": 1}, {"id": 2}])).json()
    assert set(answer["panels"]) == {"1", "2"}
    frame = answer["panels"]["1"]["frames"][0]
    values = from_wire(frame["columns"][0])
    assert values[-2:] == [1, 2]
    assert frame["start"] + frame["step"] * (len(values) - 1) == END
    assert "hidden" not in bench.prometheus.queries()


async def test_macros_are_expanded_on_the_server(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("rate(a[$__rate_interval]) + $__range_s"))))
    await bench.refresh(**{"from": "now-1h"}, panels=[{"id": 1, "width": 360}])
    assert "rate(a[20s]) + 3600" in bench.prometheus.queries()


async def test_a_failing_query_is_reported_in_its_panel_and_spares_the_others(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("sum("), target("up", "B")), panel(2, target("up"))))
    bench.prometheus.series["up"] = ONE
    bench.prometheus.errors["sum("] = "parse error"
    panels = (await bench.refresh(panels=[{"id": 1}, {"id": 2}])).json()["panels"]
    assert panels["1"]["errors"] == [{"ref": "A", "kind": "refused", "message": "query: parse error"}]
    assert len(panels["1"]["frames"]) == 1
    assert panels["2"]["errors"] == []


async def test_identical_queries_of_panels_and_viewers_run_once(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("up")), panel(2, target("up"))))
    bodies = [bench.refresh(panels=[{"id": 1}, {"id": 2}]) for _ in range(20)]
    answers = await asyncio.gather(*bodies)
    assert bench.prometheus.queries().count("up") == 1
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"query": "up"},
        {"panels": [{"id": 1, "expr": "up"}]},
        {"panels": [{"id": 77}]},
        {"panels": [{"id": 1}] * 200},
        {"variables": {"nobody": ["a"]}},
        {"from": "now-100y"},
        {"from": "now", "to": "now-1h"},
        {"from": 3},
        {"variables": "up"},
    ],
)
async def test_what_is_not_in_the_dashboard_is_refused(bench: Bench, body: dict[str, Any]) -> None:
    bench.dashboards(dashboard(panel(1, target("up"))))
    answer = await bench.refresh(**body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["remedy"]
    assert "up" not in bench.prometheus.queries()


async def test_a_body_that_is_no_json_or_too_long_is_refused(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("up"))))
    path = "/api/dashboards/small/refresh"
    assert (await bench.client.post(path, content=b"{")).status_code == 400
    assert (await bench.client.post(path, content=b"x" * 300_000)).status_code == 413


async def test_an_unknown_dashboard_is_a_404(bench: Bench) -> None:
    assert (await bench.refresh("nobody")).status_code == 404


async def test_a_variable_offers_what_prometheus_has_and_all(bench: Bench) -> None:
    variable = query_variable("job", "label_values(up, job)")
    bench.dashboards(dashboard(panel(1, target('up{job=~"$job"}')), templating={"list": [variable]}))
    bench.prometheus.labels["job"] = ["b", "a"]
    answer = (await bench.refresh()).json()
    assert answer["variables"][0]["options"] == ["a", "b"]
    assert answer["variables"][0]["values"] == ["$__all"]
    assert 'up{job=~".+"}' in bench.prometheus.queries()


async def test_a_chosen_value_is_used_and_one_that_is_no_option_is_not(bench: Bench) -> None:
    variable = query_variable("job", "label_values(up, job)")
    bench.dashboards(dashboard(panel(1, target('up{job=~"$job"}')), templating={"list": [variable]}))
    bench.prometheus.labels["job"] = ["a", "b"]
    await bench.refresh(variables={"job": ["a"]})
    assert 'up{job=~"a"}' in bench.prometheus.queries()
    attack = 'a"} or secret{x=~"'
    answer = (await bench.refresh(variables={"job": [attack]})).json()
    assert answer["variables"][0]["refused"] == [attack]
    assert answer["variables"][0]["values"] == ["$__all"]
    assert not any("secret" in query for query in bench.prometheus.queries())


async def test_a_variable_sees_the_choice_of_the_one_before(bench: Bench) -> None:
    variables = [
        query_variable("job", "label_values(up, job)"),
        query_variable("instance", 'label_values(up{job=~"$job"}, instance)'),
    ]
    bench.dashboards(dashboard(panel(1, target("up")), templating={"list": variables}))
    bench.prometheus.labels["job"] = ["a", "b"]
    await bench.refresh(variables={"job": ["b"]})
    selectors = [form.get("match[]") for path, form in bench.prometheus.asked if "instance" in path]
    assert selectors == ['up{job=~"b"}']


async def test_a_variable_is_taken_from_the_result_of_a_query_as_grafana_writes_it(bench: Bench) -> None:
    query = 'query_result(topk(2, up{a="$__range_s"}))'
    pattern = {"regex": '/job="([^"]+)".* 7 /', "multi": False, "includeAll": False}
    bench.dashboards(
        dashboard(panel(1, target('up{job="$job"}')), templating={"list": [query_variable("job", query, **pattern)]})
    )
    found = [series([(END, value)], __name__="up", job=job) for job, value in (("b", "7"), ("a", "7"), ("c", "8"))]
    bench.prometheus.series['topk(2, up{a="3600"})'] = found
    answer = (await bench.refresh(**{"from": "now-1h"})).json()
    assert answer["variables"][0]["options"] == ["b", "a"]
    assert 'up{job="b"}' in bench.prometheus.queries()


async def test_a_variable_that_cannot_be_read_says_why_and_the_panels_still_answer(bench: Bench) -> None:
    variable = query_variable("job", "metrics(up)")
    bench.dashboards(dashboard(panel(1, target("up")), templating={"list": [variable]}))
    bench.prometheus.series["up"] = ONE
    answer = (await bench.refresh()).json()
    assert "label_values" in answer["variables"][0]["fault"]
    assert answer["panels"]["1"]["frames"]


async def test_a_panel_names_the_fault_of_its_variable_and_asks_nothing_else(bench: Bench) -> None:
    variables = [query_variable("job", "metrics(up)"), {"name": "filter", "type": "adhoc"}]
    panels = [panel(1, target('up{job=~"$job"}')), panel(2, target("sum(up[[filter]])")), panel(3, target("up"))]
    bench.dashboards(dashboard(*panels, templating={"list": variables}))
    answer = (await bench.refresh(panels=[{"id": 1}, {"id": 2}, {"id": 3}])).json()["panels"]
    (first,), (second,) = answer["1"]["errors"], answer["2"]["errors"]
    assert first["kind"] == second["kind"] == "variable"
    assert first["message"].startswith("variable job: the console knows label_values")
    assert "does not know variables of type 'adhoc'" in second["message"]
    assert bench.prometheus.queries().count("up") == 1
    assert not any("up{" in query or "sum(" in query for query in bench.prometheus.queries())


async def test_annotations_come_with_the_refresh(bench: Bench) -> None:
    annotation = {
        "name": "Alerts",
        "enable": True,
        "iconColor": "red",
        "expr": "ALERTS",
        "titleFormat": "{{alertname}}",
    }
    bench.dashboards(dashboard(panel(1, target("up")), annotations={"list": [annotation]}))
    bench.prometheus.series["ALERTS"] = [series([(END, "1")], alertname="Hot")]
    assert (await bench.refresh()).json()["annotations"][0]["title"] == "Hot"


async def test_a_panel_can_have_a_length_of_time_of_its_own(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("up"), timeFrom="2h")))
    found = (await bench.refresh()).json()["panels"]["1"]
    assert found["end"] - found["start"] == 7200


async def test_prometheus_that_is_away_is_reported_in_panels_and_status(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("up"))))
    for query in ("up", "count(up)"):
        bench.prometheus.raw[query] = (503, b"not yet")
    answer = (await bench.refresh()).json()
    assert answer["panels"]["1"]["errors"][0]["kind"] == "starting"
    assert answer["status"]["prometheus"] == "starting"


async def test_answers_from_before_prometheus_went_away_are_kept_from_nobody_for_long(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("up")), panel(2, target("down"))))
    bench.prometheus.series["up"] = ONE
    assert (await bench.refresh(panels=[{"id": 1}])).json()["panels"]["1"]["frames"]
    bench.prometheus.raw |= dict.fromkeys(("up", "down", "count(up)"), (503, b"not yet"))
    mixed = (await bench.refresh(panels=[{"id": 1}, {"id": 2}])).json()["panels"]
    assert (mixed["1"]["errors"], mixed["2"]["errors"][0]["kind"]) == ([], "starting")
    later = (await bench.refresh(panels=[{"id": 1, "width": 300}])).json()["panels"]
    assert later["1"]["errors"][0]["kind"] == "starting"


@pytest.mark.parametrize(("start", "asked"), [("now-1h", 2), ("now-30d", 1)])
async def test_over_days_an_answer_serves_until_its_next_minute(tmp_path: Path, start: str, asked: int) -> None:
    """At a refresh each five seconds, thirty days would be read again twelve times a minute."""
    now, ticks = 1_800_000_003.0, 0.0
    async with running(FakePrometheus()) as fake, aiohttp.ClientSession() as http:
        prometheus = Prometheus(http, fake.url)
        library = DashboardFiles(write(tmp_path, dashboard(panel(1, target("up")))))
        status = StatusReader(prometheus, lambda: now)
        refresher = Refresher(library, prometheus, status, lambda: now, ticks=lambda: ticks)
        request = RefreshRequest(start, "now", (PanelView(1),))
        for at in (0.0, 30.0):
            now, ticks = 1_800_000_003.0 + at, at
            await refresher.refresh("small", request)
        assert fake.queries().count("up") == asked
        now, ticks = 1_800_000_063.0, 60.0
        await refresher.refresh("small", request)
        assert fake.queries().count("up") == asked + 1
        await refresher.close()


async def test_the_answer_is_compressed_for_those_who_can_read_it(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("up"))))
    bench.prometheus.series["up"] = [
        series([(END - 5 * at, "1.5") for at in range(12)], job=f"job-{number}") for number in range(40)
    ]
    async with bench.client.stream(
        "POST",
        "/api/dashboards/small/refresh",
        json={"from": "now-1m", "to": "now", "panels": [{"id": 1}]},
        headers={"Accept-Encoding": "gzip"},
    ) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert b"job-39" in gzip.decompress(raw)


OLDEST = "min(prometheus_tsdb_lowest_timestamp > 0)"


def oldest(moment: float) -> list[dict[str, Any]]:
    return [series([(END, f"{moment * 1000:.0f}")])]


@pytest.mark.parametrize(
    ("first_sample", "begins"),
    [
        (END - 1200, END - 1200),
        (END - 60, END - 300),
        (END - 86_400, END - 3600),
        (9.2e15, END - 3600),
        (0, END - 3600),
    ],
)
async def test_in_the_first_minutes_the_picture_begins_where_the_data_begins(
    bench: Bench, first_sample: float, begins: float
) -> None:
    bench.dashboards(dashboard(panel(1, target("up"))))
    bench.prometheus.series[OLDEST] = oldest(first_sample)
    answer = (await bench.refresh(**{"from": "now-1h"})).json()
    assert (answer["start"], answer["end"]) == (begins, END)


async def test_a_fixed_range_is_shown_as_picked_whatever_data_there_is(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("up"))))
    bench.prometheus.series[OLDEST] = oldest(END - 1200)
    answer = (await bench.refresh(**{"from": f"{END - 3600:.0f}000", "to": f"{END:.0f}000"})).json()
    assert answer["start"] == END - 3600


async def test_a_panel_of_now_keeps_its_own_minutes_but_for_a_fixed_range(bench: Bench) -> None:
    bench.dashboards(dashboard(panel(1, target("up"), timeFrom="15m")))
    relative = (await bench.refresh(**{"from": "now-24h"})).json()["panels"]["1"]
    fixed = (await bench.refresh(**{"from": f"{END - 3600:.0f}000", "to": f"{END:.0f}000"})).json()["panels"]["1"]
    assert (relative["start"], fixed["start"]) == (END - 900, END - 3600)
