// The sessions that the gateway has now, the newest first, and those that ended lately.

import { ask } from "../api.js";
import { showStatus } from "../banner.js";
import { clear, el } from "../dom.js";
import { dateTime } from "../time.js";
import { duration } from "../units.js";
import { age, seconds, words } from "./session_words.js";

const PERIOD_MILLISECONDS = 5000;

export class SessionsPage {
  constructor(app) {
    this.app = app;
  }

  mount(root) {
    this.app.setTitle("Sessions", "");
    this.content = el("div", {}, el("p", { class: "muted" }, "Asking the gateway …"));
    const find = el("form", { class: "find", role: "search", onsubmit: (event) => this.#find(event) },
      el("label", {}, el("span", { class: "hidden" }, "Id of a session"), el("input", { name: "id", required: true, maxlength: 64, pattern: "[0-9A-Za-z\\-]+", placeholder: "id, or its first 8 characters", autocomplete: "off", spellcheck: "false" })),
      el("button", { class: "control" }, "Open"));
    clear(root).append(el("div", { class: "page" }, el("div", { class: "page-head" }, el("h1", {}, "Sessions"), find), el("p", { class: "lead" }, "Phones and collars that send samples to the gateway, the newest first."), this.content));
    return this.#load();
  }

  unmount() {
    this.isGone = true;
    clearTimeout(this.timer);
  }

  #find(event) {
    event.preventDefault();
    this.app.go(`/sessions/${encodeURIComponent(event.target.elements.id.value.trim())}`);
  }

  async #load() {
    const status = ask("/api/status").then((found) => this.isGone || (showStatus(found), this.app.setFiring(found.firing)), () => {});
    try {
      const found = await ask("/api/sessions");
      await status;
      if (this.isGone) return;
      const focused = document.activeElement?.id;
      clear(this.content).append(...shown(found));
      if (focused) document.getElementById(focused)?.focus();
    } catch (failure) {
      if (this.isGone) return;
      clear(this.content).append(el("div", { class: "page-fault", role: "alert" }, el("strong", {}, failure.message), el("p", {}, failure.remedy || "")));
    }
    this.timer = setTimeout(() => this.#again(), PERIOD_MILLISECONDS);
  }

  #again() {
    if (document.hidden) this.timer = setTimeout(() => this.#again(), PERIOD_MILLISECONDS);
    else this.#load();
  }
}

function shown(found) {
  const now = seconds(found.timestamp);
  const left = found.total - found.sessions.length;
  const rows = found.sessions.map((one) => row(one, [
    ["Newest samples", freshness(one.newest_age_ms)], ["Says now", motifs(one.streams)], ["Problems", problems(one.streams)],
    ["Since", `${dateTime(seconds(one.startedAt))}, for ${duration(now - seconds(one.startedAt))}`], ["Samples", one.totalSamples.toLocaleString("en"), "number"], ["By fallback", fallback(one.streams), "number"]]));
  const ended = found.ended.map((one) => row(one, [
    ["Ended", `${dateTime(seconds(one.endedAt))}, ${one.endReason}`], ["Problems at its end", problems(one.streams)],
    ["Lasted", duration(one.duration_s)], ["Samples", one.totalSamples.toLocaleString("en"), "number"], ["By fallback", fallback(one.streams), "number"]]));
  return [
    rows.length ? table("Sessions", rows) : el("p", {}, "No session is under way. A phone begins one with POST /api/v1/analysis/start; ", el("code", {}, "edgeinfer replay"), " plays a recorded one."),
    left > 0 ? el("p", { class: "muted" }, `${left} more began before these; open one by its id.`) : null,
    ...(ended.length ? [el("h2", {}, "Ended lately"), table("Sessions that ended lately", ended), el("p", { class: "muted" }, "Kept in the gateway's memory until it restarts, the newest hundred.")] : []),
  ].filter(Boolean);
}

function row(one, cells) {
  const roles = one.streams.map((stream) => stream.role).join(", ") || "no samples yet";
  return [el("th", { scope: "row", "data-label": "Session" }, el("a", { href: `/sessions/${one.session}`, id: `session-${one.session}` }, el("code", {}, one.session)), " ", el("span", { class: "muted" }, roles)),
    ...cells.map(([name, value, kind]) => el("td", { "data-label": name, class: kind || null }, value))];
}

function table(name, rows) {
  const head = rows[0].map((cell) => el("th", { scope: "col", class: cell.className || null }, cell.dataset.label));
  return el("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": name }, el("table", { class: "data stacked" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells)))));
}

function freshness(milliseconds) {
  const { text, kind } = age(milliseconds);
  return el("span", { class: `state ${kind}` }, text);
}

const motifs = (streams) => streams.filter((one) => one.motif).map((one) => words(one.motif)).join(", ") || el("span", { class: "muted" }, "not asked");

function problems(streams) {
  const found = streams.flatMap((one) => one.problems.filter((problem) => problem !== "magnetometer_absent").map((problem) => (streams.length > 1 ? `${one.role}: ${words(problem)}` : words(problem))));
  return found.length ? el("span", { class: "fault" }, found.join(", ")) : el("span", { class: "muted" }, "none");
}

function fallback(streams) {
  const [all, by] = [streams.flatMap((one) => Object.values(one.windows)), streams.map((one) => one.windows.fallback || 0)].map((counts) => counts.reduce((sum, count) => sum + count, 0));
  return all ? `${by} of ${all}` : "–";
}
