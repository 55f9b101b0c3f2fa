// The queries of a panel and the values that it draws, as text.

import { el, dialog } from "./dom.js";
import { displayText, fieldConfig } from "./fields.js";
import { reduce } from "./series.js";
import { duration } from "./units.js";

export function inspect(frame) {
  const panel = frame.document;
  const answer = frame.answer || { frames: [] };
  const queries = (panel.targets || []).map((target) => {
    const found = answer.frames.find((one) => one.ref === target.refId);
    const step = found?.step ? `one value each ${duration(found.step)}` : "the newest value";
    return el("div", {}, el("h3", {}, `Query ${target.refId}`, el("span", { class: "muted" }, found ? ` ${step}, ${found.columns.length} series` : "")), el("pre", { tabindex: "0" }, el("code", {}, target.expr || "")));
  });
  const rows = answer.frames.flatMap((one) => one.columns.map((column, place) => row(panel, one, column, place)));
  const head = el("tr", {}, ...["Series", "Last", "Min", "Mean", "Max"].map((name, place) => el("th", { scope: "col", class: place ? "number" : null }, name)));
  dialog(panel.title || "Panel", ...queries, rows.length ? el("h3", {}, "Values") : null, rows.length ? el("table", { class: "data" }, el("thead", {}, head), el("tbody", {}, ...rows)) : el("p", {}, "No values."));
}

function row(panel, one, column, place) {
  const config = fieldConfig(panel, { name: one.names[place], labels: one.labels[place], ref: one.ref, kind: "number" });
  const cells = ["last", "min", "mean", "max"].map((name) => el("td", { class: "number" }, displayText(reduce(column, name), { ...config, noValue: "–" })));
  return el("tr", {}, el("th", { scope: "row" }, one.names[place]), ...cells);
}
