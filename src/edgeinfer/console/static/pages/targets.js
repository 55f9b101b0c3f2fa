// What Prometheus scrapes: state, last error, last scrape.

import { ask } from "../api.js";
import { showStatus } from "../banner.js";
import { el, clear } from "../dom.js";
import { ago, format } from "../units.js";

const PERIOD_MILLISECONDS = 5000;

export class TargetsPage {
  constructor(app) {
    this.app = app;
  }

  mount(root) {
    this.app.setTitle("Targets", "");
    this.content = el("div", {});
    clear(root).append(el("div", { class: "page" }, el("h1", {}, "Targets"), el("p", { class: "lead" }, "Processes that Prometheus scrapes, those that are down first."), this.content));
    return this.#load();
  }

  unmount() {
    this.isGone = true;
    clearTimeout(this.timer);
  }

  async #load() {
    try {
      const [status, { targets }] = await Promise.all([ask("/api/status"), ask("/api/targets")]);
      if (this.isGone) return;
      showStatus(status);
      this.app.setFiring(status.firing);
      clear(this.content).append(targets.length ? table(targets) : el("p", {}, "Prometheus scrapes nothing."));
    } catch (failure) {
      if (this.isGone) return;
      clear(this.content).append(el("div", { class: "page-fault", role: "alert" }, el("strong", {}, failure.message), el("p", {}, failure.remedy || "")));
      ask("/api/status").then(showStatus).catch(() => {});
    }
    this.timer = setTimeout(() => (document.hidden ? (this.timer = setTimeout(() => this.#load(), PERIOD_MILLISECONDS)) : this.#load()), PERIOD_MILLISECONDS);
  }
}

const WORDS = { up: "Up", down: "Down", unknown: "Not asked yet" };

function table(targets) {
  const head = ["State", "Job", "Instance", "Last scrape", "Took", "Last error"].map((name) => el("th", { scope: "col" }, name));
  const rows = targets.map((one) => el("tr", {},
    el("td", { "data-label": "State" }, el("span", { class: `state ${one.health}` }, WORDS[one.health] || one.health)),
    el("th", { scope: "row", "data-label": "Job" }, one.job),
    el("td", { "data-label": "Instance" }, el("code", {}, one.instance)),
    el("td", { "data-label": "Last scrape" }, one.last_scrape.startsWith("0001") ? "never" : ago(new Date(one.last_scrape).getTime())),
    el("td", { "data-label": "Took" }, one.duration_seconds ? format(one.duration_seconds, "s") : "–"),
    el("td", { "data-label": "Last error", class: one.error ? "fault" : "muted" }, one.error || "none")));
  return el("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Targets" }, el("table", { class: "data stacked" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)));
}
