// A value on an arc between its minimum and maximum.

import { el, svg, clear } from "../dom.js";
import { display, displayText, fieldNotices, thresholdSteps } from "../fields.js";
import { reducedOf } from "../series.js";
import { css, readable } from "../theme.js";

const SWEEP = (240 * Math.PI) / 180;
const START = Math.PI - (SWEEP - Math.PI) / 2;

export const notices = (panel) => fieldNotices(panel, ["hideFrom"]);

export class Gauge {
  constructor(context) {
    this.context = context;
    this.element = el("div", { class: "gauges" });
    context.body.append(this.element);
  }

  update(answer) {
    this.values = reducedOf(this.context.panel, answer);
    clear(this.element).append(...this.values.map((one) => this.#gauge(one)));
  }

  get isEmpty() {
    return !this.values?.some((one) => one.value !== null);
  }

  describe() {
    return this.values.map((one) => `${one.name}: ${displayText(one.value, one.config)}`).join("; ");
  }

  drawn() {
    return this.values.map((one) => ({ name: one.name, labels: one.labels, color: one.color, value: one.value, values: one.values, times: one.values.map((_, at) => one.start + one.step * at) }));
  }

  destroy() {}

  #gauge(one) {
    const { min = 0, max = 100 } = one.config;
    const share = (value) => Math.max(0, Math.min(1, (value - min) / (max - min || 1)));
    const shape = svg("svg", { viewBox: "0 0 200 158", "aria-hidden": "true" });
    shape.append(arc(78, 0, 1, 18, css("--track")));
    if (one.value !== null) shape.append(arc(78, 0, share(one.value), 18, display(one.value, one.config).color || one.color));
    if (this.context.panel.options?.showThresholdMarkers !== false) this.#markers(shape, one, share);
    const shown = display(one.value, one.config);
    const value = el("div", { class: "gauge-value", style: { color: shown.absent ? css("--muted") : readable(one.color) } }, shown.text, shown.gap, shown.suffix);
    const name = this.values.length > 1 ? el("div", { class: "gauge-name" }, one.name) : null;
    return el("div", { class: "gauge" }, el("div", { class: "gauge-arc" }, shape, value), name);
  }

  #markers(shape, one, share) {
    const steps = thresholdSteps(one.config);
    steps.forEach((step, place) => {
      const from = Number.isFinite(step.value) ? share(step.value) : 0;
      const to = steps[place + 1] ? share(steps[place + 1].value) : 1;
      if (to > from) shape.append(arc(92, from, to, 4, step.color));
    });
  }
}

function arc(radius, from, to, width, color) {
  const point = (share) => {
    const angle = START + SWEEP * share;
    return `${(100 + radius * Math.cos(angle)).toFixed(2)} ${(104 + radius * Math.sin(angle)).toFixed(2)}`;
  };
  const large = SWEEP * (to - from) > Math.PI ? 1 : 0;
  return svg("path", { d: `M${point(from)}A${radius} ${radius} 0 ${large} 1 ${point(Math.max(from + 0.0001, to))}`, fill: "none", stroke: color, "stroke-width": width });
}
