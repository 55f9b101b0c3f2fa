// Rows of an instant query: a column for each label and for each value.

import { el, clear, icon } from "../dom.js";
import { display, displayText, fieldConfig, fieldNotices, thresholdColor } from "../fields.js";
import { inkOn, namedColor, readable } from "../theme.js";
import { dateTime } from "../time.js";

const CUSTOM = ["align", "cellOptions", "displayMode", "filterable", "footer", "hidden", "hideFrom", "inspect", "minWidth", "width", "wrapHeaderText"];
const TRANSFORMATIONS = ["organize", "merge", "sortBy", "filterFieldsByName", "limit"];
const MAX_ROWS = 500;

export function notices(panel) {
  const unknown = (panel.transformations || []).filter((one) => !TRANSFORMATIONS.includes(one.id));
  return [...fieldNotices(panel, CUSTOM), ...unknown.map((one) => `transformation ${one.id}`)];
}

export class Table {
  constructor(context) {
    this.context = context;
    const [first] = context.panel.options?.sortBy || [];
    this.sort = first ? { name: first.displayName, descending: Boolean(first.desc) } : null;
    this.element = el("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": `Rows of ${context.panel.title || "the table"}` });
    context.body.append(this.element);
  }

  update(answer) {
    this.answer = answer;
    const { columns, rows } = tableOf(this.context.panel, answer);
    this.columns = columns;
    this.rows = this.#sorted(rows);
    clear(this.element).append(this.#table());
  }

  get isEmpty() {
    return !this.rows?.length;
  }

  describe() {
    return `${this.rows.length} rows`;
  }

  drawn() {
    return this.columns.map((column) => ({ name: column.title, values: this.rows.map((row) => row[column.name] ?? null), texts: this.rows.map(column.text) }));
  }

  destroy() {}

  #sorted(rows) {
    const column = this.sort && this.columns.find((one) => one.title === this.sort.name || one.name === this.sort.name);
    if (!column) return rows;
    return [...rows].sort((a, b) => compare(a[column.name], b[column.name]) * (this.sort.descending ? -1 : 1));
  }

  #table() {
    const head = el("tr", {}, ...this.columns.map((column) => this.#head(column)));
    const body = this.rows.slice(0, MAX_ROWS).map((row) => el("tr", {}, ...this.columns.map((column) => this.#cell(row, column))));
    const isHeadShown = this.context.panel.options?.showHeader !== false;
    return el("table", { class: "data" }, isHeadShown ? el("thead", {}, head) : null, el("tbody", {}, ...body));
  }

  #head(column) {
    const isSorted = this.sort?.name === column.title;
    const order = isSorted ? (this.sort.descending ? "descending" : "ascending") : "none";
    const button = el("button", { class: "sort" }, column.title, isSorted ? icon("down") : null);
    button.addEventListener("click", () => {
      this.sort = { name: column.title, descending: isSorted && !this.sort.descending };
      this.update(this.answer);
      [...this.element.querySelectorAll("button.sort")].find((one) => one.textContent === column.title)?.focus();
    });
    return el("th", { scope: "col", "aria-sort": order, class: column.isNumber ? "number" : null }, button);
  }

  #cell(row, column) {
    const value = row[column.name];
    const cell = el("td", { class: column.isNumber ? "number" : null }, column.text(row));
    const style = column.config.custom.cellOptions?.type || column.config.custom.displayMode;
    const shown = display(value ?? null, column.config);
    const color = shown.color || (typeof value === "number" && style ? cellColor(value, column.config) : "");
    if (color && style === "color-background") {
      cell.style.setProperty("background", color);
      cell.style.setProperty("color", inkOn(color));
    } else if (color && (style === "color-text" || shown.mapped)) cell.style.setProperty("color", readable(color));
    return cell;
  }
}

const cellColor = (value, config) => (config.color?.mode === "fixed" ? namedColor(config.color.fixedColor) : thresholdColor(value, config));

// The shown columns, each with its configuration and the text of its cells, and all rows.
export function tableOf(panel, answer) {
  const { columns, rows } = transformed(panel, rowsOf(answer));
  const shown = columns
    .map((name) => ({ name, isNumber: isNumeric(rows, name), config: fieldConfig(panel, { name, kind: isNumeric(rows, name) ? "number" : "string", ref: "" }) }))
    .filter((column) => !(column.config.custom.hidden || column.config.custom.hideFrom?.viz))
    .map((column) => ({ ...column, title: column.config.displayName || column.name, text: (row) => cellText(row[column.name], column) }));
  return { columns: shown, rows };
}

function cellText(value, { name, config }) {
  if (name === "Time" && typeof value === "number" && !config.unit?.startsWith("dateTime")) return dateTime(value / 1000);
  return value === undefined || value === null ? config.noValue || "–" : displayText(value, config);
}

const transformed = (panel, table) =>
  (panel.transformations || []).filter((one) => !one.disabled).reduce((found, one) => (APPLY[one.id] ? APPLY[one.id](found, one.options || {}) : found), table);

function rowsOf(answer) {
  const many = answer.frames.length > 1;
  const columns = new Set(["Time"]);
  const merged = new Map();
  for (const frame of answer.frames) {
    const name = many ? `Value #${frame.ref}` : "Value";
    frame.labels.forEach((labels, place) => {
      const key = JSON.stringify(Object.entries(labels).filter(([label]) => label !== "__name__").sort());
      const row = merged.get(key) || merged.set(key, { Time: frame.start * 1000 }).get(key);
      const known = many ? Object.fromEntries(Object.entries(labels).filter(([label]) => label !== "__name__")) : labels;
      Object.assign(row, known, { [name]: frame.columns[place].findLast((one) => one !== null) ?? null });
      Object.keys(known).sort().forEach((label) => columns.add(label));
    });
  }
  answer.frames.forEach((frame) => columns.add(many ? `Value #${frame.ref}` : "Value"));
  return { columns: [...columns], rows: [...merged.values()] };
}

const APPLY = {
  merge: (table) => table,
  organize: ({ columns, rows }, options) => {
    const order = options.indexByName || {};
    const kept = columns.filter((name) => !options.excludeByName?.[name]).sort((a, b) => (order[a] ?? 999) - (order[b] ?? 999));
    const renamed = (name) => options.renameByName?.[name] || name;
    return { columns: kept.map(renamed), rows: rows.map((row) => Object.fromEntries(kept.map((name) => [renamed(name), row[name]]))) };
  },
  sortBy: ({ columns, rows }, options) => {
    const [by] = options.sort || [];
    return { columns, rows: by ? [...rows].sort((a, b) => compare(a[by.field], b[by.field]) * (by.desc ? -1 : 1)) : rows };
  },
  filterFieldsByName: ({ columns, rows }, options) => {
    const names = options.include?.names;
    return { columns: names ? columns.filter((name) => names.includes(name)) : columns, rows };
  },
  limit: ({ columns, rows }, options) => ({ columns, rows: rows.slice(0, Number(options.limitField ?? 10)) }),
};

const isNumeric = (rows, name) => rows.some((row) => typeof row[name] === "number");

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one ?? "").localeCompare(String(other ?? ""), undefined, { numeric: true });
}
