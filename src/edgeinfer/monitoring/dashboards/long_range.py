"""One panel for minutes and for months: its rates come from raw series, or over days from recorded ones.

Prometheus evaluates both sides of `or`, so the side that is not wanted must match no series, which costs nothing.
No series has the label `resolution`: a matcher that takes the empty text matches all of them, one that does not, none.
The hidden variable of this name is such a pattern, chosen by the length of the picked range.
"""

from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from edgeinfer.monitoring.dashboards.panels import DATASOURCE
from edgeinfer.monitoring.promql import Queries, Recorded, Source, Where
from edgeinfer.monitoring.recording import LONG_RANGE_SECONDS, RESOLUTION, long_range

# From here on a graph's points are five minutes apart or more, and recorded series have one for each.
_LONG_RANGE_STARTS_SECONDS = 15 * 3600
_RAW, _RECORDED = ".*", ".+"


class LongRangeQueries(Queries):
    """Queries whose rates read recorded series when the picked range is long."""

    def over(self, function: str, source: Source, suffix: str, where: Where | None, window: str) -> str:
        """The function of raw counters, or the same of what is recorded of them."""
        recorded = None if isinstance(source, Recorded) else long_range(source, suffix)
        if recorded is None:
            return Queries.over(self, function, source, suffix, where, window)
        raw = only_raw(self.select(source, where, suffix=suffix))
        past = only_recorded(self.select(recorded, where))
        length = "$__range" if window == "$__range" else "$__interval"
        if function == "increase":
            return f"{function}({raw}[{window}]) or {LONG_RANGE_SECONDS} * sum_over_time({past}[{length}])"
        return f"{function}({raw}[{window}]) or avg_over_time({past}[{length}])"


def only_raw(selected: str) -> str:
    """The selector, matching nothing while the range is long."""
    return _matching(selected, "=~")


def only_recorded(selected: str) -> str:
    """The selector, matching nothing while the range is short."""
    return _matching(selected, "!~")


def _matching(selected: str, operator: str) -> str:
    matcher = f'{RESOLUTION}{operator}"${RESOLUTION}"'
    return f"{selected[:-1]}, {matcher}}}" if selected.endswith("}") else f"{selected}{{{matcher}}}"


def resolution() -> Any:
    """The hidden variable that says from which series rates come."""
    lengths = {_RAW: f"< {_LONG_RANGE_STARTS_SECONDS}", _RECORDED: f">= {_LONG_RANGE_STARTS_SECONDS}"}
    found = (
        f'label_replace(vector($__range_s) {length}, "{RESOLUTION}", "{pattern}", "", "")'
        for pattern, length in lengths.items()
    )
    return (
        builders.QueryVariable(RESOLUTION)
        .label("Resolution")
        .hide(dashboard.VariableHide.HIDE_VARIABLE)
        .datasource(DATASOURCE)
        .query({"query": f"query_result({' or '.join(found)})", "refId": RESOLUTION, "qryType": 3})
        .regex(f'/{RESOLUTION}="([^"]+)"/')
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .current(dashboard.VariableOption(selected=True, text=_RAW, value=_RAW))
    )
