// One line above everything, when what the pages show is not what it seems or cannot be had.

import { el, clear, icon } from "./dom.js";

const holder = document.getElementById("banner");
let countdown = 0;
let shown = "";

export function showStatus(status) {
  const [kind, title, text] = banner(status);
  const key = `${kind}${title}${text}`;
  if (key === shown && kind !== "collecting") return;
  shown = key;
  clearInterval(countdown);
  clear(holder);
  if (!kind) return;
  const words = el("span", {}, text);
  holder.append(el("div", { class: `banner ${kind}` }, icon(kind === "bad" || kind === "stub" ? "warning" : "info"), el("strong", {}, title), words));
  if (kind === "collecting" && status.first_data_seconds) count(words, status.first_data_seconds);
}

function banner(status) {
  switch (status.prometheus) {
    case "ok": return silent(status) || stub(status);
    case "collecting": return silent(status) || ["collecting", "Collecting", status.first_data_seconds ? "" : status.message];
    case "starting": return ["collecting", "Prometheus is starting", status.message];
    case "console": return ["bad", "The console does not answer", status.message];
    default: return ["bad", "Prometheus does not answer", status.message];
  }
}

function silent(status) {
  return status.no_alert_can_fire ? ["bad", "No alert can fire", status.no_alert_can_fire + "."] : null;
}

function stub(status) {
  const kinds = (status.backends || []).map((one) => one.backend);
  if (!kinds.includes("stub")) return ["", "", ""];
  const rest = kinds.length > 1 ? "At least one sidecar answers" : "The sidecar answers";
  return ["stub", "Synthetic results", `${rest} from a stub, not from a model. Nothing here says anything about a device.`];
}

function count(words, seconds) {
  const until = Date.now() + seconds * 1000;
  const write = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    words.textContent = left > 0 ? `first data in ${left} s` : "first data any moment";
  };
  write();
  countdown = setInterval(write, 1000);
}
