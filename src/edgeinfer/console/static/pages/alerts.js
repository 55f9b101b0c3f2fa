// Alerts that fire or are about to, their runbooks, and silences made and ended.

import { ask } from "../api.js";
import { showStatus } from "../banner.js";
import { clear, dialog, el, icon } from "../dom.js";
import { markdown, inline } from "../markdown.js";
import { ago, duration } from "../units.js";
import { dateTime } from "../time.js";

const PERIOD_MILLISECONDS = 5000;
const HOURS = [[0.5, "30 minutes"], [1, "1 hour"], [2, "2 hours"], [4, "4 hours"], [12, "12 hours"], [24, "1 day"], [72, "3 days"], [168, "1 week"]];
// Who is called or written to; what else fires is a ticket to plan, and counted by itself, here as in the badge and the tiles.
const NOTIFIED = ["critical", "warning"];
const isHeartbeat = (rule) => rule.labels.severity === "none";

export class AlertsPage {
  constructor(app) {
    this.app = app;
    this.opened = new Set();
  }

  mount(root) {
    this.app.setTitle("Alerts", "");
    this.content = el("div", {});
    this.said = el("p", { class: "said", role: "status" });
    clear(root).append(el("div", { class: "page" }, el("h1", {}, "Alerts"), this.said, this.content));
    return this.#load();
  }

  unmount() {
    this.isGone = true;
    clearTimeout(this.timer);
  }

  async #load() {
    clearTimeout(this.timer);
    try {
      const [status, document] = await Promise.all([ask("/api/status"), ask("/api/alerts")]);
      if (this.isGone) return;
      showStatus(status);
      this.app.setFiring(status.firing);
      this.#show(document);
    } catch (failure) {
      if (this.isGone) return;
      clear(this.content).append(el("div", { class: "page-fault", role: "alert" }, el("strong", {}, failure.message), el("p", {}, failure.remedy || "")));
    }
    this.timer = setTimeout(() => this.#again(), PERIOD_MILLISECONDS);
  }

  #again() {
    if (document.hidden || document.querySelector("dialog[open]")) this.timer = setTimeout(() => this.#again(), PERIOD_MILLISECONDS);
    else this.#load();
  }

  #show(found) {
    const key = JSON.stringify(found);
    if (key === this.key) return this.#ages();
    this.key = key;
    this.silences = found.silences;
    const rules = (found.rules || []).filter((rule) => !isHeartbeat(rule));
    const by = (state) => rules.filter((rule) => rule.state === state);
    const [firing, pending, quiet] = [by("firing"), by("pending"), by("inactive")];
    const focused = document.activeElement?.id;
    clear(this.content).append(
      ...found.faults.map((fault) => el("p", { class: "fault boxed-fault", role: "alert" }, fault)),
      found.rules ? this.#summary(firing, pending, quiet, found.rules.filter(isHeartbeat)) : el("p", {}, "Whether anything fires is not known until Prometheus answers."),
      ...this.#section("Firing", firing, found), ...this.#section("Pending", pending, found),
      ...this.#silences(found), ...received(found.received), ...this.#quiet(quiet));
    if (focused) document.getElementById(focused)?.focus();
  }

  #ages() {
    for (const one of this.content.querySelectorAll("[data-since]")) one.textContent = ago(Number(one.dataset.since));
  }

  #summary(firing, pending, quiet, heartbeats) {
    const alerts = [...firing, ...pending].flatMap((rule) => rule.alerts);
    const count = (state, isNotified = true) => alerts.filter((alert) => alert.state === state && NOTIFIED.includes(alert.labels.severity) === isNotified).length;
    const part = (count, name, kind) => el("div", { class: `tally ${count ? kind : ""}` }, el("strong", {}, String(count)), el("span", {}, name));
    const beats = heartbeats.some((rule) => rule.state === "firing");
    const heart = heartbeats.length ? el("div", { class: `tally ${beats ? "good" : "critical"}` }, el("strong", {}, beats ? icon("check") : icon("warning")), el("span", {}, beats ? "alerting works" : "the heartbeat is missing")) : null;
    return el("div", { class: "tallies" }, part(count("firing"), "firing", "critical"), part(count("pending"), "pending", "warning"), part(count("firing", false), "to plan", ""), part(quiet.length, "quiet rules", ""), heart);
  }

  #section(title, rules, found) {
    if (!rules.length) return [];
    return [el("h2", {}, title), ...rules.map((rule) => this.#rule(rule, found))];
  }

  #rule(rule, found) {
    const alerts = rule.alerts.map((alert) => this.#alert(alert, rule, found));
    return el("article", { class: `alert ${rule.labels.severity || ""} ${rule.state}` },
      el("header", {}, el("span", { class: `severity ${rule.labels.severity || ""}` }, rule.labels.severity || "alert"), el("h3", {}, words(rule.name)), rule.labels.service ? el("span", { class: "muted" }, rule.labels.service) : null),
      el("ul", { class: "instances" }, ...alerts), this.#details(rule));
  }

  #alert(alert, rule, found) {
    const silence = found.silences.find((one) => alert.silenced_by.includes(one.id));
    const since = new Date(alert.since).getTime();
    const text = alert.annotations.summary || Object.entries(alert.labels).map(([name, value]) => `${name}=${value}`).join(", ");
    const button = found.can_silence && !silence ? el("button", { class: "control", id: `silence-${slug(alert.labels)}`, onclick: () => this.#ask(alert) }, icon("mute"), "Silence") : null;
    return el("li", {},
      el("div", {}, el("p", { class: "alert-summary" }, text), alert.annotations.description ? el("p", {}, alert.annotations.description) : null,
        alert.labels.session ? el("p", {}, el("a", { href: `/sessions/${encodeURIComponent(alert.labels.session)}` }, "Open its session")) : null,
        el("p", { class: "muted" }, `${alert.state} since ${dateTime(since / 1000)}, `, el("span", { "data-since": since }, ago(since)), alert.inhibited_by.length ? "; held back by another alert" : "", silence ? `; silenced until ${dateTime(new Date(silence.endsAt) / 1000)} by ${silence.createdBy}: ${silence.comment}` : "")),
      button);
  }

  #details(rule, ...title) {
    const runbook = rule.runbook ? markdown(rule.runbook.replace(/^#\s.*\n/, ""), { firstHeading: 3 }) : null;
    const link = /^https?:\/\//.test(rule.annotations.runbook_url || "") ? el("a", { href: rule.annotations.runbook_url }, "Runbook") : null;
    const isInRunbook = flat(rule.runbook || "").includes(flat(rule.expression));
    const dashboard = rule.annotations.dashboard ? el("a", { href: `/d/${rule.annotations.dashboard}` }, "Open its dashboard") : null;
    const summary = el("summary", { id: `details-${rule.name}` }, ...(title.length ? title.filter(Boolean) : [runbook ? "Runbook and rule" : "The rule"]));
    const details = el("details", { open: this.opened.has(rule.name) }, summary, dashboard ? el("p", {}, dashboard) : null, link ? el("p", {}, link) : null, runbook,
      isInRunbook ? null : el("p", { class: "muted" }, "The rule, as Prometheus runs it:"), isInRunbook ? null : el("pre", { tabindex: "0" }, el("code", {}, rule.expression)), rule.hold_seconds ? el("p", { class: "muted" }, `Fires when it has been so for ${duration(rule.hold_seconds)}.`) : null,
      rule.error ? el("p", { class: "fault" }, `The rule fails: ${rule.error}`) : null);
    details.addEventListener("toggle", () => (details.open ? this.opened.add(rule.name) : this.opened.delete(rule.name)));
    return details;
  }

  #quiet(rules) {
    if (!rules.length) return [];
    const line = (rule) => this.#details(rule, el("span", { class: `severity ${rule.labels.severity || ""}` }, rule.labels.severity || "alert"), el("span", {}, words(rule.name)), rule.error ? el("span", { class: "fault" }, "fails") : null);
    return [el("h2", {}, "Quiet"), el("ul", { class: "quiet-rules" }, ...rules.map((rule) => el("li", {}, line(rule))))];
  }

  #silences(found) {
    if (!found.silences.length) return [];
    const items = found.silences.map((one) => el("li", {},
      el("div", {}, el("p", { class: "alert-summary" }, one.matchers.map((matcher) => `${matcher.name}${matcher.isEqual === false ? "!" : ""}${matcher.isRegex ? "=~" : "="}${matcher.value}`).join(", ")),
        el("p", { class: "muted" }, `until ${dateTime(new Date(one.endsAt) / 1000)}, by ${one.createdBy}: ${one.comment}`)),
      el("button", { class: "control", id: `end-${one.id}`, onclick: () => this.#end(one) }, icon("bell"), "End")));
    return [el("h2", {}, "Silences"), el("ul", { class: "instances boxed" }, ...items)];
  }

  #ask(alert) {
    const hours = el("select", {}, ...HOURS.map(([value, name]) => el("option", { value, selected: value === 2 }, name)));
    const comment = el("input", { required: true, maxlength: 300, autofocus: true, placeholder: "for example: replacing the fan" });
    const author = el("input", { required: true, maxlength: 100, autocomplete: "name", value: remembered() });
    const fault = el("p", { class: "fault", role: "alert" });
    const labels = Object.entries(alert.labels).filter(([name]) => !["severity", "signal", "objective"].includes(name));
    const submit = async (event) => {
      event.preventDefault();
      try {
        await ask("/api/silences", { method: "POST", body: { labels: Object.fromEntries(labels), hours: Number(hours.value), comment: comment.value, author: author.value } });
        remember(author.value);
        box.close();
        this.said.textContent = `${words(alert.labels.alertname || "Alert")} is silent for ${hours.selectedOptions[0].textContent}.`;
        this.#load();
      } catch (failure) {
        fault.textContent = `${failure.message} ${failure.remedy || ""}`;
      }
    };
    const box = dialog("Silence this alert", el("p", {}, "Alertmanager sends no notification for alerts with these labels until the time is over. The alert stays visible here."),
      el("ul", { class: "labels" }, ...labels.map(([name, value]) => el("li", {}, el("code", {}, `${name}="${value}"`)))),
      el("form", { class: "form", onsubmit: submit }, el("label", {}, "For", hours), el("label", {}, "Why", comment), el("label", {}, "Your name", author), fault, el("button", { class: "control primary" }, "Silence")));
  }

  async #end(silence) {
    try {
      await ask(`/api/silences/${silence.id}`, { method: "DELETE" });
      this.said.textContent = "The silence is over.";
    } catch (failure) {
      this.said.textContent = `${failure.message} ${failure.remedy || ""}`;
    }
    this.#load();
  }
}

function received(messages) {
  if (!messages.length) return [];
  const items = messages.slice(0, 30).map((one) => el("li", {}, el("span", { class: `state ${one.status !== "firing" ? "up" : one.severity === "none" ? "" : "down"}` }, one.status), el("span", {}, el("strong", {}, words(one.alert)), " ", ...inline(one.summary), one.diagnosis ? el("a", { href: "/incidents", class: "muted" }, ` ${one.diagnosis}`) : ""), el("span", { class: "muted", "data-since": one.received * 1000 }, ago(one.received * 1000))));
  return [el("h2", {}, "Sent to the console"), el("ul", { class: "received" }, ...items)];
}

// The same text, however its lines are broken.
const flat = (text) => text.replace(/\s+/g, "");

// HailoSidecarDown reads as "Hailo sidecar down".
function words(name) {
  const text = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2");
  return text.startsWith("Edge Infer") ? `EdgeInfer${lower(text.slice(10))}` : text.charAt(0) + lower(text.slice(1));
}

const lower = (text) => text.replace(/\b([A-Z])([a-z])/g, (_, first, next) => first.toLowerCase() + next);

const slug = (labels) => Object.values(labels).join("-").replace(/[^\w-]+/g, "_");

function remembered() {
  try {
    return localStorage.getItem("edgeinfer-author") || "";
  } catch {
    return "";
  }
}

function remember(author) {
  try {
    localStorage.setItem("edgeinfer-author", author);
  } catch {
    // A browser that keeps nothing asks for the name again.
  }
}
