// Time range, refresh and variables, at the top of a dashboard.

import { el, icon, popover, clear } from "./dom.js";
import { QUICK, REFRESHES, absolute, forInput, isRange, label, moment } from "./time.js";

export function timePicker(page) {
  const text = el("span", {});
  const button = el("button", { class: "control", title: "Time range (t)" }, icon("clock"), text, icon("down"));
  const open = popover(button, (close) => timeForm(page, close), { align: "right" });
  const group = el("div", { class: "group" },
    el("button", { class: "control square earlier", "aria-label": "Earlier", title: "Earlier ([)", onclick: () => page.shift(-1) }, icon("back")),
    open.element,
    el("button", { class: "control square later", "aria-label": "Later", title: "Later (])", onclick: () => page.shift(1) }, icon("forward")),
    el("button", { class: "control square", "aria-label": "Zoom out", title: "Zoom out (z)", onclick: page.zoomOut }, icon("zoomOut")));
  return {
    element: group,
    open: open.open,
    update: () => {
      text.textContent = label(page.state);
      button.setAttribute("aria-label", `Time range: ${text.textContent}`);
    },
  };
}

function timeForm(page, close) {
  const pick = (range) => (close(), page.setTime(range));
  const quick = QUICK.map(([from, name]) =>
    el("button", { class: "item", "aria-pressed": String(page.state.from === from && page.state.to === "now"), onclick: () => pick({ from, to: "now" }) }, `Last ${name}`));
  const field = (name, value) => el("label", {}, name, el("input", { type: "datetime-local", step: "1", value: forInput(value) }));
  const from = field("From", moment(page.state.from));
  const to = field("To", moment(page.state.to));
  const fault = el("p", { class: "fault", role: "alert" });
  const submit = (event) => {
    event.preventDefault();
    const read = (one) => new Date(one.querySelector("input").value).getTime() / 1000;
    const range = absolute(read(from), read(to));
    if (isRange(range)) return pick(range);
    fault.textContent = "The end must be later than the beginning.";
  };
  return el("div", { class: "time-form" },
    el("div", { class: "menu", role: "group", "aria-label": "Quick ranges" }, ...quick),
    el("form", { onsubmit: submit }, el("h2", {}, "From and to"), from, to, fault, el("button", { class: "control primary" }, "Apply")));
}

export function refreshPicker(page) {
  const select = el("select", { "aria-label": "Refresh every", title: "How often to ask again" });
  const state = el("span", { class: "refresh-icon" }, icon("refresh"));
  const element = el("div", { class: "group" },
    el("button", { class: "control square", "aria-label": "Refresh now", title: "Refresh now (r)", onclick: () => page.refresh() }, state), select);
  select.addEventListener("change", () => page.setRefresh(select.value));
  return {
    element,
    update: () => {
      const known = REFRESHES.includes(page.state.refresh) ? REFRESHES : [...REFRESHES, page.state.refresh];
      if (select.options.length !== known.length) clear(select).append(...known.map((one) => el("option", { value: one }, one || "Off")));
      select.value = page.state.refresh;
    },
    busy: (is) => state.classList.toggle("busy", is),
  };
}

// The pickers stay when their values change: one that is open keeps its form, and one that has the focus keeps it.
export function variablePickers(page) {
  const element = el("div", { class: "variables" });
  const pickers = new Map();
  return {
    element,
    update: (variables) => {
      const shown = variables.filter((one) => one.hide !== 2 && one.kind !== "datasource" && one.kind !== "constant");
      for (const variable of shown) {
        if (!pickers.has(variable.name)) {
          pickers.set(variable.name, variablePicker(page));
          element.append(pickers.get(variable.name).element);
        }
        pickers.get(variable.name).show(variable);
      }
    },
  };
}

function variablePicker(page) {
  let variable = null;
  const label = el("span", { class: "muted" });
  const value = el("span", { class: "variable-value" });
  const button = el("button", { class: "control variable" }, label, " ", value, icon("down"));
  const refused = el("span", { class: "refused", role: "note" });
  const element = el("div", { class: "variable-holder" }, popover(button, (close) => variableForm(page, variable, close)).element, refused);
  return {
    element,
    show: (now) => {
      variable = now;
      label.hidden = now.hide === 1;
      label.textContent = now.label;
      value.textContent = now.fault ? "unknown" : now.values.includes("$__all") ? "All" : now.values.join(", ") || "none";
      button.title = now.fault || "";
      refused.hidden = !now.refused.length;
      refused.textContent = now.refused.length ? `no ${now.refused.join(", ")} in this time` : "";
    },
  };
}

function variableForm(page, variable, close) {
  const chosen = new Set(variable.values);
  const kind = variable.multiple && variable.kind !== "interval" ? "checkbox" : "radio";
  const options = [...(variable.all ? [["$__all", "All"]] : []), ...variable.options.map((one) => [one, one])];
  const apply = () => page.setVariable(variable.name, [...chosen]);
  const inputs = options.map(([value, name]) => {
    const input = el("input", { type: kind, name: `variable-${variable.name}`, value, checked: chosen.has(value) });
    input.addEventListener("change", () => {
      if (kind === "radio") return chosen.clear(), chosen.add(value), close(), apply();
      if (value === "$__all") chosen.clear();
      else chosen.delete("$__all");
      input.checked ? chosen.add(value) : chosen.delete(value);
      if (!chosen.size && variable.all) chosen.add("$__all");
      for (const one of inputs) one.querySelector("input").checked = chosen.has(one.querySelector("input").value);
      apply();
    });
    return el("label", { class: "option" }, input, el("span", {}, name));
  });
  return el("fieldset", { class: "options" }, el("legend", { class: "hidden" }, variable.label), ...inputs, options.length ? null : el("p", { class: "note" }, "No values in this time range."));
}
