// What all series are at the moment under the pointer.

import { el, clear, setStyles } from "../dom.js";
import { displayText } from "../fields.js";
import { dateTime } from "../time.js";

const MAX_ROWS = 16;

export class Tooltip {
  constructor(holder, panel) {
    this.options = panel.options?.tooltip || {};
    this.element = el("div", { class: "tooltip", hidden: true, role: "presentation" });
    document.body.append(this.element);
    this.holder = holder;
    this.series = [];
  }

  get isOpen() {
    return !this.element.hidden;
  }

  update(series) {
    this.series = series;
  }

  show(plot, exemplars = []) {
    const at = plot.cursor.idx;
    if (this.options.mode === "none" || at === null || at === undefined || !this.series.length) return this.hide();
    const rows = this.#rows(plot, at);
    const near = nearest(plot, exemplars);
    clear(this.element).append(
      el("div", { class: "tooltip-time" }, dateTime(plot.data[0][at])),
      el("table", {}, el("tbody", {}, ...rows.slice(0, MAX_ROWS).map(row))),
    );
    if (rows.length > MAX_ROWS) this.element.append(el("div", { class: "muted" }, `and ${rows.length - MAX_ROWS} more`));
    if (near) this.element.append(el("div", { class: "tooltip-exemplar" }, Object.entries(near.labels).map(([name, value]) => `${name} ${value}`).join(", ")));
    this.element.hidden = false;
    this.#place(plot);
  }

  hide() {
    this.element.hidden = true;
  }

  destroy() {
    this.element.remove();
  }

  #rows(plot, at) {
    const found = this.series
      .map((series, place) => ({ series, place, value: raw(series, plot.data[0][at]) }))
      .filter(({ place, value }) => plot.series[place + 1]?.show && value !== null && value !== undefined);
    const direction = { asc: 1, desc: -1 }[this.options.sort] || 0;
    return direction ? found.sort((a, b) => (a.value - b.value) * direction) : found;
  }

  #place(plot) {
    const box = plot.over.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const x = box.left + plot.cursor.left;
    const isLeft = x + width + 24 > innerWidth;
    const left = Math.max(8, isLeft ? x - width - 16 : x + 16);
    const top = Math.max(8, Math.min(innerHeight - height - 8, box.top + Math.max(0, plot.cursor.top) - height / 2));
    setStyles(this.element, { left: `${left}px`, top: `${top}px` });
  }
}

const raw = (series, moment) => (series.step ? series.values[Math.round((moment - series.start) / series.step)] ?? null : series.values[0]);

function row({ series, value }) {
  const chip = el("span", { class: "chip", style: { "--chip": series.color } });
  return el("tr", {}, el("th", { scope: "row" }, chip, series.name), el("td", {}, displayText(value, series.config)));
}

function nearest(plot, exemplars) {
  let found = null;
  let least = 6;
  for (const one of exemplars) {
    const distance = Math.abs(plot.valToPos(one.time, "x") - plot.cursor.left);
    if (distance < least) [found, least] = [one, distance];
  }
  return found;
}
