"""The report on metric names says what changed, and refuses a mapping that is wrong."""

from dataclasses import replace

import pytest

from edgeinfer.catalog.all import all_metrics
from tools.metric_diff import RENAMED, Exported, changes, exported, report

OLD = Exported("a_total", "counter", "requests", (), ("gateway",), {"backend": (), "status": ("ok", "failed")})


def test_the_working_tree_exports_its_catalog() -> None:
    assert list(exported()) == [metric.name for metric in all_metrics()]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (OLD, []),
        (replace(OLD, unit="errors"), ["unit: requests → errors"]),
        (
            replace(OLD, labels={"sidecar": (), "status": ("ok", "failed")}),
            ["labels: `backend`, `status` → `sidecar`, `status`"],
        ),
        (
            replace(OLD, labels={"backend": (), "status": ("ok", "shed")}),
            ["status without `failed`", "status with `shed`"],
        ),
        (replace(OLD, buckets=(1.0,)), ["other buckets"]),
    ],
)
def test_each_change_is_said(new: Exported, said: list[str]) -> None:
    assert changes(OLD, new) == said


def test_new_changed_renamed_and_removed_metrics_are_listed() -> None:
    old = {name: replace(OLD, name=name) for name in ("a", "b", "gone", "same")}
    new = {name: replace(OLD, name=name) for name in ("c", "added", "same")} | {"a": replace(OLD, unit="errors")}
    page = report(old, new, "1234567", {"b": "c"})
    assert (
        "Of 4 metrics 1 are unchanged, 1 have a new name, 1 have other labels or values, and 1 are gone; 1 are new."
        in page
    )
    assert "| `b` | `c` | none |" in page
    assert "| `a` | unit: requests → errors |" in page
    assert "- `gone`" in page
    assert "- `added`: counter, requests" in page


def test_a_mapping_to_a_metric_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"correct RENAMED: .*edgeinfer_problems_total"):
        report(dict.fromkeys(RENAMED, OLD), {}, "1234567")
