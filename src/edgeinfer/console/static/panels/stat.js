// One number as large as its panel allows, with its history behind it.

import { el, svg, clear } from "../dom.js";
import { display, displayText, fieldNotices } from "../fields.js";
import { reducedOf, timeAt } from "../series.js";
import { dateTime } from "../time.js";
import { css, inkOn, readable, withAlpha } from "../theme.js";

// White on a color reads from a contrast of 3 if the letters are large, and large they are if they are few.
const LARGE = 3;
const LONG = 9;
const OPTIONS = { colorMode: ["value", "background", "background_solid", "none"], graphMode: ["area", "none", "line"], textMode: ["auto", "value", "value_and_name", "name", "none"] };

export function notices(panel) {
  const found = fieldNotices(panel, ["hideFrom"]);
  for (const [name, known] of Object.entries(OPTIONS)) {
    const value = panel.options?.[name];
    if (value && !known.includes(value)) found.push(`${name} ${value}`);
  }
  return found;
}

export class Stat {
  constructor(context) {
    this.context = context;
    this.element = el("div", { class: "stats" });
    context.body.append(this.element);
  }

  update(answer) {
    this.values = reducedOf(this.context.panel, answer);
    const orientation = this.context.panel.options?.orientation;
    this.element.dataset.orientation = orientation || "auto";
    clear(this.element).append(...this.values.map((one) => this.#tile(one)));
  }

  get isEmpty() {
    return !this.values?.some((one) => one.value !== null);
  }

  describe() {
    return this.values.map((one) => `${one.name}: ${displayText(one.value, one.config)}`).join("; ");
  }

  drawn() {
    const tiles = [...this.element.querySelectorAll(".stat-value")];
    return this.values.map((one, place) => ({
      name: one.name, labels: one.labels, color: one.color, value: one.value, values: one.values,
      times: one.values.map((_, at) => one.start + one.step * at), text: tiles[place]?.textContent ?? "",
    }));
  }

  destroy() {}

  #tile(one) {
    const options = this.context.panel.options || {};
    const shown = display(one.value, one.config);
    const color = shown.color || one.color;
    const tile = el("div", { class: "stat", title: asOf(one) });
    const isLarge = !shown.suffix && shown.text.length < LONG;
    const ink = inkOn(color, isLarge ? LARGE : undefined);
    const mode = options.colorMode || "value";
    const isBackground = mode.startsWith("background") && one.value !== null;
    if (isBackground) {
      tile.style.setProperty("background", color);
      tile.style.setProperty("color", ink);
      tile.classList.add("filled");
    }
    const textMode = options.textMode || "auto";
    const withName = textMode === "value_and_name" || (textMode === "auto" && this.values.length > 1);
    const main = textMode === "name" ? { text: one.name, gap: "", suffix: "" } : shown;
    if (withName) tile.append(el("div", { class: "stat-name", style: isBackground ? { color: inkOn(color) } : {} }, one.name));
    if (textMode !== "none") tile.append(this.#number(main, isBackground || mode === "none" ? "" : color));
    if (options.graphMode && options.graphMode !== "none" && one.step) {
      const graph = sparkline(one, isBackground ? ink : color, options.graphMode);
      if (graph) tile.prepend(graph);
    }
    return tile;
  }

  #number(shown, color) {
    const length = shown.text.length + (shown.suffix ? shown.suffix.length * 0.6 + 0.4 : 0);
    const number = el("div", { class: "stat-value", style: { "--length": Math.max(3, length) } }, el("span", {}, shown.text));
    if (shown.suffix) number.append(shown.gap, el("span", { class: "stat-unit" }, shown.suffix));
    if (color) number.style.setProperty("color", shown.absent ? css("--muted") : readable(color));
    return number;
  }
}

// Of when the number is.
const asOf = (series) => (series.value === null ? "" : `as of ${dateTime(timeAt(series, series.values.length - 1))}`);

function sparkline(series, color, mode) {
  const values = series.values;
  const known = values.filter((value) => value !== null && Number.isFinite(value));
  if (known.length < 2) return null;
  const low = Math.min(...known, series.config.min ?? Infinity);
  const high = Math.max(...known, series.config.max ?? -Infinity);
  const span = high - low || 1;
  const y = (value) => (high === low ? 24 : 39 - ((value - low) / span) * 36).toFixed(1);
  const x = (place) => ((place / (values.length - 1)) * 100).toFixed(2);
  let line = "";
  let area = "";
  let begin = null;
  values.forEach((value, place) => {
    if (value === null || !Number.isFinite(value)) {
      if (begin !== null) area += `L${x(place - 1)} 40L${begin} 40Z`;
      begin = null;
      return;
    }
    const point = `${begin === null ? "M" : "L"}${x(place)} ${y(value)}`;
    line += point;
    area += point;
    begin ??= x(place);
  });
  if (begin !== null) area += `L100 40L${begin} 40Z`;
  const shape = svg("svg", { class: "sparkline", viewBox: "0 0 100 40", preserveAspectRatio: "none", "aria-hidden": "true" });
  if (mode === "area") shape.append(svg("path", { d: area, fill: withAlpha(color, 0.13) }));
  shape.append(svg("path", { d: line, fill: "none", stroke: color, "stroke-width": "1.4", "stroke-opacity": "0.75", "vector-effect": "non-scaling-stroke", "stroke-linejoin": "round" }));
  return shape;
}
