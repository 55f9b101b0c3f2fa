// A band for each series, colored by the state that it was in.

import { el, clear, setStyles } from "../dom.js";
import { display, displayText, fieldNotices, thresholdColor } from "../fields.js";
import { reduce, seriesOf, timeAt } from "../series.js";
import { inkOn } from "../theme.js";
import { dateTime, tickLabel, ticks } from "../time.js";

export const notices = (panel) => fieldNotices(panel, ["axisPlacement", "fillOpacity", "hideFrom", "insertNulls", "lineWidth", "spanNulls"]);

export class StateTimeline {
  constructor(context) {
    this.context = context;
    this.lanes = el("div", { class: "lanes" });
    this.axis = el("div", { class: "lane-axis", "aria-hidden": "true" });
    this.line = el("div", { class: "lane-cursor", hidden: true });
    this.legend = el("ul", { class: "legend legend-list state-legend" });
    this.tip = el("div", { class: "tooltip", hidden: true });
    document.body.append(this.tip);
    context.body.append(this.lanes, this.axis, this.legend);
    this.lanes.addEventListener("mousemove", (event) => this.#move(event));
    this.lanes.addEventListener("mouseleave", () => this.#leave());
    this.stopListening = context.cursor.listen((moment, source) => source !== this && this.#point(moment));
    this.observer = new ResizeObserver(() => this.answer && this.#fit());
    this.observer.observe(this.lanes);
  }

  update(answer) {
    this.answer = answer;
    this.series = seriesOf(this.context.panel, answer);
    clear(this.lanes).append(...this.series.map((one) => this.#lane(one)), this.line);
    this.#legend();
    this.#fit();
  }

  get isEmpty() {
    return !this.series?.some((one) => one.values.some((value) => value !== null));
  }

  describe() {
    return this.series.map((one) => `${one.name}: ${displayText(reduce(one.values, "last"), one.config)}`).join("; ");
  }

  drawn() {
    return this.series.map((one) => ({ name: one.name, labels: one.labels, values: one.values, times: one.values.map((_, place) => timeAt(one, place)), stretches: stretches(one).length }));
  }

  destroy() {
    this.stopListening();
    this.observer.disconnect();
    this.tip.remove();
  }

  #lane(series) {
    const track = el("div", { class: "lane-track" });
    for (const one of stretches(series)) {
      const from = this.#share(timeAt(series, one.from));
      const to = this.#share(timeAt(series, one.to) + series.step);
      const color = stateColor(one.value, series);
      const text = displayText(one.value, series.config);
      track.append(el("div", { class: "lane-part", style: { left: `${from * 100}%`, width: `${Math.max(0.15, (to - from) * 100)}%`, background: color, color: inkOn(color) } }, el("span", {}, text)));
    }
    return el("div", { class: "lane" }, el("div", { class: "lane-name", title: series.name }, series.name), track);
  }

  #legend() {
    if (this.context.panel.options?.legend?.showLegend === false) return;
    const states = new Map();
    for (const one of this.series) for (const value of new Set(one.values)) if (value !== null) states.set(displayText(value, one.config), stateColor(value, one));
    clear(this.legend).append(...[...states].map(([text, color]) => el("li", {}, el("span", { class: "chip", style: { "--chip": color } }), text)));
  }

  // What depends on the width: words where they have room, and the marks of time below the tracks.
  #fit() {
    const { start, end } = this.answer;
    const track = this.lanes.querySelector(".lane-track");
    const width = track?.clientWidth || 300;
    for (const part of this.lanes.querySelectorAll(".lane-part")) part.firstChild.hidden = part.firstChild.textContent.length * 7 + 10 > part.clientWidth;
    setStyles(this.axis, { "margin-left": `${track?.offsetLeft || 0}px`, width: `${width}px` });
    const marks = ticks(start, end, Math.max(2, width / 84));
    clear(this.axis).append(...marks.at.filter((at) => this.#share(at) * width < width - 14).map((at) => el("span", { style: { left: `${this.#share(at) * 100}%` } }, tickLabel(at, marks.step))));
  }

  #share(moment) {
    const { start, end } = this.answer;
    return Math.max(0, Math.min(1, (moment - start) / (end - start)));
  }

  #move(event) {
    const track = this.lanes.querySelector(".lane-track")?.getBoundingClientRect();
    if (!track || !this.answer) return;
    const share = (event.clientX - track.left) / track.width;
    if (share < 0 || share > 1) return this.#leave();
    const moment = this.answer.start + share * (this.answer.end - this.answer.start);
    this.#point(moment);
    this.context.cursor.move(moment, this);
    const rows = this.series.map((one) => {
      const value = one.values[Math.floor((moment - one.start) / one.step)] ?? null;
      return el("tr", {}, el("th", { scope: "row" }, one.name), el("td", {}, value === null ? "no data" : displayText(value, one.config)));
    });
    clear(this.tip).append(el("div", { class: "tooltip-time" }, dateTime(moment)), el("table", {}, el("tbody", {}, ...rows)));
    this.tip.hidden = false;
    const left = event.clientX + this.tip.offsetWidth + 24 > innerWidth ? event.clientX - this.tip.offsetWidth - 16 : event.clientX + 16;
    setStyles(this.tip, { left: `${left}px`, top: `${Math.max(8, event.clientY - this.tip.offsetHeight / 2)}px` });
  }

  #leave() {
    this.tip.hidden = true;
    this.line.hidden = true;
    this.context.cursor.move(null, this);
  }

  #point(moment) {
    const track = this.lanes.querySelector(".lane-track");
    this.line.hidden = moment === null || !track || !this.answer;
    if (this.line.hidden) return;
    setStyles(this.line, { left: `${track.offsetLeft + this.#share(moment) * track.clientWidth}px` });
  }
}

export function stateColor(value, { config, color }) {
  return display(value, config).color || (config.color?.mode === "thresholds" ? thresholdColor(value, config) : color);
}

// Points of one value side by side, as one part.
function stretches(series) {
  const found = [];
  series.values.forEach((value, place) => {
    if (value === null) return;
    const last = found[found.length - 1];
    if (last && last.value === value && last.to === place - 1) last.to = place;
    else found.push({ value, from: place, to: place });
  });
  return found;
}
