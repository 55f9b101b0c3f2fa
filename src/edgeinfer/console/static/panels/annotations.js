// Alerts and deploys on the time axis: a line or a shaded stretch, and a mark that says what it was.

import { el, clear, setStyles } from "../dom.js";
import { namedColor, withAlpha } from "../theme.js";
import { dateTime } from "../time.js";

const MAX_MARKS = 40;

export function drawAnnotations(plot, events) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { color, start, end } of stretches(events)) {
    const [from, to] = [plot.valToPos(start, "x", true), plot.valToPos(end, "x", true)];
    ctx.fillStyle = withAlpha(namedColor(color), 0.06);
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    ctx.fillStyle = withAlpha(namedColor(color), 0.6);
    ctx.fillRect(from, bbox.top + bbox.height - 2 * devicePixelRatio, to - from, 2 * devicePixelRatio);
  }
  for (const event of events) {
    const color = namedColor(event.color);
    const from = plot.valToPos(event.start, "x", true);
    const to = plot.valToPos(event.end, "x", true);
    ctx.strokeStyle = withAlpha(color, 0.75);
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const x of event.end > event.start ? [from, to] : [from]) {
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
  }
  ctx.restore();
}

// When at least one event of a color lasted: many at once are as pale as one, lest they hide what is drawn.
function stretches(events) {
  const found = [];
  for (const { color, start, end } of events.filter((event) => event.end > event.start).sort((a, b) => a.start - b.start)) {
    const last = found.find((one) => one.color === color && one.end >= start);
    if (last) last.end = Math.max(last.end, end);
    else found.push({ color, start, end });
  }
  return found;
}

export function markAnnotations(plot, events) {
  let layer = plot.over.querySelector(".marks");
  if (!layer) plot.over.append((layer = el("div", { class: "marks", "aria-hidden": "true" })));
  clear(layer);
  const { min, max } = plot.scales.x;
  for (const event of events.slice(-MAX_MARKS)) {
    if (event.end < min || event.start > max) continue;
    const left = plot.valToPos(Math.max(min, event.start), "x");
    const until = event.end > event.start ? ` to ${dateTime(event.end)}` : "";
    const mark = el("span", { class: "mark", title: `${event.title}\n${event.text}\n${dateTime(event.start)}${until}` });
    setStyles(mark, { left: `${left}px`, "--mark": namedColor(event.color) });
    layer.append(mark);
  }
}
