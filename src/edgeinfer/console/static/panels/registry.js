// The panel types that the console draws; any other says so in its place.

import { part } from "../api.js";
import { knowsReducer } from "../series.js";
import * as bargauge from "./bargauge.js";
import * as stat from "./stat.js";
import * as statetimeline from "./statetimeline.js";
import * as timeseries from "./timeseries.js";

const KINDS = {
  bargauge: [bargauge.BarGauge, bargauge.notices],
  stat: [stat.Stat, stat.notices],
  "state-timeline": [statetimeline.StateTimeline, statetimeline.notices],
  timeseries: [timeseries.TimeSeries, timeseries.notices],
};

// Kinds that the first dashboard has none of: fetched by those that have some.
const LATER = {
  gauge: () => part(import("./gauge.js")).then(({ Gauge, notices }) => [Gauge, notices]),
  table: () => part(import("./table.js")).then(({ Table, notices }) => [Table, notices]),
  text: () => part(import("./text.js")).then(({ Text, notices }) => [Text, notices]),
};

// Make ready to draw these kinds; an unknown one is left to say so in its panel.
export async function prepare(kinds) {
  const missing = [...new Set(kinds)].filter((kind) => kind in LATER && !(kind in KINDS));
  await Promise.all(missing.map(async (kind) => (KINDS[kind] = await LATER[kind]())));
}

export const knowsKind = (kind) => kind in KINDS;

export const makeDrawing = (context) => new KINDS[context.panel.type][0](context);

// What the console leaves out of a panel, in words; empty where it draws everything.
export function noticesOf(panel) {
  if (!knowsKind(panel.type)) return [];
  const found = KINDS[panel.type][1](panel);
  if (panel.timeShift) found.push(`the shift in time by ${panel.timeShift}: what is drawn is of now`);
  const mute = (panel.targets || []).filter((target) => !target.hide && !target.expr);
  if (mute.length && !foreignSource(panel)) found.push(`queries ${mute.map((target) => target.refId).join(", ")}, which are expressions or not of Prometheus`);
  found.push(...reductionNotices(panel.options?.reduceOptions || {}));
  if (panel.options?.fieldOptions) found.push("units, thresholds and colors in the form of Grafana 6 (fieldOptions)");
  if (panel.repeat) found.push("repeating for each value of a variable");
  if (panel.type !== "table" && panel.transformations?.length) found.push(...panel.transformations.map((one) => `transformation ${one.id}`));
  return [...new Set(found)];
}

// A number is drawn for each series, of its values and by the calculations that the console has.
function reductionNotices({ fields, values, calcs }) {
  const unknown = (calcs || []).slice(0, 1).filter((name) => !knowsReducer(name));
  return [...(fields ? [`numbers of the fields ${fields}`] : []), ...(values ? ["a number for each row"] : []), ...unknown.map((name) => `calculation ${name}`)];
}

// The kind of a data source that the console cannot ask; empty for Prometheus and for a variable.
export function foreignSource(panel) {
  const kind = panel.datasource?.type;
  return typeof kind === "string" && kind !== "prometheus" && !kind.includes("$") ? kind : "";
}
