"""The panels that our dashboards are made of; these types and options are all that the console draws too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge as bargauge_builders,
)
from grafana_foundation_sdk.builders import (
    common as common_builders,
)
from grafana_foundation_sdk.builders import (
    dashboard as dashboard_builders,
)
from grafana_foundation_sdk.builders import (
    gauge as gauge_builders,
)
from grafana_foundation_sdk.builders import (
    prometheus as prometheus_builders,
)
from grafana_foundation_sdk.builders import (
    stat as stat_builders,
)
from grafana_foundation_sdk.builders import (
    statetimeline as statetimeline_builders,
)
from grafana_foundation_sdk.builders import (
    table as table_builders,
)
from grafana_foundation_sdk.builders import (
    text as text_builders,
)
from grafana_foundation_sdk.builders import (
    timeseries as timeseries_builders,
)
from grafana_foundation_sdk.models import common, dashboard, prometheus
from grafana_foundation_sdk.models import text as text_models

from edgeinfer.monitoring.dashboards.style import ERROR_COLORS, GREY, PLAIN, RED, Thresholds

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

# Points that a graph asks for: at one hour one in fifteen seconds, at thirty days one in three hours.
_GRAPH_POINTS = 240
_SPARKLINE_POINTS = 120
# A number with a curve is a number of now: its panel looks at these minutes whatever range is picked, because the last
# point of a longer range is up to a step old, and a step of thirty days takes hours.
NOW_RANGE = "15m"
"""What a value is called and colored: value, text, color."""
ValueMappings = Sequence[tuple[float, str, str]]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression of a panel.

    Args:
        legend: with labels in double braces.
        instant: asks for the newest value only.
        exemplars: asks for the requests behind the numbers.
    """

    expression: str
    legend: str = ""
    instant: bool = False
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class DashboardLink:
    """Where a click on the panel's title leads, with time and variables kept."""

    title: str
    dashboard: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel and its size on the grid of 24 columns.

    Args:
        link: where its title leads; its row's if not given.
    """

    builder: Any
    width: int
    height: int
    link: DashboardLink | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldConfig:
    """How values read: unit, thresholds, colors of series by name.

    Args:
        steps: from which value on which color.
        color: of every series, where they are parts of one thing.
        colors: color of a series by its legend.
        value_mappings: names and colors of values.
    """

    unit: str
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    thresholds: Thresholds = PLAIN
    color: str = ""
    colors: Mapping[str, str] | None = None
    value_mappings: ValueMappings = ()
    no_value: str = ""

    @property
    def judges(self) -> bool:
        """Whether a color says something, and is not only the next of a palette."""
        return self.thresholds is not PLAIN or bool(self.color or self.colors or self.value_mappings)


def stat(  # noqa: PLR0913  # a panel is given by name, like the entry of a form
    title: str,
    description: str,
    queries: Sequence[Query],
    field_config: FieldConfig,
    *,
    size: tuple[int, int] = (3, 4),
    shows: str = "value",
    sparkline: bool = True,
    link: DashboardLink | None = None,
) -> Panel:
    """A number of now, or with `shows="name"` the legend of what is there; colored where the look gives colors meaning.

    A sparkline shows the last minutes. Its query gets "not a number" at each point where it has nothing, so that the
    panel says its `no_value` at once and not the last number that there was.
    """
    mode = common.BigValueColorMode
    kind = mode.VALUE if sparkline else mode.BACKGROUND if field_config.judges else mode.NONE
    builder = (
        stat_builders.Panel()
        .color_mode(kind)
        .graph_mode(common.BigValueGraphMode.AREA if sparkline else common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode(shows))
        .justify_mode(common.BigValueJustifyMode.AUTO)
        .orientation(common.VizOrientation.AUTO)
        .reduce_options(_newest())
    )
    asked = [_total(query) if sparkline else replace(query, instant=True) for query in queries]
    _apply_field_config(builder, title, description, asked, field_config)
    builder.max_data_points(_SPARKLINE_POINTS)
    if not all(query.instant for query in asked):
        builder.time_from(NOW_RANGE).hide_time_override(True)
    return Panel(builder, *size, link)


def time_series(  # noqa: PLR0913  # a panel is given by name, like the entry of a form
    title: str,
    description: str,
    queries: Sequence[Query],
    field_config: FieldConfig,
    *,
    size: tuple[int, int] = (12, 8),
    stacked: bool = False,
    bars: bool = False,
    line: bool = False,
    axis: str = "",
    min_step: str = "",
    link: DashboardLink | None = None,
) -> Panel:
    """Lines over time; `line` draws the last threshold as the objective, `min_step` is the shortest step."""
    builder = (
        timeseries_builders.Panel()
        .draw_style(common.GraphDrawStyle.BARS if bars else common.GraphDrawStyle.LINE)
        .line_width(1)
        .fill_opacity(60 if stacked or bars else 8)
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(False)
        .stacking(_stacking(on=stacked))
        .thresholds_style(_line_style(on=line))
        .axis_soft_min(0)
        .legend(_legend(("last", "max")))
        .tooltip(_tooltip())
        .max_data_points(_GRAPH_POINTS)
    )
    if stacked and {RED, *ERROR_COLORS.values()} & set((field_config.colors or {}).values()):
        # Nothing that failed, stacked on what went well, would be a red line along the top of a healthy picture.
        queries = [replace(query, expression=f"({query.expression}) > 0") for query in queries]
    if axis:
        builder.axis_label(axis)
    if min_step:
        builder.interval(min_step)
    _apply_field_config(builder, title, description, queries, field_config)
    return Panel(builder, *size, link)


def bar_gauge(  # noqa: PLR0913  # a panel is given by name, like the entry of a form
    title: str,
    description: str,
    queries: Sequence[Query],
    field_config: FieldConfig,
    *,
    size: tuple[int, int] = (8, 8),
    link: DashboardLink | None = None,
) -> Panel:
    """Horizontal bars, one for each series, of the newest values."""
    builder = (
        bargauge_builders.Panel()
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .value_mode(common.BarGaugeValueMode.COLOR)
        .show_unfilled(True)
        .reduce_options(_newest())
    )
    _apply_field_config(builder, title, description, queries, field_config)
    return Panel(builder, *size, link)


def gauge(  # noqa: PLR0913  # a panel is given by name, like the entry of a form
    title: str,
    description: str,
    queries: Sequence[Query],
    field_config: FieldConfig,
    *,
    size: tuple[int, int] = (4, 6),
    link: DashboardLink | None = None,
) -> Panel:
    """A gauge between minimum and maximum with its thresholds around."""
    builder = (
        gauge_builders.Panel()
        .show_threshold_markers(True)
        .show_threshold_labels(False)
        .orientation(common.VizOrientation.AUTO)
        .reduce_options(_newest())
    )
    _apply_field_config(builder, title, description, queries, field_config)
    return Panel(builder, *size, link)


def table(  # noqa: PLR0913  # a panel is given by name, like the entry of a form
    title: str,
    description: str,
    query: Query,
    field_config: FieldConfig,
    *,
    columns: Mapping[str, str],
    size: tuple[int, int] = (12, 8),
    link: DashboardLink | None = None,
) -> Panel:
    """One row for each series; `columns` renames labels and `Value`, what is not named is hidden."""
    builder = table_builders.Panel().show_header(True).cell_height(common.TableCellHeight.SM)
    _apply_field_config(builder, title, description, [query], field_config, as_table=True)
    for name in ("Time", *(() if "Value" in columns else ("Value",))):
        builder.override_by_name(name, [_property("custom.hideFrom.viz", True)])
    for name, shown in columns.items():
        builder.override_by_name(name, [_property("displayName", shown)])
    return Panel(builder, *size, link)


def state_timeline(  # noqa: PLR0913  # a panel is given by name, like the entry of a form
    title: str,
    description: str,
    queries: Sequence[Query],
    field_config: FieldConfig,
    *,
    size: tuple[int, int] = (12, 6),
    link: DashboardLink | None = None,
) -> Panel:
    """A band for each series, colored by its state."""
    builder = (
        statetimeline_builders.Panel()
        .show_value(common.VisibilityMode.AUTO)
        .merge_values(True)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(80)
        .legend(_legend(()))
        .tooltip(_tooltip())
        .max_data_points(_GRAPH_POINTS)
    )
    _apply_field_config(builder, title, description, queries, field_config)
    return Panel(builder, *size, link)


def text(title: str, description: str, content: str, *, size: tuple[int, int] = (24, 3)) -> Panel:
    builder = (
        text_builders.Panel().title(title).description(description).mode(text_models.TextMode.MARKDOWN).content(content)
    )
    return Panel(builder, *size)


def _apply_field_config(  # noqa: PLR0913  # what all panels have in common
    builder: Any,
    title: str,
    description: str,
    queries: Sequence[Query],
    field_config: FieldConfig,
    *,
    as_table: bool = False,
) -> None:
    builder.title(title).description(description).datasource(DATASOURCE).unit(field_config.unit)
    builder.thresholds(_thresholds(field_config.thresholds))
    is_number = isinstance(builder, (stat_builders.Panel, gauge_builders.Panel, bargauge_builders.Panel))
    # A number that nobody judges is blue: a palette would begin with green, as if it were good.
    by_value = is_number or (len(field_config.thresholds) > 1 and not isinstance(builder, timeseries_builders.Panel))
    mode = dashboard.FieldColorModeId.THRESHOLDS if by_value else dashboard.FieldColorModeId.PALETTE_CLASSIC
    scheme = dashboard_builders.FieldColor().mode(mode)
    if field_config.color:
        scheme = dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.FIXED).fixed_color(field_config.color)
    builder.color_scheme(scheme)
    for value, apply in (
        (field_config.decimals, builder.decimals),
        (field_config.minimum, builder.min),
        (field_config.maximum, builder.max),
        (field_config.no_value or None, builder.no_value),
    ):
        if value is not None:
            apply(value)
    nothing = [_nothing(field_config.no_value)] if is_number and field_config.no_value else []
    if field_config.value_mappings or nothing:
        builder.mappings([*([_mapping(field_config.value_mappings)] if field_config.value_mappings else []), *nothing])
    for name, color in (field_config.colors or {}).items():
        builder.override_by_name(name, [_property("color", {"mode": "fixed", "fixedColor": color})])
    for position, query in enumerate(queries):
        builder.with_target(_target(query, chr(ord("A") + position), as_table=as_table))


def _target(query: Query, ref: str, *, as_table: bool) -> Any:
    target = (
        prometheus_builders.Dataquery()
        .ref_id(ref)
        .datasource(DATASOURCE)
        .expr(query.expression)
        .legend_format(query.legend)
        .format(prometheus.PromQueryFormat.TABLE if as_table else prometheus.PromQueryFormat.TIME_SERIES)
    )
    if query.exemplars:
        target.exemplar(True)
    return target.instant() if query.instant or as_table else target.range()


def _newest() -> Any:
    return common_builders.ReduceDataOptions().values(False).calcs(["last"]).fields("")


def _thresholds(steps: Thresholds) -> Any:
    found = [dashboard.Threshold(value=value, color=color) for value, color in steps]
    return dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(found)


def _stacking(*, on: bool) -> Any:
    mode = common.StackingMode.NORMAL if on else common.StackingMode.NONE
    return common_builders.StackingConfig().mode(mode).group("A")


def _line_style(*, on: bool) -> Any:
    mode = common.GraphThresholdsStyleMode.LINE if on else common.GraphThresholdsStyleMode.OFF
    return common_builders.GraphThresholdsStyleConfig().mode(mode)


def _legend(calculations: Sequence[str]) -> Any:
    return (
        common_builders.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.TABLE if calculations else common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .calcs(list(calculations))
    )


def _tooltip() -> Any:
    return common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)


def _mapping(value_mappings: ValueMappings) -> dashboard.ValueMap:
    options = {
        f"{value:g}": dashboard.ValueMappingResult(text=name, color=color, index=index)
        for index, (value, name, color) in enumerate(value_mappings)
    }
    return dashboard.ValueMap(options=options)


def _nothing(words: str) -> dashboard.SpecialValueMap:
    """Grafana shows "NaN" for not-a-number unless it is given another text."""
    result = dashboard.ValueMappingResult(text=words, color=GREY, index=0)
    options = dashboard.DashboardSpecialValueMapOptions(match=dashboard.SpecialValueMatch.NULL_AND_NAN, result=result)
    return dashboard.SpecialValueMap(options=options)


def _total(query: Query) -> Query:
    """The query with a point at each step."""
    return query if query.instant else replace(query, expression=f"{query.expression} or vector(NaN)")


def _property(name: str, value: Any) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val=name, value=value)
