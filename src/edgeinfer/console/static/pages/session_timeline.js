// The picture of one stream: which motif each window was most like, who answered it, what was done, and the holes.

import { el, svg } from "../dom.js";
import { clock, tickLabel, ticks } from "../time.js";
import { length, seconds, words } from "./session_words.js";

const ROW = 24, AXIS = 22, WINDOW_SECONDS = 1, MIN_MARK = 2, MIN_SPAN_SECONDS = 60;
const PIXELS_PER_LETTER = 7.2;

// { from, to } in seconds since 1970 that the pictures of a session share: what is kept, up to now.
export function span(session, now) {
  const moments = session.streams.flatMap((stream) => stream.timeline.map((one) => seconds(one.answeredAt)));
  const holes = session.streams.flatMap((stream) => stream.holes.map((one) => seconds(one.endedAt)));
  const first = moments.length ? Math.min(...moments) - WINDOW_SECONDS : holes.length ? Math.min(...holes) : now;
  const from = Math.min(first, now - MIN_SPAN_SECONDS);
  return { from: Math.max(from, Math.min(first, seconds(session.startedAt), now - 10)), to: now };
}

export function timeline(stream, { from, to }, width) {
  const names = rows(stream);
  const label = Math.min(0.44 * width, PIXELS_PER_LETTER * Math.max(4, ...names.map((name) => name.length)) + 14);
  const height = names.length * ROW;
  const at = (moment) => label + ((Math.max(from, Math.min(moment, to)) - from) / (to - from)) * (width - label);
  const mark = (end, name, kind, title) => svg("rect", { x: at(end - WINDOW_SECONDS), width: Math.max(MIN_MARK, at(end) - at(end - WINDOW_SECONDS)), y: names.indexOf(words(name)) * ROW + (kind === "done" ? 3 : 8), height: kind === "done" ? 4 : 12, class: `mark-${kind}` }, svg("title", {}, title));
  const marks = stream.timeline.flatMap((one) => {
    const end = seconds(one.answeredAt);
    const said = `${clock(end)}: ${words(one.motif)}, by the ${one.source}${one.activity ? `, while ${words(one.activity)} was done` : ""}`;
    return [mark(end, one.motif, one.source, said), ...(one.activity ? [mark(end, one.activity, "done", said)] : [])];
  });
  const shown = stream.holes.filter((one) => seconds(one.endedAt) >= from);
  const holes = shown.map((one) => {
    const end = seconds(one.endedAt);
    const isJump = one.kind === "clock_jump";
    const start = isJump ? end : end - one.duration_ms / 1000;
    return svg("rect", { x: at(start), width: Math.max(MIN_MARK, at(end) - at(start)), y: 0, height, class: `hole-${one.kind}` }, svg("title", {}, `${clock(end)}: ${words(one.kind)} of ${length(one.duration_ms)}`));
  });
  const lines = names.map((name, row) => svg("text", { x: label - 8, y: row * ROW + 17, "text-anchor": "end" }, name));
  const grid = names.map((_, row) => svg("line", { x1: label, x2: width, y1: row * ROW + ROW, y2: row * ROW + ROW, class: "row-line" }));
  const { at: times, step } = ticks(from, to, Math.max(2, Math.floor((width - label) / 90)));
  const axis = times.map((time) => svg("text", { x: at(time), y: height + 16, class: "axis-label", "text-anchor": at(time) > width - 30 ? "end" : at(time) < label + 30 ? "start" : "middle" }, tickLabel(time, step)));
  return svg("svg", { viewBox: `0 0 ${width} ${height + AXIS}`, width, height: height + AXIS, role: "img", "aria-label": inWords(stream, shown, from, to) }, ...holes, ...grid, ...marks, ...lines, ...axis);
}

// What was said or done, the most frequent first.
function rows(stream) {
  const found = new Map();
  for (const name of stream.timeline.flatMap((one) => [one.motif, one.activity || ""]).filter(Boolean)) found.set(words(name), (found.get(words(name)) || 0) + 1);
  return found.size ? [...found].sort((one, other) => other[1] - one[1]).map(([name]) => name) : ["no window"];
}

function inWords(stream, holes, from, to) {
  const counts = new Map();
  for (const one of stream.timeline) counts.set(one.motif, (counts.get(one.motif) || 0) + 1);
  const said = [...counts].sort((one, other) => other[1] - one[1]).map(([motif, count]) => `${words(motif)} ${count}`).join(", ");
  return `Motifs of ${stream.role} from ${clock(from)} to ${clock(to)}: ${said || "no window"}; ${holes.length} holes`;
}

// What the marks mean; only those that can be seen.
export function legend(stream) {
  const entries = [
    ["mark-sidecar", "window answered by the sidecar", stream.timeline.some((one) => one.source === "sidecar")],
    ["mark-fallback", "by the fallback on the gateway's CPU", stream.timeline.some((one) => one.source === "fallback")],
    ["mark-done", "done, as its sender says", stream.timeline.some((one) => one.activity)],
    ["hole-gap", "samples are missing", stream.holes.some((one) => one.kind === "gap")],
    ["hole-pause", "pause", stream.holes.some((one) => one.kind === "pause")],
    ["hole-clock_jump", "its clock jumped", stream.holes.some((one) => one.kind === "clock_jump")],
  ].filter(([, , isSeen]) => isSeen);
  return el("ul", { class: "legend-marks" }, ...entries.map(([kind, text]) => el("li", {}, svg("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" }, svg("rect", { x: 1, y: 1, width: 12, height: 12, class: kind })), text)));
}
