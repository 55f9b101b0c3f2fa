// Numbers as a person writes them: three digits that matter, a unit that fits, a sign that is a minus.

const NARROW = "\u202f";

const scaled = (factors) => (value) => {
  const size = Math.abs(value);
  // Nothing is nothing in the plain unit: "0 s", not "0 ns".
  const found = factors.find(([least, factor]) => (size ? size >= least : factor === 1)) || factors[factors.length - 1];
  return [value / found[1], found[2]];
};

const SECONDS = scaled([
  [604800 * 2, 604800, "weeks"], [86400 * 2, 86400, "days"], [7200, 3600, "h"], [120, 60, "min"], [1, 1, "s"],
  [1e-3, 1e-3, "ms"], [1e-6, 1e-6, "µs"], [0, 1e-9, "ns"],
]);
const COUNT = [[1e12, 1e12, "T"], [1e9, 1e9, "bn"], [1e6, 1e6, "M"], [1e4, 1e3, "K"], [0, 1, ""]];
const SHORT = scaled(COUNT);
const IEC = (unit) => scaled([[2 ** 40, 2 ** 40, `Ti${unit}`], [2 ** 30, 2 ** 30, `Gi${unit}`], [2 ** 20, 2 ** 20, `Mi${unit}`], [1024, 1024, `Ki${unit}`], [0, 1, unit]]);
const SI = (unit) => scaled([[1e12, 1e12, `T${unit}`], [1e9, 1e9, `G${unit}`], [1e6, 1e6, `M${unit}`], [1e3, 1e3, `k${unit}`], [1, 1, unit], [1e-3, 1e-3, `m${unit}`], [1e-6, 1e-6, `µ${unit}`], [0, 1, unit]]);
const SI_LARGE = (unit) => scaled([[1e12, 1e12, `T${unit}`], [1e9, 1e9, `G${unit}`], [1e6, 1e6, `M${unit}`], [1e3, 1e3, `k${unit}`], [0, 1, unit]]);
const PER = (unit) => scaled(COUNT.map(([least, factor, letter]) => [least, factor, `${letter}${unit}`]));
const PLAIN = (unit) => (value) => [value, unit];

const UNITS = {
  none: PLAIN(""), string: PLAIN(""), short: SHORT, sishort: SHORT,
  percent: PLAIN("%"), percentunit: (value) => [value * 100, "%"],
  s: SECONDS, ms: (value) => SECONDS(value / 1e3), "µs": (value) => SECONDS(value / 1e6),
  ns: (value) => SECONDS(value / 1e9), m: (value) => SECONDS(value * 60), h: (value) => SECONDS(value * 3600),
  d: (value) => SECONDS(value * 86400), dtdurations: SECONDS, clocks: SECONDS,
  bytes: IEC("B"), decbytes: SI_LARGE("B"), bits: IEC("b"), decbits: SI_LARGE("b"), kbytes: (value) => IEC("B")(value * 1024),
  mbytes: (value) => IEC("B")(value * 2 ** 20), Bps: SI_LARGE("B/s"), binBps: IEC("B/s"), bps: SI_LARGE("b/s"),
  reqps: PER(" req/s"), rps: PER(" reads/s"), wps: PER(" writes/s"), ops: PER(" ops/s"), iops: PER(" io/s"), cps: PER("/s"), eps: PER(" events/s"), mps: PER(" messages/s"),
  reqpm: PER(" req/min"), cpm: PER("/min"), opm: PER(" ops/min"), rpm: PER(" reads/min"), wpm: PER(" writes/min"), rotrpm: PER(" rpm"),
  fps: PLAIN("fps"), celsius: PLAIN("°C"), fahrenheit: PLAIN("°F"), kelvin: PLAIN("K"), degree: PLAIN("°"),
  hertz: SI_LARGE("Hz"), rothz: SI_LARGE("Hz"), watt: SI("W"), voltamp: SI("VA"), volt: SI("V"), amp: SI("A"),
  mwatt: (value) => SI("W")(value / 1e3), mvolt: (value) => SI("V")(value / 1e3), mamp: (value) => SI("A")(value / 1e3), joule: SI("J"), watth: SI("Wh"),
};
const TEXTS = {
  bool: ["False", "True"], bool_yes_no: ["No", "Yes"], bool_on_off: ["Off", "On"],
};
const TIMES = ["dateTimeFromNow", "dateTimeAsIso", "dateTimeAsIsoNoDateIfToday", "dateTimeAsLocal", "dateTimeAsLocalNoDateIfToday", "dateTimeAsSystem"];

export const knowsUnit = (unit) =>
  !unit || unit in UNITS || unit in TEXTS || TIMES.includes(unit) || /^(suffix|prefix|currency):|^(conf)?si:|^count:/.test(unit);

// Marks of an axis: all in the unit that fits the largest, with as many decimals as their distance needs.
export function axisLabels(values, unit = "", step = 1) {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scale = UNITS[unit];
  if (!scale || !largest) return values.map((value) => format(value, unit));
  const [number, suffix] = scale(largest);
  const factor = number / largest;
  return values.map((value) => ticked(value * factor, step * factor) + gap(suffix.trim()) + suffix.trim());
}

const BINARY = ["bytes", "bits", "binBps"];
const POWERS = Array.from({ length: 51 }, (_, power) => 2 ** power);
const DECIMAL = Array.from({ length: 27 }, (_, place) => [1, 2, 5][place % 3] * 10 ** (Math.floor(place / 3) - 9));
const CLOCK = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000, 864000, 2592000, 8640000];

// Distances between marks that are round in this unit, smallest first; undefined where decimal ones are.
export function axisSteps(unit) {
  if (BINARY.includes(unit)) return POWERS;
  return UNITS[unit] === SECONDS ? [...DECIMAL, ...CLOCK] : undefined;
}

// Returns { text, suffix }: the number and what stands after it.
export function formatParts(value, unit = "", decimals = null) {
  if (value === null || value === undefined || Number.isNaN(value)) return { text: "–", suffix: "" };
  if (!Number.isFinite(value)) return { text: value > 0 ? "∞" : "−∞", suffix: "" };
  if (unit in TEXTS) return { text: TEXTS[unit][value ? 1 : 0], suffix: "" };
  if (TIMES.includes(unit)) return { text: moment(value, unit), suffix: "" };
  const custom = /^(suffix|prefix|currency|si|count):(.*)$/.exec(unit);
  if (custom && (custom[1] === "prefix" || custom[1] === "currency")) return { text: custom[2] + digits(value, decimals), suffix: "" };
  const scale = custom ? (custom[1] === "si" ? SI(custom[2]) : PLAIN(` ${custom[2]}`)) : UNITS[unit] || PLAIN(` ${unit}`);
  const [number, suffix] = scale(value);
  return { text: digits(number, decimals), suffix: suffix.trim() };
}

const TIGHT = ["%", "/s", "/min", "K", "M", "bn", "T", "°", "K/s", "M/s", "K/min", "M/min"];

export function format(value, unit, decimals = null) {
  const { text, suffix } = formatParts(value, unit, decimals);
  if (!suffix) return text;
  return TIGHT.includes(suffix) ? text + suffix : text + NARROW + suffix;
}

// Space that belongs between a number and this suffix.
export const gap = (suffix) => (!suffix || TIGHT.includes(suffix) ? "" : NARROW);

function digits(number, decimals) {
  if (decimals !== null && decimals !== undefined) return grouped(number.toFixed(Math.min(12, decimals)));
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size < 1e-6) return number.toExponential(1).replace("-", "−");
  const whole = Math.floor(Math.log10(size)) + 1;
  const shown = number.toFixed(Math.max(0, Math.min(9, 3 - whole)));
  return grouped(shown.includes(".") ? shown.replace(/\.?0+$/, "") : shown);
}

function ticked(number, step) {
  const places = step > 0 ? Math.max(0, Math.min(9, Math.ceil(-Math.log10(step) - 1e-9))) : 0;
  const needed = Math.abs(step * 10 ** places - Math.round(step * 10 ** places)) > 1e-6 ? places + 1 : places;
  return grouped(number.toFixed(needed));
}

function grouped(text) {
  const [whole, rest] = text.split(".");
  const zero = /^-0$/.test(whole) && (!rest || /^0+$/.test(rest));
  const sign = whole.startsWith("-") && !zero ? "−" : "";
  const number = whole.replace("-", "").replace(/\B(?=(\d{3})+$)/g, ",");
  return sign + number + (rest ? `.${rest}` : "");
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
  if (unit === "dateTimeFromNow") return ago(milliseconds);
  const date = new Date(milliseconds);
  const pad = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  const isToday = date.toDateString() === new Date().toDateString();
  return unit.endsWith("NoDateIfToday") && isToday ? clock : `${day} ${clock}`;
}
