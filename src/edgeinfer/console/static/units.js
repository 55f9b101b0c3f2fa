// Numbers as Grafana writes them, in its units; a test compares both.

const NARROW = "\u202f";

// A scale makes of a value { number, suffix }; a suffix begins with a space where one belongs before it.
const plain = (suffix) => (number) => ({ number, suffix: suffix && ` ${suffix}` });

// Steps of one factor: `names` from the smallest to the largest, of which the one at `base` leaves the value as it is.
const powers = (factor, names, base = 0) => (value) => {
  if (!Number.isFinite(value)) return { number: value, suffix: "" };
  const power = value ? Math.floor(Math.log10(Math.abs(value)) / Math.log10(factor)) : 0;
  const place = Math.max(0, Math.min(names.length - 1, base + power));
  return { number: value / factor ** (place - base), suffix: names[place] };
};
const PREFIXES = ["f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y"];
const si = (unit, shift = 0) => powers(1000, PREFIXES.map((prefix) => ` ${prefix}${unit}`), 5 + shift);
const iec = (unit, shift = 0) => powers(1024, ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"].map((prefix) => ` ${prefix}${unit}`), shift);
const count = (unit) => powers(1000, ["", "K", "M", "B", "T"].map((letter) => `${letter} ${unit}`));

// Steps that are no powers: [below which size, divided by what, name]; long names have a plural.
const LONG = ["min", "hour", "day", "week", "year"];
const steps = (table) => (value) => {
  const [, factor, name] = table.find(([below]) => Math.abs(value) < below) || table[table.length - 1];
  const number = value / factor;
  // What needed no division keeps the singular, as in "1 min" of a value in minutes.
  return { number, suffix: ` ${name}${LONG.includes(name) && factor !== 1 && Math.abs(number) > 1 ? "s" : ""}` };
};
const SECONDS = steps([
  [1e-6, 1e-9, "ns"], [1e-3, 1e-6, "µs"], [1, 1e-3, "ms"], [60, 1, "s"], [3600, 60, "min"], [86400, 3600, "hour"], [604800, 86400, "day"],
  [31536000, 604800, "week"], [Infinity, 31556900, "year"],
]);
const NANOSECONDS = steps([[1e3, 1, "ns"], [1e6, 1e3, "µs"], [1e9, 1e6, "ms"], [6e10, 1e9, "s"], [36e11, 6e10, "min"], [864e11, 36e11, "hour"], [Infinity, 864e11, "day"]]);
const MICROSECONDS = steps([[1e3, 1, "µs"], [1e6, 1e3, "ms"], [Infinity, 1e6, "s"]]);
const MILLISECONDS = steps([[1e3, 1, "ms"], [6e4, 1e3, "s"], [36e5, 6e4, "min"], [864e5, 36e5, "hour"], [31536e6, 864e5, "day"], [Infinity, 31536e6, "year"]]);
const MINUTES = steps([[60, 1, "min"], [1440, 60, "hour"], [10080, 1440, "day"], [604800, 10080, "week"], [Infinity, 525948, "year"]]);
const HOURS = steps([[24, 1, "hour"], [168, 24, "day"], [8760, 168, "week"], [Infinity, 8760, "year"]]);

const UNITS = {
  none: plain(""), short: powers(1000, ["", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept"]), sishort: si(""),
  percent: (number) => ({ number, suffix: "%" }), percentunit: (value) => ({ number: 100 * value, suffix: "%" }),
  ns: NANOSECONDS, "µs": MICROSECONDS, ms: MILLISECONDS, m: MINUTES, h: HOURS,
  // Zero of seconds is "0 s", whatever the decimals.
  s: (value) => (value === 0 ? { number: 0, suffix: " s", isBare: true } : SECONDS(value)),
  bytes: iec("B"), kbytes: iec("B", 1), mbytes: iec("B", 2), gbytes: iec("B", 3), decbytes: si("B"), bits: iec("b"), decbits: si("b"),
  binBps: iec("B/s"), Bps: si("B/s"), binbps: iec("b/s"), bps: si("b/s"), KBs: si("B/s", 1), MBs: si("B/s", 2), pps: si("p/s"),
  reqps: count("req/s"), rps: count("rd/s"), wps: count("wr/s"), ops: count("ops/s"), iops: count("io/s"), cps: count("c/s"), eps: count("evt/s"), mps: count("msg/s"),
  reqpm: count("req/m"), cpm: count("c/m"), opm: count("ops/m"), rpm: count("rd/m"), wpm: count("wr/m"), rotrpm: plain("rpm"),
  celsius: plain("°C"), fahrenheit: plain("°F"), kelvin: plain("K"), degree: plain("°"), humidity: plain("%H"), pixel: plain("px"),
  hertz: si("Hz"), rothz: si("Hz"), watt: si("W"), mwatt: si("W", -1), kwatt: si("W", 1), watth: si("Wh"), kwatth: si("Wh", 1), voltamp: si("VA"),
  volt: si("V"), mvolt: si("V", -1), amp: si("A"), mamp: si("A", -1), mamph: si("Ah", -1), joule: si("J"), ohm: si("Ω"), lux: plain("lux"), flops: si("FLOPS"),
};
const TEXTS = {
  string: (value) => String(value),
  bool: (value) => (value ? "True" : "False"), bool_yes_no: (value) => (value ? "Yes" : "No"), bool_on_off: (value) => (value ? "On" : "Off"),
  locale: (value, decimals) => value.toLocaleString("en-US", { maximumFractionDigits: decimals ?? undefined }),
  dtdurations: (value, decimals) => spelled(value, decimals), dthms: (value) => clocked(value),
};
const TIMES = ["dateTimeFromNow", "dateTimeAsIso", "dateTimeAsIsoNoDateIfToday", "dateTimeAsLocal", "dateTimeAsLocalNoDateIfToday", "dateTimeAsSystem"];
const CUSTOM = /^(suffix|prefix|currency|si|count):(.*)$/;

export const knownUnits = () => [...Object.keys(UNITS), ...Object.keys(TEXTS)];
export const knowsUnit = (unit) => !unit || unit in UNITS || unit in TEXTS || TIMES.includes(unit) || CUSTOM.test(unit);

function scaleOf(unit) {
  if (!unit) return UNITS.none;
  const custom = CUSTOM.exec(unit);
  if (!custom) return UNITS[unit] || plain(unit);
  const shift = PREFIXES.indexOf(custom[2][0]);
  return { si: shift < 0 ? si(custom[2]) : si(custom[2].slice(1), shift - 5), count: count(custom[2]), suffix: plain(custom[2]) }[custom[1]] || plain("");
}

// Marks of an axis: all in the unit that fits the largest, with as many decimals as their distance needs.
export function axisLabels(values, unit = "", step = 1) {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (unit in TEXTS || TIMES.includes(unit) || !largest) return values.map((value) => format(value, unit === "locale" ? "none" : unit));
  const { number, suffix } = scaleOf(unit)(largest);
  const factor = number / largest;
  return values.map((value) => ticked(value * factor, step * factor) + gapOf(suffix) + suffix.trim());
}

const BINARY = ["bytes", "bits", "binBps"];
const POWERS = Array.from({ length: 51 }, (_, power) => 2 ** power);
const DECIMAL = Array.from({ length: 27 }, (_, place) => [1, 2, 5][place % 3] * 10 ** (Math.floor(place / 3) - 9));
const CLOCK = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000, 864000, 2592000, 8640000];

// Distances between marks that are round in this unit, smallest first; undefined where decimal ones are.
export function axisSteps(unit) {
  if (BINARY.includes(unit)) return POWERS;
  return unit === "s" ? [...DECIMAL, ...CLOCK] : undefined;
}

const gapOf = (suffix) => (suffix.startsWith(" ") ? NARROW : "");

// Returns { text, gap, suffix }: the number, the space after it, and the unit.
export function formatParts(value, unit = "", decimals = null) {
  if (value === null || value === undefined) return { text: "–", gap: "", suffix: "" };
  if (unit in TEXTS) return { text: signed(TEXTS[unit](value, decimals)), gap: "", suffix: "" };
  if (TIMES.includes(unit)) return { text: moment(value, unit), gap: "", suffix: "" };
  const { number, suffix, isBare } = scaleOf(unit)(value);
  const [, kind, symbol] = CUSTOM.exec(unit) || [];
  const before = kind === "prefix" || kind === "currency" ? symbol : "";
  return { text: before + signed(isBare ? "0" : digits(number, decimals)), gap: gapOf(suffix), suffix: suffix.trim() };
}

export function format(value, unit, decimals = null) {
  const { text, gap, suffix } = formatParts(value, unit, decimals);
  return text + gap + suffix;
}

const signed = (text) => text.replaceAll("-", "−");

// As many decimals as asked for, or two to three digits that matter; whole numbers have none.
function digits(number, decimals) {
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "NaN" : number > 0 ? "∞" : "-∞";
  const places = decimals ?? decimalsFor(number);
  if (number === 0) return (0).toFixed(places);
  const factor = 10 ** Math.min(300, places);
  const rounded = String(Math.round(number * factor) / factor);
  if (!places || rounded.includes("e")) return rounded;
  const [whole, rest = ""] = rounded.split(".");
  return `${whole}.${rest.padEnd(places, "0")}`;
}

function decimalsFor(number) {
  if (number % 1 === 0) return 0;
  // By the logarithm and not by its own kind for tens, whose last bit differs: the same numbers round the same way.
  const magnitude = Math.floor(Math.log(Math.abs(number)) / Math.LN10);
  const first = Math.abs(number) / 10 ** (magnitude - 1);
  return Math.max(0, 1 - magnitude + (first > 2.25 ? 1 : 0));
}

function ticked(number, step) {
  const places = step > 0 ? Math.max(0, Math.min(9, Math.ceil(-Math.log10(step) - 1e-9))) : 0;
  const needed = Math.abs(step * 10 ** places - Math.round(step * 10 ** places)) > 1e-6 ? places + 1 : places;
  return signed((number + 0).toFixed(needed).replace(/^-(0(?:\.0*)?)$/, "$1"));
}

// "2 hours, 5 minutes": the largest unit, and one more for each decimal.
const SPELLED = [[31536000, "year"], [2592000, "month"], [604800, "week"], [86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"], [0.001, "millisecond"]];
function spelled(seconds, decimals) {
  if (seconds === 0) return "0 seconds";
  if (seconds < 0) return `${spelled(-seconds, decimals)} ago`;
  const parts = [];
  let rest = seconds * 1000;
  for (const [size, name] of SPELLED) {
    const amount = Math.floor(rest / (size * 1000));
    if (parts.length > (decimals ?? 0)) break;
    if (!amount && !parts.length) continue;
    parts.push(`${amount} ${name}${amount === 1 ? "" : "s"}`);
    rest %= size * 1000;
  }
  return parts.join(", ");
}

function clocked(seconds) {
  if (seconds < 0) return `${clocked(-seconds)} ago`;
  if (!Number.isFinite(seconds)) return digits(seconds);
  return [seconds / 3600, (seconds % 3600) / 60, (seconds % 3600) % 60].map((part) => String(Math.floor(part)).padStart(2, "0")).join(":");
}

const STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [86400 * 60, 86400, "days"], [Infinity, 86400 * 30, "months"]];

// "3 min ago" from milliseconds since 1970.
export function ago(milliseconds, now = Date.now()) {
  const seconds = (now - milliseconds) / 1000;
  const size = Math.abs(seconds);
  if (size < 1) return "now";
  const [, factor, name] = STEPS.find(([most]) => size < most);
  const amount = Math.floor(size / factor);
  const word = amount === 1 && name.endsWith("s") && name.length > 1 ? name.slice(0, -1) : name;
  return seconds > 0 ? `${amount} ${word} ago` : `in ${amount} ${word}`;
}

// Up to how many of a unit are written as such, and with how many the next begins, as Grafana rounds: of 50 s "a minute".
const RELATIVE = [[86400 * 365.2425, Infinity, "year"], [86400 * 365.2425 / 12, 11, "month"], [86400, 26, "day"], [3600, 22, "hour"], [60, 45, "minute"]];

// "3 minutes ago" from milliseconds since 1970, in Grafana's words.
export function fromNow(milliseconds, now = Date.now()) {
  if (!Number.isFinite(milliseconds)) return digits(milliseconds);
  const seconds = Math.abs(now - milliseconds) / 1000;
  const words = (text) => (milliseconds > now ? `in ${text}` : `${text} ago`);
  if (Math.round(seconds) < 45) return words("a few seconds");
  const at = RELATIVE.findLastIndex(([size, most]) => Math.round(seconds / size) < most);
  const [size, , name] = RELATIVE[at];
  const amount = Math.max(1, Math.round(seconds / size));
  return words(amount === 1 ? `${name === "hour" ? "an" : "a"} ${name}` : `${amount} ${name}s`);
}

// "2 h 5 min" from seconds.
export function duration(seconds) {
  const parts = [];
  let rest = Math.max(0, Math.round(seconds));
  for (const [size, name] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]) {
    if (rest >= size && parts.length < 2) parts.push(`${Math.floor(rest / size)} ${name}`);
    rest %= size;
  }
  return parts.join(" ") || "0 s";
}

function moment(milliseconds, unit) {
  if (!Number.isFinite(milliseconds)) return milliseconds > 0 ? "∞" : "−∞";
  if (unit === "dateTimeFromNow") return fromNow(milliseconds);
  const date = new Date(milliseconds);
  const pad = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  const isToday = date.toDateString() === new Date().toDateString();
  return unit.endsWith("NoDateIfToday") && isToday ? clock : `${day} ${clock}`;
}
