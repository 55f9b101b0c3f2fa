// Names, colors and calculated values below or next to a chart; a click shows one series alone.

import { el, clear } from "../dom.js";
import { displayText } from "../fields.js";
import { CALCULATION_NAMES, knowsReducer, reduce } from "../series.js";

// What a calculation of a series reads; where it has nothing, the panel's words for that.
export const legendText = (series, calculation) => displayText(reduce(series.values, calculation), series.config);

export class Legend {
  constructor(panel, toggle) {
    this.options = panel.options?.legend || {};
    this.title = panel.title || "";
    this.toggle = toggle;
    this.isShown = this.options.showLegend !== false && this.options.displayMode !== "hidden";
    this.calculations = (this.options.calcs || []).filter(knowsReducer);
    this.element = el("div", { class: "legend", hidden: !this.isShown });
  }

  update(series, hidden) {
    if (!this.isShown) return;
    const shown = series.filter((one) => !one.config.custom.hideFrom?.legend);
    const key = JSON.stringify(shown.map((one) => [one.name, one.color, hidden.has(one.name)]));
    if (key !== this.key) this.#build(shown, hidden);
    this.key = key;
    shown.forEach((one, place) => {
      this.calculations.forEach((name, column) => {
        const text = legendText(one, name);
        const cell = this.cells[place][column];
        if (cell.textContent !== text) cell.textContent = text;
      });
    });
  }

  #build(series, hidden) {
    const focused = this.element.contains(document.activeElement) ? document.activeElement.textContent : null;
    this.cells = series.map(() => this.calculations.map(() => el(this.options.displayMode === "table" ? "td" : "span", { class: "legend-value" })));
    clear(this.element).append(this.options.displayMode === "table" ? this.#table(series, hidden) : this.#list(series, hidden));
    if (focused) [...this.element.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus();
  }

  #name(series, hidden) {
    const button = el("button", { class: "legend-name", "aria-pressed": String(!hidden.has(series.name)), title: "Click: show alone. Ctrl or ⌘ and click: hide or show." },
      el("span", { class: "chip", style: { "--chip": series.color } }), el("span", {}, series.name || "value"));
    button.addEventListener("click", (event) => this.toggle(series.name, !(event.ctrlKey || event.metaKey || event.shiftKey)));
    return button;
  }

  #list(series, hidden) {
    return el("ul", { class: "legend-list" }, ...series.map((one, place) => el("li", {}, this.#name(one, hidden), ...this.cells[place])));
  }

  #table(series, hidden) {
    const head = el("tr", {}, el("th", { scope: "col" }, el("span", { class: "hidden" }, "Series")), ...this.calculations.map((name) => el("th", { scope: "col" }, CALCULATION_NAMES[name])));
    const rows = series.map((one, place) => el("tr", {}, el("th", { scope: "row" }, this.#name(one, hidden)), ...this.cells[place]));
    return el("table", { "aria-label": `Legend of ${this.title}` }, el("thead", {}, head), el("tbody", {}, ...rows));
  }
}
