"""One refresh of a dashboard: every query of its visible panels, asked at once, answered in one document."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import msgspec

from edgeinfer.console import annotations
from edgeinfer.console.dashboard_files import Dashboard, DashboardFiles, Panel, PanelQuery, annotation_expression
from edgeinfer.console.frames import Frame, instant_frame, range_frame
from edgeinfer.console.interpolation import Interpolation, VariableValue, references
from edgeinfer.console.prometheus import Prometheus
from edgeinfer.console.ranges import (
    MAX_LATENESS_SECONDS,
    TimeRange,
    parse_duration,
    parse_range,
    rate_interval,
    step_for,
)
from edgeinfer.console.single_flight import SingleFlightCache
from edgeinfer.console.status import ConsoleStatus, StatusReader
from edgeinfer.console.variables import Variable, resolve_variables
from edgeinfer.errors import InvalidBody, MonitoringError
from edgeinfer.web.json_errors import UNDECODABLE

SCRAPE_SECONDS = 5.0
_KEEP_SECONDS = 10.0
_DEADLINE_SECONDS = 20.0
_MAX_PANELS = 100
_WIDTHS = (100, 2000)
# Widths of nearly the same size share their queries.
_WIDTH_GRID = 100
_MAX_EXEMPLARS = 60
# Milliseconds of the oldest sample, blocks on disk included; without Prometheus' own metrics nothing is known.
_OLDEST = "min(prometheus_tsdb_lowest_timestamp > 0)"
_MIN_RANGE_SECONDS = 300
_AWAY = ("starting", "unreachable")


class PanelView(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A panel that is on the screen, and how many points wide it is."""

    id: int
    width: int = 600


class RefreshRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """What a viewer asks for; there is no place in it for a query."""

    start: str
    end: str
    panels: tuple[PanelView, ...] = ()
    variables: dict[str, tuple[str, ...]] = {}

    def key(self) -> tuple[Any, ...]:
        """Equal for viewers that see the same."""
        views = tuple(sorted((view.id, _points(view.width)) for view in self.panels))
        return (self.start, self.end, views, tuple(sorted(self.variables.items())))


def read_request(body: bytes) -> RefreshRequest:
    """The request in a body.

    Raises:
        InvalidBody: not JSON, a field that does not belong, or too many panels.
    """
    try:
        request = msgspec.json.decode(body, type=RefreshRequest)
    except UNDECODABLE as failure:
        raise InvalidBody("body", str(failure), "Send from, to, panels and variables.") from failure
    if len(request.panels) > _MAX_PANELS:
        raise InvalidBody("panels", f"more than {_MAX_PANELS}", "Ask for the visible ones.")
    return request


@dataclass(frozen=True, slots=True)
class PanelAnswer:
    """What one panel shows.

    Args:
        time: from when to when, which may be the panel's own.
        errors: of queries that failed, each with ref, kind and message.
        exemplars: single requests behind a histogram, each with time, value and labels.
    """

    time: TimeRange
    frames: list[Frame]
    errors: list[dict[str, str]]
    exemplars: list[dict[str, Any]]

    def as_document(self) -> dict[str, Any]:
        return {
            "start": self.time.start,
            "end": self.time.end,
            "frames": [frame.as_document() for frame in self.frames],
            "errors": self.errors,
            "exemplars": self.exemplars,
        }


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Everything that the visible panels of a dashboard show at one moment.

    Args:
        now: seconds since 1970 of the newest scrape that can be in it.
    """

    now: float
    time: TimeRange
    variables: list[Variable]
    panels: dict[int, PanelAnswer]
    annotations: list[dict[str, Any]]
    status: ConsoleStatus

    def as_document(self) -> dict[str, Any]:
        return {
            "now": self.now,
            "start": self.time.start,
            "end": self.time.end,
            "variables": [one.as_document() for one in self.variables],
            "panels": {str(number): answer.as_document() for number, answer in self.panels.items()},
            "annotations": self.annotations,
            "status": self.status.as_document(),
        }


_Series = SingleFlightCache[tuple[Any, ...], list[dict[str, Any]]]


class Refresher:
    """Answers refreshes; identical queries of different viewers run once.

    Args:
        library: the dashboards.
        prometheus: whom to ask.
        status: read along with each refresh.
        clock: seconds since 1970.
        scrape_seconds: interval of Prometheus, the shortest step there is.
        ticks: monotonic seconds.
    """

    def __init__(  # noqa: PLR0913  # everything that a test may want to replace
        self,
        library: DashboardFiles,
        prometheus: Prometheus,
        status: StatusReader,
        clock: Callable[[], float],
        scrape_seconds: float = SCRAPE_SECONDS,
        *,
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._library = library
        self._prometheus = prometheus
        self._status = status
        self._clock = clock
        self._scrape_seconds = scrape_seconds
        self._series = _Series(_KEEP_SECONDS, clock=ticks)
        # Over days the last point is of a whole minute: until the next, whoever asks again gets the same.
        self._long_series = _Series(MAX_LATENESS_SECONDS, clock=ticks)

    def now(self) -> float:
        """The time of the newest scrape that can be complete, so that all viewers ask for the same moment."""
        return self._clock() // self._scrape_seconds * self._scrape_seconds

    async def refresh(self, uid: str, request: RefreshRequest) -> Refreshed:
        """Everything that the visible panels of a dashboard show.

        Raises:
            UnknownDashboard: no file has this uid.
            InvalidBody: a time, panel or variable that is none.
        """
        dashboard = self._library.get(uid)
        now = self.now()
        time = await self._since_data(parse_range(request.start, request.end, now), request.start)
        panels = [(_panel(dashboard, view.id), _points(view.width)) for view in request.panels]
        variables = await resolve_variables(dashboard, request.variables, time, self._prometheus)
        # What a variable stands for is unknown while it has a fault: its panels say so, and ask nothing else instead.
        choices = {one.name: one.choice for one in variables if not one.fault}
        faults = {one.name: one.fault for one in variables if one.fault}
        answers, events, status = await asyncio.gather(
            asyncio.gather(
                *(
                    self._panel(
                        panel,
                        points,
                        _time_of(panel, time, is_relative=request.start.startswith("now")),
                        choices,
                        faults,
                    )
                    for panel, points in panels
                )
            ),
            self._annotations(dashboard, time, choices),
            self._status.read(),
        )
        if any(error["kind"] in _AWAY for answer in answers for error in answer.errors):
            for kept in (self._series, self._long_series):
                kept.forget()  # kept answers next to failures would look like measurements of now
        found = {panel.id: answer for (panel, _), answer in zip(panels, answers, strict=True)}
        return Refreshed(now, time, variables, found, events, status)

    async def _since_data(self, time: TimeRange, start: str) -> TimeRange:
        """A range up to now begins with the data: in the first minutes an hour would be a sliver at the right edge."""
        if not start.startswith("now"):
            return time
        key = ("oldest", time.end // _KEEP_SECONDS)
        try:
            found = await self._series.get(key, lambda: self._prometheus.query(_OLDEST, time.end))
        except MonitoringError:
            return time  # the panels say so
        oldest = float(found[0]["value"][1]) / 1000 if found else 0.0
        # A store without any sample says the largest number that there is.
        if not time.start < oldest < time.end:
            return time
        return TimeRange(max(time.start, min(oldest, time.end - _MIN_RANGE_SECONDS)), time.end)

    async def variables(self, uid: str, request: RefreshRequest) -> list[Variable]:
        """The variables of a dashboard alone."""
        time = parse_range(request.start, request.end, self.now())
        return await resolve_variables(self._library.get(uid), request.variables, time, self._prometheus)

    async def close(self) -> None:
        await self._series.close()
        await self._long_series.close()
        await self._status.close()

    async def _panel(  # what a panel's queries depend on
        self,
        panel: Panel,
        points: int,
        time: TimeRange,
        choices: Mapping[str, VariableValue],
        faults: Mapping[str, str],
    ) -> PanelAnswer:
        points = min(points, panel.max_points or points)
        unresolved = [_unresolved(target, faults) for target in panel.targets]
        if any(unresolved):
            return PanelAnswer(time, [], [error for error in unresolved if error], [])
        asked = [self._target(panel, target, points, time, choices) for target in panel.targets]
        answers = await asyncio.gather(*asked)
        frames = [frame for found, _ in answers for frame in found]
        errors = [error for _, error in answers if error]
        return PanelAnswer(time, frames, errors, await self._exemplars(panel, time, choices))

    async def _target(
        self, panel: Panel, target: PanelQuery, points: int, time: TimeRange, choices: Mapping[str, VariableValue]
    ) -> tuple[list[Frame], dict[str, str] | None]:
        least = target.min_step_seconds or panel.min_step_seconds or self._scrape_seconds
        step = step_for(time.seconds, points, max(least, self._scrape_seconds))
        window = rate_interval(step, self._scrape_seconds)
        expression = Interpolation(time, step, window, choices).expand(target.expression)
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                return await self._frames(target, expression, time, step), None
        except MonitoringError as failure:
            return [], {"ref": target.ref, "kind": failure.kind, "message": f"{failure.thing}: {failure.fault}"}
        except TimeoutError:
            fault = f"no answer within {_DEADLINE_SECONDS:g} s"
            return [], {"ref": target.ref, "kind": "timeout", "message": fault}

    async def _frames(self, target: PanelQuery, expression: str, time: TimeRange, step: float) -> list[Frame]:
        frames = []
        if target.is_range:
            aligned = time.aligned(step)
            frames.append(range_frame(target, await self._range(expression, aligned, step), aligned, step))
        if target.is_instant:
            key = ("instant", expression, time.end)
            series = await self._series.get(key, lambda: self._prometheus.query(expression, time.end))
            frames.append(instant_frame(target, series, time.end))
        return frames

    async def _range(self, expression: str, aligned: TimeRange, step: float) -> list[dict[str, Any]]:
        key = ("range", expression, aligned.start, aligned.end, step)
        kept = self._series if step <= MAX_LATENESS_SECONDS else self._long_series

        async def ask() -> list[dict[str, Any]]:
            return await self._prometheus.query_range(expression, aligned.start, aligned.end, step)

        return await kept.get(key, ask)

    async def _exemplars(
        self, panel: Panel, time: TimeRange, choices: Mapping[str, VariableValue]
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for target in panel.targets:
            if not target.wants_exemplars:
                continue
            step = step_for(time.seconds, 600, self._scrape_seconds)
            expansion = Interpolation(time, step, rate_interval(step, self._scrape_seconds), choices)
            expression = expansion.expand(target.expression)
            try:
                found += await self._ask_exemplars(expression, time)
            except MonitoringError:
                continue  # a server without exemplars has none to show; the query itself reports real failures
        points = [
            {"time": one["timestamp"], "value": float(one["value"]), "labels": one["labels"]}
            for series in found
            for one in series["exemplars"]
        ]
        return sorted(points, key=lambda one: -one["value"])[:_MAX_EXEMPLARS]

    async def _ask_exemplars(self, expression: str, time: TimeRange) -> list[dict[str, Any]]:
        key = ("exemplars", expression, time.start, time.end)
        return await self._series.get(key, lambda: self._prometheus.exemplars(expression, time.start, time.end))

    async def _annotations(
        self, dashboard: Dashboard, time: TimeRange, choices: Mapping[str, VariableValue]
    ) -> list[dict[str, Any]]:
        found = await asyncio.gather(*(self._events(one, time, choices) for one in dashboard.annotations))
        return [event for events in found for event in events]

    async def _events(
        self, annotation: Mapping[str, Any], time: TimeRange, choices: Mapping[str, VariableValue]
    ) -> list[dict[str, Any]]:
        least = parse_duration(str(annotation.get("step") or "")) or self._scrape_seconds
        step = step_for(time.seconds, 300, least)
        window = rate_interval(step, self._scrape_seconds)
        expression = Interpolation(time, step, window, choices).expand(annotation_expression(annotation))
        try:
            series = await self._range(expression, time.aligned(step), step)
        except MonitoringError as failure:
            return [{"name": str(annotation.get("name", "")), "error": f"{failure.thing}: {failure.fault}"}]
        return annotations.events(annotation, series, step)


def _time_of(panel: Panel, time: TimeRange, *, is_relative: bool) -> TimeRange:
    """The panel's own length of time, which like in Grafana gives way to a fixed range such as of a zoom."""
    if panel.time_from_seconds and is_relative:
        return TimeRange(time.end - panel.time_from_seconds, time.end)
    return time


def _unresolved(target: PanelQuery, faults: Mapping[str, str]) -> dict[str, str] | None:
    """The error of a query that reads a variable with a fault."""
    names = sorted(references(target.expression) & faults.keys())
    message = "; ".join(f"variable {name}: {faults[name]}" for name in names)
    return {"ref": target.ref, "kind": "variable", "message": message} if names else None


def _panel(dashboard: Dashboard, panel_id: int) -> Panel:
    if panel_id not in dashboard.panels:
        raise InvalidBody(f"panel {panel_id}", "this dashboard has none of this id", "Reload the page.")
    return dashboard.panels[panel_id]


def _points(width: int) -> int:
    least, most = _WIDTHS
    return min(most, max(least, width // _WIDTH_GRID * _WIDTH_GRID))


def panel_ids(dashboard: Dashboard) -> Sequence[int]:
    return [panel.id for panel in dashboard.panels.values() if panel.targets]
