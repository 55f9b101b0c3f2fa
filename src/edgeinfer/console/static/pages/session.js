// One session: whose, since when, what was said of it, and what is wrong with its samples and what to do.

import { ask } from "../api.js";
import { showStatus } from "../banner.js";
import { clear, el } from "../dom.js";
import { clock, dateTime } from "../time.js";
import { duration } from "../units.js";
import { legend, span, timeline } from "./session_timeline.js";
import { age, length, seconds, words } from "./session_words.js";

const PERIOD_MILLISECONDS = 2000;
const MAX_LISTED_HOLES = 20;

export class SessionPage {
  constructor(app, id) {
    this.app = app;
    this.id = id;
    this.opened = new Set();
  }

  mount(root) {
    this.app.setTitle(`Session ${this.id.slice(0, 8)}`, "");
    this.fault = el("div", { class: "failure" });
    this.content = el("div", {}, el("p", { class: "muted" }, "Asking the gateway …"));
    clear(root).append(el("div", { class: "page session" }, el("p", {}, el("a", { href: "/sessions" }, "All sessions")), el("h1", {}, "Session ", el("code", {}, this.id.slice(0, 8))), this.fault, this.content));
    this.resized = () => this.known && this.#show();
    addEventListener("resize", this.resized);
    return this.#load();
  }

  unmount() {
    this.isGone = true;
    clearTimeout(this.timer);
    removeEventListener("resize", this.resized);
  }

  async #load() {
    const status = ask("/api/status").then((found) => this.isGone || (showStatus(found), this.app.setFiring(found.firing)), () => {});
    try {
      this.#take(await ask(`/api/sessions/${encodeURIComponent(this.id)}`));
    } catch (failure) {
      if (failure.document?.lastKnown) this.#take(failure.document.lastKnown);
      else this.failure = failure;
    }
    await status;
    if (this.isGone) return;
    this.#show();
    const isOver = this.known?.endedAt || this.failure?.status === 404 || this.failure?.status === 410;
    if (!isOver) this.timer = setTimeout(() => this.#again(), PERIOD_MILLISECONDS);
  }

  #again() {
    if (document.hidden) this.timer = setTimeout(() => this.#again(), PERIOD_MILLISECONDS);
    else this.#load();
  }

  #take(found) {
    this.known = found;
    this.failure = null;
  }

  // What is known stays while the gateway does not answer, faded and with its time, because it is not of now.
  #show() {
    const focused = document.activeElement?.id;
    const asOf = this.known && this.failure ? el("p", {}, `What follows is as of ${dateTime(moment(this.known))}.`) : null;
    clear(this.fault).append(...(this.failure ? [el("div", { class: "page-fault", role: "alert" }, el("strong", {}, this.failure.message), el("p", {}, this.failure.remedy || ""), asOf)] : []));
    this.content.classList.toggle("outdated", Boolean(this.known && this.failure));
    const parts = this.known ? this.#parts(this.known) : [];
    clear(this.content).append(...parts);
    if (focused) document.getElementById(focused)?.focus();
  }

  #parts(found) {
    const now = moment(found);
    const shared = span(found, now);
    return [
      head(found, now), ...ended(found), ...restarted(found), tallies(found),
      ...problems(found), ...found.streams.flatMap((stream) => this.#stream(stream, shared, Boolean(found.endedAt))),
      found.streams.length ? null : el("p", {}, "It has sent no samples yet."),
    ].filter(Boolean);
  }

  #stream(stream, shared, isOver) {
    const width = Math.max(300, Math.floor(this.content.clientWidth) - 30);
    const picture = stream.timeline.length || stream.holes.length
      ? [el("div", { class: "timeline boxed" }, timeline(stream, shared, width), legend(stream))]
      : [el("p", { class: "muted" }, "Nobody has asked for its motifs yet.")];
    return [el("h2", {}, stream.role), ...picture, facts(stream, isOver), this.#holes(stream), agreement(stream)].filter(Boolean);
  }

  #holes(stream) {
    if (!stream.holes.length) return null;
    const newest = stream.holes.slice(-MAX_LISTED_HOLES).reverse();
    const rows = newest.map((one) => el("tr", {}, el("th", { scope: "row" }, dateTime(seconds(one.endedAt))), el("td", {}, words(one.kind)), el("td", { class: "number" }, length(one.duration_ms)), el("td", { class: "number" }, one.from_t.toFixed(2))));
    const id = `holes-${stream.role}`;
    const details = el("details", { open: this.opened.has(id) }, el("summary", { id }, newest.length === 1 ? "The hole" : `The newest ${newest.length} holes`),
      el("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": `Holes of ${stream.role}` }, el("table", { class: "data" }, el("thead", {}, el("tr", {}, ...[["Ended"], ["Kind"], ["Length in t", "number"], ["From t", "number"]].map(([name, kind]) => el("th", { scope: "col", class: kind || null }, name)))), el("tbody", {}, ...rows))));
    details.addEventListener("toggle", () => (details.open ? this.opened.add(id) : this.opened.delete(id)));
    return details;
  }
}

// The moment of which an answer speaks.
const moment = (found) => seconds(found.endedAt || found.timestamp);

function head(found, now) {
  const roles = found.streams.map((stream) => stream.role);
  const whose = roles.length ? `${roles.join(" and ")}, ` : "";
  return el("p", { class: "lead" }, `${whose}since ${dateTime(seconds(found.startedAt))}${found.endedAt ? "" : `, for ${duration(now - seconds(found.startedAt))}`}. ${found.totalSamples.toLocaleString("en")} samples.`);
}

function ended(found) {
  return found.endedAt ? [el("p", { class: "verdict" }, el("strong", {}, `It was ${found.endReason} at ${dateTime(seconds(found.endedAt))}, after ${duration(found.duration_s)}.`), " This is what was known then.")] : [];
}

function restarted(found) {
  if (found.countedSince === found.startedAt) return [];
  return [el("p", { class: "verdict" }, `The gateway was restarted at ${dateTime(seconds(found.countedSince))}. It kept the samples; timeline, counts and what the sender said was done are known since then alone.`)];
}

function tallies(found) {
  const windows = found.streams.flatMap((stream) => stream.timeline);
  const by = windows.filter((one) => one.source === "fallback").length;
  const part = (value, name, kind = "") => el("div", { class: `tally ${kind}` }, el("strong", {}, value), el("span", {}, name));
  const ages = found.endedAt ? [] : found.streams.map((stream) => {
    const { text, kind } = age(stream.quality.newest_age_ms);
    return part(text, `newest sample of ${stream.role}`, { up: "good", down: "critical", unknown: "warning" }[kind]);
  });
  return el("div", { class: "tallies" }, ...ages, ...synchrony(found.synchrony, part),
    windows.length ? part(String(windows.length - by), "newest windows by the sidecar") : null, windows.length ? part(String(by), "by the fallback", by ? "warning" : "") : null);
}

function synchrony(found, part) {
  if (!found) return [];
  if (found.reason) return [part("–", `no synchrony: ${found.message || words(found.reason)}`, "warning")];
  const lag = found.lag_ms ? `${found.leader} ${found.lag_ms} ms ahead` : "no lag";
  return [part(found.r.toFixed(2).replace("-", "−"), `synchrony, ${lag}, confidence ${found.confidence.toFixed(2)}`)];
}

function problems(found) {
  const of = (note) => found.streams.flatMap((stream) => stream.quality.problems.filter((one) => (one.problem === "magnetometer_absent") === note).map((one) => [stream, one]));
  const box = ([stream, one]) => el("article", { class: "alert firing warning" }, el("h3", {}, found.streams.length > 1 ? `${stream.role}: ` : "", words(one.problem)), el("p", {}, one.remedy));
  const notes = of(true).map(([stream, one]) => el("p", { class: "muted" }, `${stream.role}: ${words(one.problem)}. ${one.remedy}`));
  if (!found.streams.length) return [];
  const isNow = !found.endedAt && found.streams.some((stream) => age(stream.quality.newest_age_ms).kind === "up");
  if (of(false).length) return [el("h2", {}, isNow ? "What is wrong, and what to do" : "What was wrong with its last samples, and what to do"), ...of(false).map(box), ...notes];
  return [isNow ? el("p", { class: "verdict well" }, "Nothing is wrong with its samples.") : el("p", { class: "verdict" }, "Nothing was wrong with its last samples."), ...notes];
}

function facts(stream, isOver) {
  const quality = stream.quality;
  const known = (value, text) => (value === null ? "unknown" : text(value));
  const rows = [
    ["Rate", known(quality.rate_hz, (value) => `${value} Hz`)], ["Jitter", known(quality.jitter_ms, (value) => `${value} ms`)],
    ["Clock", quality.clock_offset_s === null ? "not comparable: t does not count from 1970" : Math.abs(quality.clock_offset_s) < 1 ? "right within a second" : `${length(1000 * Math.abs(quality.clock_offset_s))} ${quality.clock_offset_s > 0 ? "behind" : "ahead"}, delay included`],
    isOver ? null : ["Newest sample", age(quality.newest_age_ms).text], ["Gaps", quality.gaps ? `${quality.gaps}, the longest ${length(quality.longest_gap_ms)}` : "none"],
    ["Dropped", count(quality.dropped)], ["Sent again", count(quality.duplicates)], ["Came late", count(quality.reordered)],
    ["Pauses", count(quality.pauses)], ["Clock jumps", count(quality.clock_jumps)], ["Accepted", `${quality.accepted.toLocaleString("en")} samples`],
  ].filter(Boolean);
  return el("dl", { class: "quality boxed" }, ...rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

const count = (value) => (value ? value.toLocaleString("en") : "none");

// What the sender says was done, and what the model said then.
function agreement(stream) {
  const found = new Map();
  for (const one of stream.timeline) if (one.activity) found.set(`${one.activity}\n${one.motif}`, (found.get(`${one.activity}\n${one.motif}`) || 0) + 1);
  if (!found.size) return null;
  const rows = [...found].sort((one, other) => other[1] - one[1]).map(([key, windows]) => {
    const [activity, motif] = key.split("\n");
    return el("tr", {}, el("th", { scope: "row" }, words(activity)), el("td", {}, words(motif)), el("td", { class: "number" }, String(windows)));
  });
  return el("div", { class: "table-scroll agreement", tabindex: "0", role: "region", "aria-label": `What was done and said of ${stream.role}` }, el("table", { class: "data" }, el("thead", {}, el("tr", {}, ...[["Done"], ["Said"], ["Windows", "number"]].map(([name, kind]) => el("th", { scope: "col", class: kind || null }, name)))), el("tbody", {}, ...rows)));
}
