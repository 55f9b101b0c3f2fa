// Every dashboard of the folder, and every file in it that is none.

import { el, clear } from "../dom.js";

export class ListPage {
  constructor(app) {
    this.app = app;
  }

  async mount(root) {
    this.app.setTitle("Dashboards", "");
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

  unmount() {}
}

function card(dashboard) {
  return el("li", {}, el("a", { class: "card", href: `/d/${dashboard.uid}` }, el("strong", {}, dashboard.title), el("span", {}, dashboard.description), el("span", { class: "muted" }, `${dashboard.panels} panels`)));
}
