// The frame of a panel: title, notices, links, and what it shows while there is nothing to draw.

import { el, clear, icon, popover, setStyles } from "./dom.js";
import { duration } from "./units.js";
import { foreignSource, knowsKind, makeDrawing, noticesOf } from "./panels/registry.js";

export class PanelFrame {
  // `page` offers cursor, zoom, zoomOut, annotations, words, linkTo, view, inspect and say.
  constructor(document, page) {
    this.document = document;
    this.id = document.id;
    this.page = page;
    this.state = "waiting";
    this.hasQueries = (document.targets || []).some((target) => !target.hide);
    this.isForeign = this.hasQueries && foreignSource(document) !== "";
    this.notices = noticesOf(document);
    this.body = el("div", { class: "panel-body", id: `panel-body-${this.id}` });
    this.message = el("div", { class: "panel-message", hidden: true });
    this.title = el("h3", { id: `panel-title-${this.id}` }, page.words(document.title || ""));
    this.badges = el("span", { class: "panel-badges" });
    this.head = el("div", { class: "panel-head" }, this.title, el("div", { class: "panel-tools" }, this.badges, ...this.#about(), this.#menu()));
    const isNamed = Boolean(document.title);
    this.element = el(
      "div",
      {
        role: "group", class: `panel panel-${document.type}${document.transparent ? " transparent" : ""}`, id: `panel-${this.id}`, tabindex: "0",
        "aria-labelledby": isNamed ? `panel-title-${this.id}` : null, "aria-label": isNamed ? null : `Panel ${this.id}`,
      },
      this.head, this.body, this.message,
    );
    this.element.classList.toggle("untitled", !isNamed);
    this.#badges([]);
    if (!knowsKind(document.type)) this.#say("unknown", `The console does not draw panels of type “${document.type}”.`, "Grafana does, from the same file.");
    else if (this.isForeign) this.#say("unknown", `This panel asks “${foreignSource(document)}”.`, "The console asks Prometheus only.");
    else if (this.hasQueries) this.#loading();
    else this.#draw({ frames: [], errors: [] });
  }

  get isKnown() {
    return knowsKind(this.document.type) && !this.isForeign;
  }

  update(answer) {
    if (!this.isKnown) return;
    const failures = answer.errors || [];
    const hasSeries = answer.frames.some((frame) => frame.columns.length);
    this.#badges(failures, answer.frames.reduce((all, frame) => all + frame.left_out, 0));
    if (failures.length && !hasSeries) return this.#failed(failures);
    try {
      this.#draw(answer);
    } catch (failure) {
      // One panel that cannot be drawn takes no other with it.
      console.error(failure);
      this.#forget();
      return this.#failed([{ message: `The console failed to draw it: ${failure.message}` }]);
    }
    if (this.drawing.isEmpty) this.#empty();
  }

  // The dashboard's own words say what it means that there is nothing; without them the console says what it knows.
  #empty() {
    const words = this.document.fieldConfig?.defaults?.noValue;
    this.#say("empty", words || "No data", words ? "" : why(this.answer));
  }

  // The whole refresh failed: what was drawn stays and is marked as old.
  fail(failure) {
    if (this.drawing && this.state === "drawn") this.element.classList.add("stale");
    else if (this.isKnown && this.hasQueries) this.#failed([{ message: failure.message, kind: failure.status >= 400 && failure.status < 500 ? "refused" : "unreachable" }]);
  }

  retheme() {
    if (!this.drawing || !this.answer) return;
    this.#forget();
    this.update(this.answer);
  }

  describe() {
    return this.state === "drawn" ? this.drawing.describe() : this.message.textContent;
  }

  drawn() {
    return { id: this.id, type: this.document.type, title: this.document.title || "", state: this.state, notices: this.notices, message: this.message.hidden ? "" : this.message.textContent, series: this.drawing ? this.drawing.drawn() : [] };
  }

  place({ x, y, w, h }) {
    setStyles(this.element, { "--x": x + 1, "--y": y + 1, "--w": w, "--h": h });
    this.element.dataset.width = w <= 6 ? "small" : w <= 12 ? "half" : "wide";
  }

  destroy() {
    this.#forget();
    this.element.remove();
  }

  #forget() {
    this.drawing?.destroy();
    this.drawing = null;
    clear(this.body);
  }

  #draw(answer) {
    this.answer = answer;
    this.message.hidden = true;
    this.body.hidden = false;
    this.element.classList.remove("stale", "loading");
    this.element.removeAttribute("aria-busy");
    if (!this.drawing) {
      const page = this.page;
      this.drawing = makeDrawing({
        panel: this.document, body: this.body, host: this.element, cursor: page.cursor, zoom: page.zoom, zoomOut: page.zoomOut,
        annotations: page.annotations, words: page.words, say: page.say, themeVersion: page.themeVersion(),
      });
    }
    this.state = "drawn";
    if (this.hasQueries) {
      this.drawing.update(answer);
      this.body.setAttribute("role", this.document.type === "timeseries" ? "group" : "presentation");
      if (this.document.type !== "table") this.body.setAttribute("aria-label", `${this.title.textContent}. ${this.drawing.describe()}`);
      if (this.document.type === "timeseries" || this.document.type === "state-timeline") this.body.setAttribute("role", "group");
      else this.body.setAttribute("role", this.document.type === "table" ? "presentation" : "group");
    }
  }

  #loading() {
    this.state = "loading";
    this.element.classList.add("loading");
    this.element.setAttribute("aria-busy", "true");
  }

  #failed(failures) {
    const [first] = failures;
    const title = { timeout: "The query took too long", unreachable: "Prometheus does not answer", starting: "Prometheus is starting", too_large: "Too much to draw", variable: "A variable of this panel has no value" }[first.kind] || "The query failed";
    const isOne = failures.every((one) => one.message === first.message);
    this.#say("error", title, isOne ? first.message : failures.map((one) => `${one.ref}: ${one.message}`).join("\n"));
  }

  #say(state, title, text) {
    this.state = state;
    this.element.classList.remove("loading", "stale");
    this.element.removeAttribute("aria-busy");
    this.body.hidden = true;
    this.message.hidden = false;
    this.message.dataset.state = state;
    clear(this.message).append(state === "error" ? icon("warning") : "", el("strong", {}, title), el("span", {}, text));
  }

  #badges(failures, leftOut = 0) {
    clear(this.badges);
    const notes = [];
    if (this.notices.length) notes.push(["Not drawn by the console", this.notices.join("; ")]);
    if (leftOut) notes.push(["More series than can be drawn", `${leftOut} are left out.`]);
    if (failures.length) notes.push(["A query failed", failures.map((one) => `${one.ref}: ${one.message}`).join("\n")]);
    if (!notes.length) return;
    const text = notes.map(([title, detail]) => `${title}: ${detail}`).join("\n");
    const button = el("button", { class: `quiet badge ${failures.length ? "bad" : "odd"}`, "aria-label": text, title: text }, icon("warning"));
    this.badges.append(popover(button, () => el("div", { class: "note" }, ...notes.map(([title, detail]) => el("p", {}, el("strong", {}, title), el("br"), detail))), { align: "right" }).element);
  }

  #about() {
    const text = this.page.words(this.document.description || "");
    if (!text) return [];
    const button = el("button", { class: "quiet about", "aria-label": `About ${this.document.title}`, title: text }, icon("info"));
    return [popover(button, () => el("p", { class: "note" }, text), { align: "right" }).element];
  }

  #menu() {
    const links = (this.document.links || []).map((link) => ({ link, address: this.page.linkTo(link) })).filter((one) => one.address);
    const button = el("button", { class: "quiet menu-button", "aria-label": `Menu of ${this.document.title || "panel"}` }, icon("more"));
    const item = (text, act) => el("button", { class: "item", onclick: act }, text);
    return popover(
      button,
      (close) => el("div", { class: "menu" },
        item(this.page.viewed() === this.id ? "Back to the dashboard" : "Full screen", () => (close(), this.page.view(this.id))),
        this.hasQueries ? item("Queries and values", () => (close(), this.page.inspect(this))) : null,
        ...links.map(({ link }) => el("a", { class: "item", href: this.page.linkTo(link) }, icon("link"), link.title || "Link")),
      ),
      { align: "right" },
    ).element;
  }
}

// Over a long range the points are hours apart, and what is drawn may be recorded every few minutes only.
function why(answer) {
  const [frame] = answer.frames;
  if (!frame || frame.step < 300) return "Nothing was measured in this time range.";
  return `No value at any point of this range. The points are ${duration(frame.step)} apart; long ranges are drawn from series that are recorded every few minutes.`;
}
