// Lines, bars and areas over time, drawn by uPlot.

import { el } from "../dom.js";
import { displayText, fieldNotices, thresholdSteps } from "../fields.js";
import { reduce, seriesOf, timeAt } from "../series.js";
import { css, mix, withAlpha } from "../theme.js";
import { dateTime, tickLabel, ticks } from "../time.js";
import { axisLabels, axisSteps } from "../units.js";
import { Legend } from "./legend.js";
import { drawAnnotations, markAnnotations } from "./annotations.js";
import { Tooltip } from "./tooltip.js";

const CUSTOM = [
  "axisBorderShow", "axisCenteredZero", "axisColorMode", "axisGridShow", "axisLabel", "axisPlacement", "axisSoftMax",
  "axisSoftMin", "axisWidth", "barAlignment", "barWidthFactor", "drawStyle", "fillBelowTo", "fillOpacity",
  "gradientMode", "hideFrom", "insertNulls", "lineInterpolation", "lineStyle", "lineWidth", "pointSize",
  "scaleDistribution", "showPoints", "showValues", "spanNulls", "stacking", "thresholdsStyle",
];
const STYLES = { drawStyle: ["line", "bars", "points"], lineInterpolation: ["linear", "smooth", "stepBefore", "stepAfter"] };

export function notices(panel) {
  const found = fieldNotices(panel, CUSTOM);
  for (const [name, known] of Object.entries(STYLES)) {
    const value = panel.fieldConfig?.defaults?.custom?.[name];
    if (value && !known.includes(value)) found.push(`${name} ${value}`);
  }
  const scale = panel.fieldConfig?.defaults?.custom?.scaleDistribution?.type;
  if (scale && !["linear", "log"].includes(scale)) found.push(`scale ${scale}`);
  return found;
}

export class TimeSeries {
  constructor(context) {
    this.context = context;
    this.hidden = new Set();
    this.holder = el("div", { class: "chart" });
    this.legend = new Legend(context.panel, (name, alone) => this.#toggle(name, alone));
    context.body.append(this.holder, this.legend.element);
    context.body.classList.toggle("legend-right", context.panel.options?.legend?.placement === "right");
    this.tooltip = new Tooltip(this.holder, context.panel);
    this.stopListening = context.cursor.listen((moment, source) => source !== this && this.#point(moment));
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(this.holder);
    this.onKey = (event) => this.#step(event);
    context.host.addEventListener("keydown", this.onKey);
  }

  update(answer) {
    this.answer = answer;
    const series = seriesOf(this.context.panel, answer).filter((one) => !one.config.custom.hideFrom?.viz);
    // Stacked bars overlap: the tallest is drawn first.
    this.isReversed = series.some((one) => this.#stacking(one) && one.config.custom.drawStyle === "bars");
    this.series = this.isReversed ? [...series].reverse() : series;
    const shape = JSON.stringify([this.series.map((one) => [one.name, one.color, one.config.unit]), this.context.themeVersion]);
    if (this.plot && shape === this.shape) this.plot.setData(this.#columns(), false), this.#rescale();
    else this.#build();
    this.shape = shape;
    this.legend.update(series, this.hidden);
    this.tooltip.update(this.series);
    if (this.tooltip.isOpen) this.tooltip.show(this.plot);
  }

  get isEmpty() {
    return !this.series?.some((one) => one.values.some((value) => value !== null));
  }

  describe() {
    return this.series.slice(0, 6).map((one) => `${one.name}: ${displayText(reduce(one.values, "last"), one.config)}`).join("; ");
  }

  drawn() {
    if (!this.plot) return [];
    return this.series.map((one, place) => ({
      name: one.name, labels: one.labels, color: one.color, unit: one.config.unit || "",
      times: Array.from(this.plot.data[0]), values: this.raw[place], plotted: Array.from(this.plot.data[place + 1]),
    }));
  }

  destroy() {
    this.stopListening();
    this.observer.disconnect();
    this.context.host.removeEventListener("keydown", this.onKey);
    this.tooltip.destroy();
    this.plot?.destroy();
    this.plot = null;
  }

  // ---- data

  #columns() {
    const series = this.series;
    const [first] = series;
    const isOneGrid = series.every((one) => one.start === first.start && one.step === first.step && one.values.length === first.values.length);
    const tables = series.map((one) => [one.values.map((_, place) => timeAt(one, place)), one.values]);
    const [times, ...raw] = !series.length ? [[]] : isOneGrid ? [tables[0][0], ...tables.map((table) => table[1])] : uPlot.join(tables);
    this.raw = raw.map((values) => values.map((value) => value ?? null));
    const stacked = this.#stacked(times.length);
    return [times, ...stacked, ...this.bases];
  }

  #stacked(length) {
    this.bands = [];
    this.bases = [];
    const sums = new Map();
    const totals = this.#totals(length);
    const below = new Set();
    const columns = [...this.raw];
    const places = this.raw.map((_, place) => (this.isReversed ? this.raw.length - 1 - place : place));
    for (const place of places) columns[place] = this.#onTop(place, length, { sums, totals, below });
    return columns;
  }

  #onTop(place, length, { sums, totals, below }) {
    const values = this.raw[place];
    const stacking = this.#stacking(this.series[place]);
    if (!stacking) return values;
    const key = stacking.group + stacking.mode;
    const sum = sums.get(key) || new Array(length).fill(0);
    sums.set(key, sum);
    const isHidden = this.hidden.has(this.series[place].name);
    // What lies below, without gaps: an area would end where the series under it has no value.
    if (!isHidden && below.has(key) && !this.isReversed) {
      this.bases.push([...sum]);
      this.bands.push({ series: [place + 1, this.raw.length + this.bases.length] });
    }
    const column = values.map((value, at) => {
      if (value === null) return null;
      if (!isHidden) sum[at] += stacking.mode === "percent" ? value / (totals.get(stacking.group)[at] || 1) : value;
      return sum[at];
    });
    if (!isHidden) below.add(key);
    return column;
  }

  #totals(length) {
    const totals = new Map();
    this.series.forEach((one, place) => {
      const stacking = this.#stacking(one);
      if (stacking?.mode !== "percent" || this.hidden.has(one.name)) return;
      const total = totals.get(stacking.group) || totals.set(stacking.group, new Array(length).fill(0)).get(stacking.group);
      this.raw[place].forEach((value, at) => (total[at] += value || 0));
    });
    return totals;
  }

  #stacking(series) {
    const stacking = series.config.custom.stacking;
    return stacking && stacking.mode && stacking.mode !== "none" ? { mode: stacking.mode, group: stacking.group || "A" } : null;
  }

  // ---- drawing

  #build() {
    this.plot?.destroy();
    const data = this.#columns();
    const { width, height } = this.#size();
    this.plot = new uPlot(this.#options(width, height), data, this.holder);
    this.plot.over.addEventListener("mouseenter", () => (this.isHovered = true));
    this.plot.over.addEventListener("mouseleave", () => this.#leave());
    this.plot.over.addEventListener("dblclick", () => this.context.zoomOut());
  }

  #options(width, height) {
    const scales = { x: { time: true, range: () => [this.answer.start, this.answer.end] } };
    const axes = [this.#timeAxis()];
    this.series.forEach((one, place) => {
      const key = this.#scaleKey(one);
      if (!(key in scales)) {
        scales[key] = this.#scale(one, key);
        axes.push(this.#valueAxis(one, key, axes.length));
      }
    });
    if (axes.length === 1) {
      scales.y = { range: [0, 1] };
      axes.push({ ...this.#valueAxis({ config: { custom: {} } }, "y", 1), values: () => [] });
    }
    return {
      width, height, scales, axes, padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: {
        y: false, drag: { x: true, y: false, setScale: false, dist: 6 },
        points: { size: (plot, at) => (at > this.series.length ? 0 : 7), stroke: (plot, at) => this.series[at - 1]?.color, fill: () => css("--panel"), width: 2 },
      },
      bands: this.bands.map((band) => ({ ...band, fill: this.#fill(this.series[band.series[0] - 1], true) })),
      series: [{}, ...this.series.map((one) => this.#line(one)), ...this.bands.map((band) => this.#base(this.series[band.series[0] - 1]))],
      hooks: {
        drawClear: [(plot) => this.#areas(plot)],
        draw: [(plot) => this.#lines(plot), (plot) => this.#annotations(plot), (plot) => this.#exemplars(plot)],
        setCursor: [(plot) => this.#hover(plot)],
        setSelect: [(plot) => this.#select(plot)],
      },
    };
  }

  // The lower edge of an area: never seen itself.
  #base(series) {
    return { label: "", scale: this.#scaleKey(series), show: true, paths: this.#line(series).paths, width: 0, points: { show: false }, value: null };
  }

  #line(series) {
    const custom = series.config.custom;
    const { linear, spline, stepped, bars, points } = uPlot.paths;
    const paths = custom.drawStyle === "bars" ? bars({ size: [custom.barWidthFactor || 0.7, 60], align: 0 })
      : custom.drawStyle === "points" ? () => null
      : { smooth: spline, stepAfter: () => stepped({ align: 1 }), stepBefore: () => stepped({ align: -1 }) }[custom.lineInterpolation]?.() || linear();
    const isBars = custom.drawStyle === "bars";
    const shown = custom.showPoints || "auto";
    return {
      label: series.name, scale: this.#scaleKey(series), show: !this.hidden.has(series.name), paths,
      stroke: series.color, width: isBars ? 0 : custom.lineWidth ?? 1.5,
      fill: this.#fill(series, false), dash: custom.lineStyle?.fill === "dash" ? custom.lineStyle.dash || [8, 6] : custom.lineStyle?.fill === "dot" ? [1, 5] : undefined,
      spanGaps: custom.spanNulls === true,
      points: custom.drawStyle === "points" || shown === "always" ? { show: true, size: custom.pointSize || 5, fill: series.color, stroke: series.color }
        : isBars ? { show: false } : { show: (plot, at) => isLonely(plot, at), filter: (plot, at) => lonely(plot.data[at]), size: 4, fill: series.color, stroke: series.color },
      value: null,
    };
  }

  #fill(series, isBand) {
    const custom = series.config.custom;
    const opacity = (custom.fillOpacity ?? 0) / 100;
    if (!opacity) return undefined;
    const isStacked = this.#stacking(series) !== null;
    if (!isBand && isStacked && this.bands.some((band) => band.series[0] === this.series.indexOf(series) + 1)) return undefined;
    if (custom.gradientMode && custom.gradientMode !== "none") return (plot) => gradient(plot, series.color, opacity);
    return this.isReversed ? mix(css("--panel"), series.color, opacity) : withAlpha(series.color, opacity);
  }

  #scaleKey(series) {
    const custom = series.config.custom;
    return `${series.config.unit || "none"}/${custom.axisPlacement === "right" ? "right" : "left"}`;
  }

  #scale(series, key) {
    const { custom, min, max } = series.config;
    const isLog = custom.scaleDistribution?.type === "log";
    const base = isLog ? custom.scaleDistribution.log || 10 : 10;
    const soft = (value, fallback) => (value === undefined || value === null ? fallback : value);
    const isPercent = this.#stacking(series)?.mode === "percent";
    return {
      distr: isLog ? 3 : 1, log: base,
      range: (plot, low, high) => {
        if (isPercent) return [0, 1];
        // A logarithm has no zero: marks up from it would never end.
        if (isLog) return low > 0 && high > 0 ? uPlot.rangeLog(low, high, base, true) : [1, base];
        if (low === null || high === null) return [soft(min, 0), soft(max, 1)];
        const bounds = this.#thresholdBounds(key);
        const below = Math.min(low, soft(custom.axisSoftMin, low), bounds.low);
        const above = Math.max(high, soft(custom.axisSoftMax, high), bounds.high);
        const [from, to] = uPlot.rangeNum(below, above === below ? below + (Math.abs(below) || 1) : above, {
          min: { pad: below === custom.axisSoftMin ? 0 : 0.06, hard: soft(min, -Infinity), soft: 0, mode: below >= 0 ? 1 : 3 },
          max: { pad: 0.08, hard: soft(max, Infinity), soft: 0, mode: 3 },
        });
        return [soft(min, Math.min(from, below)), soft(max, to)];
      },
    };
  }

  #thresholdBounds(key) {
    const drawn = this.series.filter((one) => this.#scaleKey(one) === key && isThresholdDrawn(one));
    const values = drawn.flatMap((one) => thresholdSteps(one.config).map((step) => step.value)).filter(Number.isFinite);
    return { low: values.length ? Math.min(...values) : Infinity, high: values.length ? Math.max(...values) : -Infinity };
  }

  #timeAxis() {
    return {
      scale: "x", size: 25, font: FONT, stroke: css("--muted"), grid: { stroke: css("--grid"), width: 1 }, ticks: { show: false }, gap: 9,
      splits: (plot, axis, from, to) => (this.marks = ticks(from, to, Math.max(2, plot.bbox.width / devicePixelRatio / 84))).at,
      values: (plot, splits) => splits.map((at) => tickLabel(at, this.marks.step)),
    };
  }

  #valueAxis(series, key, place) {
    const { custom } = series.config;
    const isRight = custom.axisPlacement === "right" || (place > 1 && custom.axisPlacement !== "left");
    return {
      scale: key, side: isRight ? 1 : 3, show: custom.axisPlacement !== "hidden", font: FONT, stroke: css("--muted"), gap: 6,
      grid: { show: place === 1 && custom.axisGridShow !== false, stroke: css("--grid"), width: 1 }, ticks: { show: false }, space: (plot, axis, low, high, height) => Math.max(28, height / 9),
      label: custom.axisLabel || undefined, labelFont: FONT, labelSize: 18, labelGap: 0,
      incrs: axisSteps(series.config.unit),
      size: (plot, values) => Math.max(34, ...(values || []).map((text) => text.length * 6.4 + 14)),
      values: (plot, splits, at, space, step) => axisLabels(splits.filter((value) => value !== null), series.config.unit, step),
    };
  }

  #areas(plot) {
    for (const series of this.series.filter(isThresholdDrawn).slice(0, 1)) {
      const style = series.config.custom.thresholdsStyle.mode;
      if (!style.includes("area")) continue;
      this.#eachThreshold(plot, series, (step, from, to) => {
        plot.ctx.fillStyle = withAlpha(step.color, 0.09);
        plot.ctx.fillRect(plot.bbox.left, to, plot.bbox.width, from - to);
      });
    }
  }

  #lines(plot) {
    for (const series of this.series.filter(isThresholdDrawn).slice(0, 1)) {
      const style = series.config.custom.thresholdsStyle.mode;
      if (style === "area") continue;
      this.#eachThreshold(plot, series, (step, from) => {
        if (!Number.isFinite(step.value)) return;
        const { ctx, bbox } = plot;
        ctx.save();
        ctx.strokeStyle = step.color;
        ctx.lineWidth = 1.5 * devicePixelRatio;
        ctx.setLineDash(style.startsWith("dashed") ? [8 * devicePixelRatio, 6 * devicePixelRatio] : []);
        ctx.beginPath();
        ctx.moveTo(bbox.left, from);
        ctx.lineTo(bbox.left + bbox.width, from);
        ctx.stroke();
        ctx.restore();
      });
    }
  }

  #eachThreshold(plot, series, draw) {
    const steps = thresholdSteps(series.config);
    const key = this.#scaleKey(series);
    const scale = plot.scales[key];
    const inside = (value) => Math.max(scale.min, Math.min(scale.max, value));
    steps.forEach((step, place) => {
      const next = steps[place + 1]?.value ?? Infinity;
      if (step.value > scale.max || next < scale.min) return;
      draw(step, plot.valToPos(inside(step.value), key, true), plot.valToPos(inside(next), key, true));
    });
  }

  // The marks below follow each drawing: before it, the axis has not found its width.
  #annotations(plot) {
    const events = this.context.annotations();
    drawAnnotations(plot, events);
    markAnnotations(plot, events);
  }

  #exemplars(plot) {
    const found = this.answer.exemplars || [];
    const key = this.series.length ? this.#scaleKey(this.series[0]) : "";
    if (!found.length || !plot.scales[key]) return;
    const { ctx } = plot;
    ctx.save();
    ctx.fillStyle = css("--accent");
    for (const one of found) {
      const [x, y] = [plot.valToPos(one.time, "x", true), plot.valToPos(Math.min(one.value, plot.scales[key].max), key, true)];
      const half = 3 * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x, y - half);
      ctx.lineTo(x + half, y);
      ctx.lineTo(x, y + half);
      ctx.lineTo(x - half, y);
      ctx.fill();
    }
    ctx.restore();
  }

  // ---- pointer and keys

  #hover(plot) {
    if (this.isSynced) return;
    if (!this.isHovered && !this.isStepping) return;
    const at = plot.cursor.idx;
    if (plot.cursor.left < 0 || at === null || at === undefined) return;
    this.context.cursor.move(plot.posToVal(plot.cursor.left, "x"), this);
    this.tooltip.show(plot, this.answer.exemplars || []);
  }

  #leave() {
    this.isHovered = this.isStepping = false;
    this.tooltip.hide();
    this.context.cursor.move(null, this);
    this.plot?.setCursor({ left: -10, top: -10 });
  }

  #point(moment) {
    if (!this.plot) return;
    this.isSynced = true;
    const left = moment === null ? -10 : this.plot.valToPos(moment, "x");
    this.plot.setCursor({ left, top: left < 0 ? -10 : 0 });
    this.isSynced = false;
  }

  #step(event) {
    if (!this.plot || !["ArrowLeft", "ArrowRight", "Escape"].includes(event.key) || event.target.closest(".legend, .popover, button")) return;
    if (event.key === "Escape") return this.isStepping && (event.stopPropagation(), this.#leave());
    event.preventDefault();
    const count = this.plot.data[0].length;
    const now = this.isStepping ? this.plot.cursor.idx ?? count - 1 : count;
    const next = Math.max(0, Math.min(count - 1, now + (event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1)));
    this.isStepping = true;
    this.plot.setCursor({ left: this.plot.valToPos(this.plot.data[0][next], "x"), top: 0 });
    this.context.say(`${dateTime(this.plot.data[0][next])}. ${this.series.slice(0, 6).map((one, place) => `${one.name} ${displayText(this.raw[place][next], one.config)}`).join(", ")}`);
  }

  #select(plot) {
    if (!this.isHovered || plot.select.width < 5) return;
    const from = plot.posToVal(plot.select.left, "x");
    const to = plot.posToVal(plot.select.left + plot.select.width, "x");
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.context.zoom(from, to);
  }

  #toggle(name, alone) {
    const names = this.series.map((one) => one.name);
    const isAlone = names.every((one) => (one === name) !== this.hidden.has(one));
    if (alone) this.hidden = new Set(isAlone ? [] : names.filter((one) => one !== name));
    else this.hidden.has(name) ? this.hidden.delete(name) : this.hidden.add(name);
    this.shape = "";
    this.update(this.answer);
  }

  // ---- size

  #size() {
    return { width: Math.max(80, this.holder.clientWidth), height: Math.max(60, this.holder.clientHeight) };
  }

  #resize() {
    const { width, height } = this.#size();
    if (this.plot && (this.plot.width !== width || this.plot.height !== height)) {
      this.plot.setSize({ width, height });
    }
  }

  #rescale() {
    this.plot.setScale("x", { min: this.answer.start, max: this.answer.end });
    const bands = JSON.stringify(this.bands);
    if (bands !== JSON.stringify((this.plot.bands || []).map(({ series }) => ({ series })))) this.#build();
  }
}

const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

const isThresholdDrawn = (series) => !["off", undefined, null].includes(series.config.custom.thresholdsStyle?.mode);

// A value between gaps would be an invisible line: it is drawn as a point.
function lonely(values) {
  const found = [];
  for (let at = 0; at < values.length; at += 1) {
    if (values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null) found.push(at);
  }
  return found;
}

const isLonely = (plot, at) => lonely(plot.data[at]).length > 0;

function gradient(plot, color, opacity) {
  const { top, height } = plot.bbox;
  const fill = plot.ctx.createLinearGradient(0, top, 0, top + height);
  fill.addColorStop(0, withAlpha(color, opacity));
  fill.addColorStop(1, withAlpha(color, opacity / 8));
  return fill;
}

