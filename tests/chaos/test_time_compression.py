import yaml

from chaos.time_compression import compress_notification_times, compress_rule_times

RULES = """
groups:
- name: one
  interval: 30s
  rules:
  - record: job:failures:ratio_1h
    expr: sum_over_time(job:failures:rate5m[1h]) / (sum_over_time(job:requests:rate5m[5m]) > 0)
  - alert: Burning
    expr: job:failures:ratio_5m > 0.3 and max_over_time(x[1h30m:1m]) > 3 * avg_over_time(y[1d] offset 1h) and z[3d:]
    for: 2m
    keep_firing_for: 5m
"""


def test_times_are_divided_and_names_and_thresholds_are_kept() -> None:
    recorded, alert = yaml.safe_load(compress_rule_times(RULES, 60, 1))["groups"][0]["rules"]
    assert recorded["record"] == "job:failures:ratio_1h"
    assert recorded["expr"] == (
        "sum_over_time(job:failures:rate5m[60000ms]) / (sum_over_time(job:requests:rate5m[5000ms]) > 0)"
    )
    assert alert["expr"] == (
        "job:failures:ratio_5m > 0.3 and max_over_time(x[90000ms:1000ms])"
        " > 3 * avg_over_time(y[1440000ms] offset 60000ms) and z[4320000ms:]"
    )
    assert (alert["for"], alert["keep_firing_for"]) == ("2000ms", "5000ms")


def test_no_range_is_shorter_than_four_scrapes() -> None:
    group = yaml.safe_load(compress_rule_times(RULES, 600, 1))["groups"][0]
    assert "[4000ms]" in group["rules"][0]["expr"]
    assert group["interval"] == "1000ms"


def test_a_factor_of_one_changes_nothing_but_the_unit() -> None:
    assert "[3600000ms]" in compress_rule_times(RULES, 1, 5)


def test_notifications_wait_shorter_on_every_route_and_are_repeated_as_before() -> None:
    text = "{route: {group_wait: 10s, group_interval: 1m, repeat_interval: 1d, routes: [{group_wait: 5s}]}}"
    route = yaml.safe_load(compress_notification_times(text, 10))["route"]
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("1000ms", "6000ms", "1d")
    assert route["routes"][0]["group_wait"] == "500ms"
