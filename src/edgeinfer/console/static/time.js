// Time ranges as in addresses and pickers, and moments as text.

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800, M: 2592000, y: 31536000 };
export const QUICK = [
  ["now-5m", "5 minutes"], ["now-15m", "15 minutes"], ["now-30m", "30 minutes"], ["now-1h", "1 hour"],
  ["now-3h", "3 hours"], ["now-6h", "6 hours"], ["now-12h", "12 hours"], ["now-24h", "24 hours"],
  ["now-2d", "2 days"], ["now-7d", "7 days"], ["now-30d", "30 days"],
];
export const REFRESHES = ["", "5s", "10s", "30s", "1m", "5m"];

// Seconds since 1970 of "now-1h" or of milliseconds as text; NaN where it is neither.
export function moment(text, now = Date.now() / 1000) {
  if (/^\d{1,14}$/.test(text)) return Number(text) / 1000;
  const parsed = /^now(?:-(\d{1,6})([smhdwMy]))?$/.exec(text);
  if (!parsed) return NaN;
  return parsed[1] ? now - Number(parsed[1]) * UNIT_SECONDS[parsed[2]] : now;
}

export const isRelative = (range) => range.to === "now";

export function isRange(range) {
  return moment(range.to) - moment(range.from) > 0;
}

export function seconds(durationText) {
  const parsed = /^(\d+)([smhd])$/.exec(durationText || "");
  return parsed ? Number(parsed[1]) * UNIT_SECONDS[parsed[2]] : 0;
}

export function label(range) {
  const quick = QUICK.find(([from]) => from === range.from && range.to === "now");
  if (quick) return `Last ${quick[1]}`;
  const relative = /^now-(\d+)([smhdwMy])$/.exec(range.from);
  const words = { s: "seconds", m: "minutes", h: "hours", d: "days", w: "weeks", M: "months", y: "years" };
  if (relative && range.to === "now") return `Last ${relative[1]} ${words[relative[2]]}`;
  return `${dateTime(moment(range.from))} to ${dateTime(moment(range.to))}`;
}

const pad = (number) => String(number).padStart(2, "0");

export function dateTime(secondsSince) {
  const date = new Date(secondsSince * 1000);
  const today = date.toDateString() === new Date().toDateString();
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return today ? clock(secondsSince) : `${day} ${clock(secondsSince)}`;
}

export function clock(secondsSince) {
  const date = new Date(secondsSince * 1000);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

export function forInput(secondsSince) {
  const date = new Date(secondsSince * 1000);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${clock(secondsSince)}`;
}

export function zoomedOut(range) {
  const [from, to] = [moment(range.from), moment(range.to)];
  const half = (to - from) / 2;
  return absolute(from - half, Math.min(to + half, Date.now() / 1000));
}

export function shifted(range, direction) {
  const [from, to] = [moment(range.from), moment(range.to)];
  const by = ((to - from) / 2) * direction;
  return absolute(from + by, to + by);
}

export function absolute(from, to) {
  return { from: String(Math.round(from * 1000)), to: String(Math.round(to * 1000)) };
}

// Marks of a time axis: places and labels between two moments, about so many.
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000];

export function ticks(from, to, most) {
  const step = TICKS.find((one) => (to - from) / one <= most) || 7776000;
  const offset = new Date(from * 1000).getTimezoneOffset() * 60;
  const found = [];
  for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step) found.push(at);
  return { step, at: found };
}

export function tickLabel(at, step) {
  const date = new Date(at * 1000);
  if (step >= 86400 || (date.getHours() === 0 && date.getMinutes() === 0 && step >= 3600)) return date.toLocaleDateString("en", { month: "short", day: "numeric" });
  return step < 60 ? clock(at) : clock(at).slice(0, 5);
}
