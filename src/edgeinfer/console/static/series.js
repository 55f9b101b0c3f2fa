// An answer of the server as series with their configuration, and values reduced to one.

import { fieldConfig, seriesColor } from "./fields.js";

const number = (value) => (typeof value === "string" ? Number(value) : value);

// Values of a column as it comes: a list, or the changes from value to value in units of a decimal.
export function valuesOf(column) {
  if (Array.isArray(column)) return column.map(number);
  const factor = 10 ** column.decimals;
  let whole = 0;
  return column.changes.map((change) => (change === null ? null : (whole += change) / factor));
}

// Every series of a panel: name, labels, values on a grid of time, configuration and color.
export function seriesOf(panel, answer) {
  const found = [];
  for (const frame of answer.frames) {
    frame.columns.forEach((values, place) => {
      const field = { name: frame.names[place], labels: frame.labels[place], ref: frame.ref, kind: "number" };
      const config = fieldConfig(panel, field);
      const color = seriesColor(config, found.length, reduce(values, "lastNotNull"));
      const name = config.displayName || field.name;
      found.push({ ...field, name, config, color, values, start: frame.start, step: frame.step, index: found.length });
    });
  }
  return found;
}

export const timeAt = (series, place) => series.start + series.step * place;

const present = (values) => values.filter((value) => value !== null && !Number.isNaN(value));
const sum = (values) => values.reduce((all, value) => all + value, 0);

const REDUCERS = {
  lastNotNull: (values) => present(values).at(-1) ?? null,
  last: (values) => values[values.length - 1] ?? null,
  firstNotNull: (values) => present(values)[0] ?? null,
  first: (values) => values[0] ?? null,
  // An infinity that does not bound the others is not counted, as in Grafana.
  min: (values) => present(values).reduce((low, value) => (value < (low ?? Infinity) ? value : low), null),
  max: (values) => present(values).reduce((high, value) => (value > (high ?? -Infinity) ? value : high), null),
  mean: (values) => (present(values).length ? sum(present(values)) / present(values).length : null),
  sum: (values) => (present(values).length ? sum(present(values)) : null),
  count: (values) => values.length,
  range: (values) => (present(values).length ? REDUCERS.max(values) - REDUCERS.min(values) : null),
  delta: (values) => (present(values).length ? REDUCERS.lastNotNull(values) - REDUCERS.firstNotNull(values) : null),
  diff: (values) => REDUCERS.delta(values),
};
export const CALCULATION_NAMES = {
  lastNotNull: "Last *", last: "Last", firstNotNull: "First *", first: "First", min: "Min", max: "Max", mean: "Mean",
  sum: "Total", count: "Count", range: "Range", delta: "Change", diff: "Change",
};

export const knowsReducer = (name) => name in REDUCERS;

export function reduce(values, name) {
  return (REDUCERS[name] || REDUCERS.lastNotNull)(values);
}

// One value for each series, as a stat, gauge or bar gauge shows it.
export function reducedOf(panel, answer) {
  const calculation = panel.options?.reduceOptions?.calcs?.[0] || "lastNotNull";
  return seriesOf(panel, answer).map((series) => {
    const value = reduce(series.values, calculation);
    return { ...series, value, color: seriesColor(series.config, series.index, value) };
  });
}
