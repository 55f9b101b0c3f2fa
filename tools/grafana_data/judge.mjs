// Renders panels with Grafana's own library and with the console's own classes, for a test to compare.
//
// Reads JSON from standard input: { console: folder of the console's static files, theme, panels: [{ panel, exact, wire,
// now }], notices: [panels], formats: [[value, unit, decimals]], intervals: [milliseconds], palette: number of colors, colors: [names] }.
// `exact` has the frames with every digit of Prometheus, as Grafana gets them; `wire` as the console's page gets them.
// `now` is [start, end] of the picked range: with it `now` of each series is said too, its text at the end of the range
// and when its last value was.
// Writes { panels: [{ grafana, console }], notices: [what the console says that it does not draw, for each], formats: [[grafana, console]], intervals, palette, colors }.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
const { setTheme } = require("./browser_globals.cjs");
const asked = JSON.parse(readFileSync(0, "utf8"));
setTheme(asked.theme);
const grafana = require("@grafana/data");
const part = (name) => import(pathToFileURL(`${asked.console}/${name}`).href);
const [fields, series, theme, units, { tableOf }, { stateColor }, { legendText }] = await Promise.all(
  ["fields.js", "series.js", "theme.js", "units.js", "panels/table.js", "panels/statetimeline.js", "panels/legend.js"].map(part),
);
const registry = await part("panels/registry.js");
const colors = grafana.createTheme({ colors: { mode: asked.theme } });
const number = (value) => (typeof value === "string" ? Number(value) : value);

// ---- Grafana

const PROCESSORS = {
  thresholds: grafana.thresholdsOverrideProcessor, unit: grafana.unitOverrideProcessor, mappings: grafana.valueMappingsOverrideProcessor,
  displayName: grafana.displayNameOverrideProcessor, links: grafana.dataLinksOverrideProcessor,
};
const STANDARD = ["unit", "min", "max", "decimals", "displayName", "noValue", "thresholds", "mappings", "color", "links", "description", "filterable"];

function registryOf(panel) {
  const config = panel.fieldConfig || {};
  const ids = (config.overrides || []).flatMap((one) => one.properties.map(({ id }) => id));
  const custom = new Set([...Object.keys(config.defaults?.custom || {}), ...ids.filter((id) => id.startsWith("custom.")).map((id) => id.slice(7))]);
  const item = (id, path, isCustom) => ({ id, path, name: id, isCustom, process: PROCESSORS[id] || grafana.identityOverrideProcessor, shouldApply: () => true, override: () => null, editor: () => null });
  return new grafana.FieldConfigOptionsRegistry(() => [...STANDARD.map((id) => item(id, id, false)), ...[...custom].map((id) => item(`custom.${id}`, id, true))]);
}

function seriesFrames(frames) {
  return frames.flatMap((frame) => frame.columns.map((values, place) => grafana.toDataFrame({
    refId: frame.ref,
    fields: [
      {
        name: "Time", type: "time", config: frame.step ? { interval: frame.step * 1000 } : {},
        values: values.map((_, at) => (frame.times ? frame.times[place][at] : frame.start + frame.step * at) * 1000),
      },
      { name: "Value", type: "number", values, labels: frame.labels[place], config: { displayNameFromDS: frame.names[place] } },
    ],
  })));
}

// One frame for each query, a field for each label: what the Prometheus plugin makes of a query in the format "table".
function tableFrames(frames) {
  return frames.map((frame) => {
    const names = [...new Set(frame.labels.flatMap(Object.keys))].sort();
    const strings = names.map((name) => ({ name, type: "string", values: frame.labels.map((labels) => labels[name] ?? ""), config: {} }));
    const value = { name: "Value", type: "number", values: frame.columns.map((values) => values[values.length - 1]), config: {} };
    return grafana.toDataFrame({ refId: frame.ref, fields: [{ name: "Time", type: "time", values: frame.labels.map(() => frame.start * 1000), config: {} }, ...strings, value] });
  });
}

function overridden(panel, data) {
  return grafana.applyFieldOverrides({ data, fieldConfig: { defaults: {}, overrides: [], ...panel.fieldConfig }, fieldConfigRegistry: registryOf(panel), replaceVariables: (text) => text, theme: colors, timeZone: "utc" });
}

// Grafana draws a gap wherever a point is missing on the grid, up to the end of the range.
function withGaps(frame, now) {
  if (!now) return frame;
  const [start, end] = now;
  return grafana.applyNullInsertThreshold({ frame, refFieldPseudoMin: start * 1000, refFieldPseudoMax: end * 1000 });
}

// Not-a-number is no point of a line.
const withoutNaN = (frame) => ({ ...frame, fields: frame.fields.map((field) => ({ ...field, values: field.values.map((value) => (Number.isNaN(value) ? null : value)) })) });

const text = (shown) => grafana.formattedValueToString({ ...shown, text: shown.text ?? "" });

const BY_GRAFANA = {
  numbers(panel, data) {
    const reduceOptions = { values: false, calcs: ["lastNotNull"], fields: "", ...panel.options?.reduceOptions };
    return grafana.getFieldDisplayValues({ fieldConfig: { defaults: {}, overrides: [], ...panel.fieldConfig }, reduceOptions, replaceVariables: (words) => words, theme: colors, data: overridden(panel, data), sparkline: false })
      .map(({ display }) => ({ name: display.title ?? "", text: text(display), color: display.color }));
  },
  lines(panel, data, now) {
    const all = overridden(panel, data).map((frame) => withoutNaN(withGaps(frame, now)));
    return all.map((frame) => {
      const field = frame.fields[1];
      const calcs = panel.options?.legend?.calcs || [];
      const reduced = grafana.reduceField({ field: { ...field, state: { ...field.state, calcs: undefined } }, reducers: calcs });
      return { name: grafana.getFieldDisplayName(field, frame, all), color: grafana.getFieldSeriesColor(field, colors).color, now: newest(frame), texts: calcs.map((name) => text(field.display(reduced[name]))) };
    });
  },
  states(panel, data, now) {
    const all = overridden(panel, data).map((frame) => withGaps(frame, now));
    return all.map((frame) => {
      const [, { values, display }] = frame.fields;
      const states = firstPlaces(values).map((place) => [text(display(values[place])), display(values[place]).color]);
      return { name: grafana.getFieldDisplayName(frame.fields[1], frame, all), now: newest(frame), states };
    });
  },
  table(panel, data) {
    return overridden(panel, data).flatMap((frame) => frame.fields.filter((field) => !field.config.custom?.hideFrom?.viz && !field.config.custom?.hidden)
      .map((field) => ({ name: grafana.getFieldDisplayName(field, frame), texts: field.type === "time" ? [] : field.values.map((value) => text(field.display(value))) })));
  },
};

const isMissing = (value) => value === null || value === undefined || Number.isNaN(value);

function newest({ fields: [times, { values, display }] }) {
  const last = values.findLastIndex((value) => !isMissing(value));
  return { text: text(display(values[values.length - 1])), last: last < 0 ? null : times.values[last] / 1000 };
}

function newestOf(one) {
  const last = one.values.findLastIndex((value) => !isMissing(value));
  return { text: fields.displayText(one.values[one.values.length - 1], one.config), last: last < 0 ? null : series.timeAt(one, last) };
}

// Where each different value stands first.
const firstPlaces = (values) => [...new Set(values)].filter((value) => value !== null && value !== undefined).map((value) => values.findIndex((one) => Object.is(one, value)));

// ---- the console

const joined = ({ text: shown, gap, suffix }) => `${shown}${suffix ? gap + suffix : ""}`;

const BY_CONSOLE = {
  numbers(panel, answer) {
    return series.reducedOf(panel, answer).map((one) => {
      const shown = fields.display(one.value, one.config);
      return { name: one.name, text: joined(shown), color: shown.color || one.color };
    });
  },
  lines(panel, answer) {
    const calcs = panel.options?.legend?.calcs || [];
    return series.seriesOf(panel, answer).map((one) => ({ name: one.name, color: one.color, now: newestOf(one), texts: calcs.map((name) => legendText(one, name)) }));
  },
  states(panel, answer, exact) {
    const columns = exact.flatMap((frame) => frame.columns);
    return series.seriesOf(panel, answer).map((one, at) => {
      const states = firstPlaces(columns[at]).map((place) => [fields.displayText(one.values[place], one.config), stateColor(one.values[place], one)]);
      return { name: one.name, now: newestOf(one), states };
    });
  },
  table(panel, answer) {
    const { columns, rows } = tableOf(panel, answer);
    return columns.map((column) => ({ name: column.title, texts: column.name === "Time" ? [] : rows.map((row) => column.text(row)) }));
  },
};

const KINDS = { stat: "numbers", gauge: "numbers", bargauge: "numbers", timeseries: "lines", "state-timeline": "states", table: "table" };

function rendered({ panel, exact, wire, now }) {
  const kind = KINDS[panel.type];
  const digits = exact.map((frame) => ({ ...frame, columns: frame.columns.map((values) => values.map(number)) }));
  const answer = { frames: wire.map((frame) => ({ ...frame, columns: frame.columns.map(series.valuesOf) })) };
  return { grafana: BY_GRAFANA[kind](panel, kind === "table" ? tableFrames(digits) : seriesFrames(digits), now), console: BY_CONSOLE[kind](panel, answer, digits) };
}

// What stands in a panel of a kind or of a data source that the console does not know, or the sign in its corner.
function noticesOf(panel) {
  if (!registry.knowsKind(panel.type)) return [`panels of type ${panel.type}`];
  return registry.foreignSource(panel) ? [`data source ${registry.foreignSource(panel)}`] : registry.noticesOf(panel);
}
await registry.prepare((asked.notices || []).map((panel) => panel.type));

process.stdout.write(JSON.stringify({
  panels: (asked.panels || []).map(rendered),
  notices: (asked.notices || []).map(noticesOf),
  formats: (asked.formats || []).map(([value, unit, decimals]) => [
    grafana.formattedValueToString(grafana.getValueFormat(unit)(number(value), decimals)), units.format(number(value), unit, decimals),
  ]),
  intervals: (asked.intervals || []).map((milliseconds) => grafana.rangeUtil.roundInterval(milliseconds)),
  palette: asked.palette ? colors.visualization.palette.map((name, place) => [colors.visualization.getColorByName(name), theme.paletteColor(place)]) : [],
  colors: (asked.colors || []).map((name) => [colors.visualization.getColorByName(name), theme.namedColor(name)]),
  units: Object.keys(grafana.getValueFormatterIndex()),
  console_units: units.knownUnits(),
  hues: colors.visualization.hues.flatMap((hue) => hue.shades.map((shade) => shade.name)),
}));
