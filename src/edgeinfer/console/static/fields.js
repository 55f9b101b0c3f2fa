// What a dashboard says of a series: unit, thresholds, mappings, color, with its overrides applied.

import { formatParts, knowsUnit } from "./units.js";
import { namedColor, paletteColor } from "./theme.js";

// Of a fixed color that the file does not name.
const UNNAMED = "#808080";
const DEFAULT_STEPS = [{ value: null, color: "green" }, { value: 80, color: "red" }];

// What Grafana's panels color by where a file does not say it: numbers by their thresholds, lines by the palette.
const COLORED_BY_THRESHOLDS = ["stat", "gauge", "bargauge", "table"];

// A field is a series or a table column: { name, labels, ref, kind }.
export function fieldConfig(panel, field) {
  const defaults = panel.fieldConfig?.defaults || {};
  const config = { ...defaults, custom: { ...(defaults.custom || {}) } };
  for (const override of panel.fieldConfig?.overrides || []) {
    if (matches(override.matcher, field)) override.properties.forEach((one) => apply(config, one));
  }
  if (!config.color?.mode) config.color = { ...config.color, mode: COLORED_BY_THRESHOLDS.includes(panel.type) ? "thresholds" : "palette-classic" };
  return config;
}

function matches(matcher, field) {
  const wanted = matcher.options;
  switch (matcher.id) {
    case "byName": return field.name === wanted;
    case "byNames": return (wanted.names || []).includes(field.name) !== (wanted.mode === "exclude");
    case "byRegexp": return regex(wanted).test(field.name);
    case "byFrameRefID": return field.ref === wanted;
    case "byType": return field.kind === wanted;
    default: return false;
  }
}

export function regex(text) {
  const slashed = /^\/(.*)\/([a-z]*)$/s.exec(text);
  try {
    return slashed ? new RegExp(slashed[1], slashed[2].replace("g", "")) : new RegExp(text);
  } catch {
    return /$^/;
  }
}

function apply(config, property) {
  if (!property.id.startsWith("custom.")) return (config[property.id] = property.value);
  // "custom.hideFrom.viz" is a part of an option.
  const [first, ...rest] = property.id.slice(7).split(".");
  config.custom[first] = rest.reduceRight((value, name) => ({ [name]: value }), property.value);
}

// The text of a value: a mapping's, or the number with its unit; and the mapping's color.
export function display(value, config) {
  const mapped = mapping(value, config.mappings);
  const color = mapped?.color ? namedColor(mapped.color) : "";
  const bare = (text, more) => ({ text, gap: "", suffix: "", color, ...more });
  if (mapped?.text !== undefined && mapped.text !== null) return bare(mapped.text, { mapped: true });
  // Not-a-number is what a query gives on purpose where there is nothing now.
  if (value === null || value === undefined || value === "" || Number.isNaN(value)) return bare(config.noValue || "–", { absent: true });
  if (typeof value === "string") return bare(value);
  return { ...formatParts(value, config.unit, config.decimals ?? null), color };
}

export function displayText(value, config) {
  const { text, gap, suffix } = display(value, config);
  return text + gap + suffix;
}

function mapping(value, mappings) {
  for (const one of mappings || []) {
    const found = MAPPINGS[one.type]?.(one.options, value);
    if (found) return found;
  }
  return null;
}

const MAPPINGS = {
  value: (options, value) => (value === null || value === undefined ? undefined : options[String(value)]),
  range: (options, value) =>
    typeof value === "number" && value >= (options.from ?? -Infinity) && value <= (options.to ?? Infinity) ? options.result : undefined,
  regex: (options, value) => (typeof value === "string" && regex(options.pattern).test(value) ? options.result : undefined),
  special: (options, value) => (SPECIAL[options.match]?.(value) ? options.result : undefined),
};
const SPECIAL = {
  null: (value) => value === null || value === undefined,
  nan: (value) => Number.isNaN(value),
  "null+nan": (value) => value === null || value === undefined || Number.isNaN(value),
  true: (value) => value === true,
  false: (value) => value === false,
  empty: (value) => value === "",
};

// Steps with their colors and, for a share of the range, their real values.
export function thresholdSteps(config, low = config.min ?? 0, high = config.max ?? 100) {
  const thresholds = config.thresholds || { mode: "absolute", steps: DEFAULT_STEPS };
  return thresholds.steps.map((step) => ({
    color: namedColor(step.color),
    value: step.value === null || step.value === undefined ? -Infinity
      : thresholds.mode === "percentage" ? low + ((high - low) * step.value) / 100 : step.value,
  }));
}

export function thresholdColor(value, config) {
  const steps = thresholdSteps(config);
  // Below the first step, too, its color: not every file begins with one that has no value.
  return (steps.findLast((step) => value >= step.value) || steps[0])?.color || "";
}

export function seriesColor(config, index, value) {
  const mode = config.color?.mode || "palette-classic";
  if (mode === "fixed") return namedColor(config.color.fixedColor || UNNAMED);
  if (mode === "thresholds") return thresholdColor(value ?? -Infinity, config);
  return paletteColor(index);
}

// What the console does not know of a panel's fields, in words.
const KNOWN_COLOR_MODES = ["fixed", "thresholds", "palette-classic"];
const KNOWN_MATCHERS = ["byName", "byNames", "byRegexp", "byFrameRefID", "byType"];
const KNOWN_PROPERTIES = ["color", "decimals", "description", "displayName", "filterable", "links", "mappings", "max", "min", "noValue", "thresholds", "unit", "custom"];

export function fieldNotices(panel, knownCustom) {
  const found = [];
  const property = (id, value) => {
    if (id === "unit" && !knowsUnit(value)) found.push(`unit ${value}`);
    else if (id === "color" && value?.mode && !KNOWN_COLOR_MODES.includes(value.mode)) found.push(`color mode ${value.mode}`);
    else if (id === "mappings") (value || []).forEach((one) => one.type in MAPPINGS || found.push(`value mapping ${one.type}`));
    else if (id === "links" && value?.length) found.push("data links");
    else if (id.startsWith("custom.") ? !knownCustom.includes(id.slice(7).split(".")[0]) : !KNOWN_PROPERTIES.includes(id)) found.push(`option ${id}`);
  };
  const defaults = panel.fieldConfig?.defaults || {};
  for (const [id, value] of Object.entries(defaults)) property(id, value);
  for (const name of Object.keys(defaults.custom || {})) property(`custom.${name}`);
  for (const override of panel.fieldConfig?.overrides || []) {
    if (!KNOWN_MATCHERS.includes(override.matcher.id)) found.push(`override matcher ${override.matcher.id}`);
    override.properties.forEach((one) => property(one.id, one.value));
  }
  return found;
}
