// One bar for each series, from the minimum to its value.

import { el, clear } from "../dom.js";
import { display, displayText, fieldNotices, thresholdSteps } from "../fields.js";
import { reducedOf } from "../series.js";
import { css, readable } from "../theme.js";

export function notices(panel) {
  const found = fieldNotices(panel, ["hideFrom"]);
  const mode = panel.options?.displayMode;
  if (mode && !["basic", "gradient", "lcd"].includes(mode)) found.push(`displayMode ${mode}`);
  return found;
}

export class BarGauge {
  constructor(context) {
    this.context = context;
    this.element = el("div", { class: "bars" });
    context.body.append(this.element);
  }

  update(answer) {
    this.values = reducedOf(this.context.panel, answer);
    const options = this.context.panel.options || {};
    this.element.dataset.orientation = options.orientation === "vertical" ? "vertical" : "horizontal";
    this.element.dataset.mode = options.displayMode || "basic";
    const known = this.values.map((one) => one.value).filter((value) => value !== null && Number.isFinite(value));
    const high = Math.max(...known, -Infinity);
    clear(this.element).append(...this.values.map((one) => this.#bar(one, high)));
  }

  get isEmpty() {
    return !this.values?.some((one) => one.value !== null);
  }

  describe() {
    return this.values.map((one) => `${one.name}: ${displayText(one.value, one.config)}`).join("; ");
  }

  drawn() {
    return this.values.map((one) => ({ name: one.name, labels: one.labels, color: one.color, value: one.value, values: one.values, share: one.share, times: one.values.map((_, at) => one.start + one.step * at) }));
  }

  destroy() {}

  #bar(one, high) {
    const min = one.config.min ?? 0;
    const max = one.config.max ?? (Number.isFinite(high) && high > min ? high : min + 1);
    one.share = one.value === null ? 0 : Math.max(0, Math.min(1, (one.value - min) / (max - min)));
    const shown = display(one.value, one.config);
    const color = shown.color || one.color;
    const track = el("div", { class: "bar-track" }, el("div", { class: "bar-fill", style: { "--share": one.share, "--color": color, "--low": thresholdSteps(one.config)[0]?.color || color } }));
    if (this.context.panel.options?.showUnfilled === false) track.classList.add("bare");
    const isColored = this.context.panel.options?.valueMode !== "text";
    const value = el("div", { class: "bar-value", style: { color: shown.absent ? css("--muted") : isColored ? readable(color) : css("--text") } }, shown.text, shown.gap, shown.suffix);
    return el("div", { class: "bar-row" }, el("div", { class: "bar-name", title: one.name }, one.name), track, value);
  }
}
