// Keys that work anywhere on the page, and the dialog that lists them.

import { el, dialog } from "./dom.js";

const EVERYWHERE = [
  ["?", "This list"], ["d", "Dashboards"], ["a", "Alerts"], ["g", "Targets"], ["i", "Incidents"], ["s", "Sessions"],
];
const ON_DASHBOARDS = [
  ["r", "Refresh now"], ["t", "Choose the time range"], ["z", "Zoom out"], ["[ and ]", "Earlier, later"],
  ["j and k", "Next, previous panel"], ["v", "Full screen of the focused panel, and back"], ["i", "Queries and values of the focused panel"],
  ["e", "Open all rows, or collapse them"], ["← and →", "Move along the focused graph; with Shift by ten"], ["Esc", "Leave the full screen"],
];

export function helpDialog() {
  const list = (rows) => el("dl", { class: "keys" }, ...rows.flatMap(([keys, text]) => [el("dt", {}, ...keys.split(" ").map((key) => (key === "and" ? " and " : el("kbd", {}, key)))), el("dd", {}, text)]));
  dialog("Keyboard", el("h3", {}, "Everywhere"), list(EVERYWHERE), el("h3", {}, "On a dashboard"), list(ON_DASHBOARDS),
    el("p", { class: "muted" }, "Drag over a graph to zoom in, double-click to zoom out. A click on a name in a legend shows it alone."));
}

export function listen(act) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, dialog, [contenteditable]")) return;
    if (act(event.key, event)) event.preventDefault();
  });
}
