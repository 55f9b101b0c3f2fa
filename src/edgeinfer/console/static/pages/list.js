// Every dashboard of the folder, and every file in it that is none.

import { ask } from "../api.js";
import { showStatus } from "../banner.js";
import { el, clear } from "../dom.js";

const PERIOD_MILLISECONDS = 5000;

export class ListPage {
  constructor(app) {
    this.app = app;
  }

  async mount(root) {
    this.app.setTitle("Dashboards", "");
    this.#follow();
    try {
      const { dashboards, broken } = await this.app.list();
      clear(root).append(el("div", { class: "page" }, el("h1", {}, "Dashboards"), dashboards.length ? el("ul", { class: "cards" }, ...dashboards.map(card)) : el("p", {}, "The folder has no dashboards."), ...this.#broken(broken)));
    } catch (failure) {
      clear(root).append(el("div", { class: "page" }, el("h1", {}, "Dashboards"), el("p", { class: "fault", role: "alert" }, failure.message, " ", failure.remedy || "")));
    }
  }

  #broken(broken) {
    if (!broken.length) return [];
    const items = broken.map((one) => el("li", {}, el("code", {}, one.file), " ", one.fault));
    return [el("section", { class: "broken", role: "note" }, el("h2", {}, "Files that are no dashboards"), el("ul", {}, ...items))];
  }

  unmount() {
    this.isGone = true;
    clearTimeout(this.timer);
  }

  // The list itself is of files; what fires, and whether Prometheus answers, changes while a person looks at it.
  async #follow() {
    if (!document.hidden) await ask("/api/status").then((found) => this.isGone || (showStatus(found), this.app.setFiring(found.firing)), () => {});
    if (!this.isGone) this.timer = setTimeout(() => this.#follow(), PERIOD_MILLISECONDS);
  }
}

function card(dashboard) {
  return el("li", {}, el("a", { class: "card", href: `/d/${dashboard.uid}` }, el("strong", {}, dashboard.title), el("span", {}, dashboard.description), el("span", { class: "muted" }, `${dashboard.panels} panels`)));
}
