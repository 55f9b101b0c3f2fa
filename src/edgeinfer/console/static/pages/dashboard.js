// A dashboard: its panels on their grid, one question to the server for each refresh, and the address that holds it all.

import { ask, part } from "../api.js";
import { showStatus } from "../banner.js";
import { Cursor } from "../cursor.js";
import { clear, el, icon } from "../dom.js";
import { layout, sections } from "../grid.js";
import { readState, resolveLink, writeState } from "../location.js";
import { PanelFrame } from "../panel.js";
import { prepare } from "../panels/registry.js";
import { valuesOf } from "../series.js";
import { refreshPicker, timePicker, variablePickers } from "../pickers.js";
import { onThemeChange } from "../theme.js";
import { absolute, isRange, seconds, shifted, zoomedOut } from "../time.js";

const MIN_PAUSE_MILLISECONDS = 1000;
const NEAR = "400px 0px";
// The server answers so many panels at a time.
const MAX_PANELS = 100;

export class DashboardPage {
  constructor(uid, app) {
    this.uid = uid;
    this.app = app;
    this.frames = new Map();
    this.visible = new Set();
    this.hiddenAnnotations = new Set();
    this.events = [];
    this.variables = [];
    this.themes = 0;
    this.refreshes = 0;
    this.cursor = new Cursor();
    this.zoom = (from, to) => this.setTime(absolute(from, to));
    this.zoomOut = () => this.setTime(zoomedOut(this.state));
  }

  async mount(root) {
    this.root = root;
    this.stop = new AbortController();
    root.append(el("p", { class: "page-loading" }, "Loading the dashboard"));
    try {
      this.document = await ask(`/api/dashboards/${encodeURIComponent(this.uid)}`, { signal: this.stop.signal });
      await prepare(this.document.panels.flatMap((panel) => [panel, ...(panel.panels || [])]).map((panel) => panel.type));
    } catch (failure) {
      if (this.stop.signal.aborted) return;
      return clear(root).append(el("div", { class: "page-fault" }, el("h1", {}, "This dashboard cannot be shown"), el("p", {}, failure.message, " ", failure.remedy || ""), el("a", { href: "/" }, "All dashboards")));
    }
    if (this.stop.signal.aborted) return;
    this.defaults = { from: this.document.time?.from || "now-1h", to: this.document.time?.to || "now", refresh: this.document.refresh || "" };
    this.state = this.#readState();
    this.#build();
    this.unlisten = onThemeChange(() => this.#retheme());
    this.onVisibility = () => document.hidden || this.#schedule(0);
    document.addEventListener("visibilitychange", this.onVisibility);
  }

  unmount() {
    this.isGone = true;
    this.stop?.abort();
    this.underWay?.abort();
    clearTimeout(this.timer);
    this.observer?.disconnect();
    this.unlisten?.();
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.frames.forEach((frame) => frame.destroy());
    this.frames.clear();
  }

  // ---- what can be changed

  setTime(range) {
    if (!isRange(range)) return;
    this.#change({ from: range.from, to: range.to });
  }

  setRefresh(text) {
    this.#change({ refresh: text });
  }

  setVariable(name, values) {
    this.#change({ variables: { ...this.state.variables, [name]: values } });
  }

  shift(direction) {
    this.setTime(shifted(this.state, direction));
  }

  view(id) {
    this.#change({ viewed: this.state.viewed === id ? null : id });
  }

  // The address changed under us: back, forward.
  navigate() {
    if (!this.document) return;
    this.state = this.#readState();
    this.#arrange();
    this.refresh();
  }

  #readState() {
    const state = readState(this.defaults);
    if (!isRange(state)) Object.assign(state, { from: this.defaults.from, to: this.defaults.to });
    return state;
  }

  #change(part) {
    this.state = { ...this.state, ...part };
    history.pushState(null, "", writeState(location.pathname, this.state, this.defaults));
    if ("viewed" in part) this.#arrange();
    this.refresh();
  }

  // ---- asking

  refresh() {
    this.#ask([...this.visible]);
  }

  async #ask(ids) {
    this.underWay?.abort();
    const asking = (this.underWay = new AbortController());
    clearTimeout(this.timer);
    clearTimeout(this.soon);
    this.time.update();
    this.refreshing.update();
    this.refreshing.busy(true);
    const asked = ids.filter((id) => this.frames.get(id)?.hasQueries);
    const panels = asked.map((id) => ({ id, width: Math.round(this.frames.get(id).element.clientWidth) || 600 }));
    const parts = [panels.slice(0, MAX_PANELS)];
    while (parts.length * MAX_PANELS < panels.length) parts.push(panels.slice(parts.length * MAX_PANELS, (parts.length + 1) * MAX_PANELS));
    const variables = Object.fromEntries(Object.entries(this.state.variables).filter(([name]) => this.variableNames.has(name)));
    const began = performance.now();
    try {
      for (const some of parts) {
        const answer = await ask(`/api/dashboards/${encodeURIComponent(this.uid)}/refresh`, { method: "POST", signal: asking.signal, body: { from: this.state.from, to: this.state.to, panels: some, variables } });
        if (!asking.signal.aborted) this.#show(answer);
      }
    } catch (failure) {
      if (asking.signal.aborted) return;
      this.#failed(failure);
    }
    this.refreshes += 1;
    this.refreshing.busy(false);
    this.#schedule(Math.max(MIN_PAUSE_MILLISECONDS, seconds(this.state.refresh) * 1000 - (performance.now() - began)));
  }

  #show(answer) {
    this.events = answer.annotations.filter((event) => !event.error && !this.hiddenAnnotations.has(event.name));
    this.allEvents = answer.annotations;
    this.variables = answer.variables;
    this.loadedKey = this.#key();
    this.pickers.update(answer.variables);
    showStatus(answer.status);
    this.app.setFiring(answer.status.firing);
    this.frames.forEach((frame) => (frame.title.textContent = this.words(frame.document.title || "")));
    for (const [id, panel] of Object.entries(answer.panels)) {
      const frame = this.frames.get(Number(id));
      if (!frame) continue;
      frame.loadedKey = this.loadedKey;
      for (const one of panel.frames) one.columns = one.columns.map(valuesOf);
      frame.update(panel);
    }
    this.#annotationToggles();
    this.updated.textContent = "";
  }

  #failed(failure) {
    this.frames.forEach((frame) => this.visible.has(frame.id) && frame.fail(failure));
    if (failure.status === 0 || failure.status === undefined) showStatus({ prometheus: "console", message: `${failure.message} ${failure.remedy || ""}` });
    else this.say(`${failure.message} ${failure.remedy || ""}`);
    if (failure.status >= 400 && failure.status < 500) this.updated.textContent = `${failure.message} ${failure.remedy || ""}`;
  }

  #schedule(milliseconds) {
    clearTimeout(this.timer);
    if (this.isGone || document.hidden || (!seconds(this.state.refresh) && milliseconds)) return;
    this.timer = setTimeout(() => this.refresh(), milliseconds);
  }

  // A panel came into view: it is asked for soon, together with others that did.
  #wanted() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => {
      const missing = [...this.visible].filter((id) => this.frames.get(id)?.hasQueries && this.frames.get(id).loadedKey !== this.#key());
      if (missing.length || !this.refreshes) this.#ask([...this.visible]);
    }, 40);
  }

  #key() {
    return JSON.stringify([this.state.from, this.state.to, this.state.variables]);
  }

  // ---- building

  #build() {
    this.app.setTitle(this.document.title, this.uid);
    this.variableNames = new Set((this.document.templating?.list || []).map((one) => one.name));
    this.sections = sections(this.document.panels);
    this.time = timePicker(this);
    this.refreshing = refreshPicker(this);
    this.pickers = variablePickers(this);
    this.toggles = el("div", { class: "toggles" });
    this.updated = el("p", { class: "fault", role: "alert" });
    this.live = el("p", { class: "hidden", "aria-live": "polite" });
    this.grid = el("div", { class: "grid" });
    const about = this.document.description ? el("p", { class: "about-dashboard" }, this.document.description) : null;
    clear(this.root).append(
      el("div", { class: "dashboard-head" },
        el("div", { class: "dashboard-title" }, el("h1", {}, this.document.title), about),
        el("div", { class: "dashboard-controls" }, this.time.element, this.refreshing.element)),
      el("div", { class: "dashboard-bar" }, this.pickers.element, this.toggles, this.#links()),
      this.updated, this.live, this.grid);
    this.observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: NEAR });
    this.#arrange();
    this.time.update();
    this.refreshing.update();
    // Where every row is collapsed no panel comes into view, but variables and state are wanted all the same.
    if (!this.frames.size) this.refresh();
  }

  #links() {
    const element = el("nav", { class: "dashboard-links", "aria-label": "Related dashboards" });
    this.app.dashboards().then((dashboards) => {
      for (const link of this.document.links || []) {
        const targets = link.type === "dashboards"
          ? dashboards.filter((dashboard) => dashboard.uid !== this.uid && (link.tags || []).every((tag) => dashboard.tags.includes(tag))).map((dashboard) => ({ ...link, type: "link", title: dashboard.title, url: `/d/${dashboard.uid}` }))
          : [link];
        for (const target of targets) {
          if (!this.linkTo(target)) continue;
          const anchor = el("a", { href: this.linkTo(target) }, target.title || "Link");
          const renew = () => (anchor.href = this.linkTo(target));
          anchor.addEventListener("pointerdown", renew);
          anchor.addEventListener("focus", renew);
          element.append(anchor);
        }
      }
    });
    return element;
  }

  #annotationToggles() {
    const names = (this.document.annotations?.list || []).filter((one) => one.enable !== false && !one.hide && (one.expr || one.target?.expr)).map((one) => one.name);
    if (this.toggles.childElementCount === names.length) return;
    clear(this.toggles).append(...names.map((name) => {
      const input = el("input", { type: "checkbox", checked: !this.hiddenAnnotations.has(name) });
      input.addEventListener("change", () => {
        input.checked ? this.hiddenAnnotations.delete(name) : this.hiddenAnnotations.add(name);
        this.refresh();
      });
      return el("label", { class: "toggle" }, input, name);
    }));
  }

  #arrange() {
    this.observer.disconnect();
    this.visible.clear();
    const { viewed } = this.state;
    const { rows, panels } = layout(this.sections, (row) => this.#isFolded(row));
    const shown = new Set(viewed ? [viewed] : panels.map((one) => one.panel.id));
    for (const [id, frame] of this.frames) if (!shown.has(id)) frame.destroy(), this.frames.delete(id);
    this.grid.classList.toggle("viewing", Boolean(viewed));
    const found = viewed ? this.#viewed(viewed) : [...rows.map((one) => [one.y, this.#row(one)]), ...panels.map((one) => [one.y + one.x / 100, this.#placed(one)])];
    found.sort((a, b) => a[0] - b[0]);
    const focused = document.activeElement?.id;
    this.grid.replaceChildren(...found.map(([, element]) => element));
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
    this.frames.forEach((frame) => this.observer.observe(frame.element));
  }

  #viewed(id) {
    const panel = this.sections.flatMap((section) => section.panels).find((one) => one.id === id);
    if (!panel) return [[0, el("p", { class: "page-fault" }, "This dashboard has no such panel. ", el("a", { href: `/d/${this.uid}` }, "Show all"))]];
    const back = el("button", { class: "control back", onclick: () => this.view(id) }, icon("back"), "All panels");
    return [[0, back], [1, this.#placed({ panel, x: 0, y: 1, w: 24, h: 20 })]];
  }

  #row({ row, y }) {
    const isFolded = this.#isFolded(row);
    const count = this.sections.find((section) => section.row === row).panels.length;
    const button = el("button", { class: "row-button", id: `row-${row.id}`, "aria-expanded": String(!isFolded) }, icon("down"), this.words(row.title || ""), isFolded ? el("span", { class: "muted" }, ` ${count} panels`) : null);
    button.addEventListener("click", () => this.#fold([row], !isFolded));
    return el("h2", { class: "row", style: { "--y": y + 1 } }, button);
  }

  #isFolded(row) {
    return Boolean(row.collapsed) !== this.state.rows.includes(row.id);
  }

  #fold(rows, isFolded) {
    const turned = rows.filter((row) => this.#isFolded(row) !== isFolded).map((row) => row.id);
    const others = this.state.rows.filter((id) => !turned.includes(id));
    this.state.rows = [...others, ...turned.filter((id) => !this.state.rows.includes(id))];
    // So that a reload, or whoever gets the address, finds the same rows open.
    history.replaceState(null, "", writeState(location.pathname, this.state, this.defaults));
    this.#arrange();
  }

  #placed(place) {
    let frame = this.frames.get(place.panel.id);
    if (!frame) {
      frame = new PanelFrame(place.panel, this.#forPanels());
      this.frames.set(frame.id, frame);
    }
    frame.place(place);
    return frame.element;
  }

  #forPanels() {
    this.offered ||= {
      cursor: this.cursor, zoom: this.zoom, zoomOut: this.zoomOut, annotations: () => this.events, words: (text) => this.words(text),
      linkTo: (link) => this.linkTo(link), view: (id) => this.view(id), viewed: () => this.state.viewed, inspect: (frame) => this.#inspect(frame), say: (text) => this.say(text), themeVersion: () => this.themes,
    };
    return this.offered;
  }

  #seen(entries) {
    for (const entry of entries) {
      const id = Number(entry.target.id.slice(6));
      entry.isIntersecting ? this.visible.add(id) : this.visible.delete(id);
    }
    this.#wanted();
  }

  #retheme() {
    this.themes += 1;
    this.frames.forEach((frame) => frame.retheme());
  }

  // ---- for panels

  // Titles and texts with the variables' values in them.
  words(text) {
    return text.replace(/\$\{(\w+)(?::\w+)?\}|\$(\w+)/g, (whole, braced, bare) => {
      const variable = this.variables.find((one) => one.name === (braced || bare));
      if (!variable) return whole;
      return variable.values.includes("$__all") ? "All" : variable.values.join(", ");
    });
  }

  linkTo(link) {
    return resolveLink(link, { ...this.state, variables: this.#chosen() }, (text) => this.words(text));
  }

  #chosen() {
    return Object.fromEntries(this.variables.filter((one) => one.kind !== "datasource" && one.kind !== "constant" && one.hide !== 2).map((one) => [one.name, [...one.values]]));
  }

  async #inspect(frame) {
    try {
      (await part(import("../inspect.js"))).inspect(frame);
    } catch (failure) {
      this.#failed(failure);
    }
  }

  say(text) {
    this.live.textContent = text;
  }

  // ---- keys and tests

  key(key) {
    if (!this.document || !this.time) return false;
    const focused = document.activeElement?.closest?.(".panel");
    const frame = focused && this.frames.get(Number(focused.id.slice(6)));
    const acts = {
      r: () => this.refresh(), t: () => this.time.open(), z: this.zoomOut, "[": () => this.shift(-1), "]": () => this.shift(1),
      j: () => this.#focus(1), k: () => this.#focus(-1), e: () => this.#foldAll(),
      v: () => (this.state.viewed ? this.view(this.state.viewed) : frame && this.view(frame.id)), i: () => frame?.hasQueries && this.#inspect(frame),
      Escape: () => this.state.viewed && this.view(this.state.viewed),
    };
    if (!(key in acts)) return false;
    acts[key]();
    return true;
  }

  #focus(direction) {
    const panels = [...this.grid.querySelectorAll(".panel")];
    const now = panels.indexOf(document.activeElement?.closest?.(".panel"));
    const next = panels[Math.max(0, Math.min(panels.length - 1, now + direction))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  #foldAll() {
    const rows = this.sections.filter((section) => section.row).map((section) => section.row);
    this.#fold(rows, !rows.some((row) => this.#isFolded(row)));
  }

  get isSettled() {
    return this.refreshes > 0 && [...this.visible].every((id) => this.frames.get(id)?.state !== "loading");
  }

  drawn() {
    return [...this.frames.values()].map((frame) => frame.drawn());
  }
}
