// The page: which content stands under which address, the bar above it, and keys that work everywhere.

import { ask, part, traffic } from "./api.js";
import { showStatus } from "./banner.js";
import { clear, el, icon, svg } from "./dom.js";
import { DashboardPage } from "./pages/dashboard.js";
import { helpDialog, listen } from "./shortcuts.js";

const HOME = "hailo-sidecar-monitoring";
const content = document.getElementById("content");
const bar = document.getElementById("bar");
let page = null;
let path = null;
let turns = 0;
let listed = null;

const app = {
  list: () => (listed ||= ask("/api/dashboards").catch((failure) => ((listed = null), Promise.reject(failure)))),
  go: (address) => go(address),
  dashboards: () => app.list().then((found) => found.dashboards, () => []),
  setTitle(title, uid) {
    document.title = `${title} · EdgeInfer`;
    drawBar(uid);
  },
  setFiring(firing) {
    const count = Object.values(firing || {}).reduce((all, one) => all + one, 0);
    badge.textContent = count ? String(count) : "";
    badge.hidden = !count;
    badge.setAttribute("aria-label", `${count} firing`);
  },
};

const badge = el("span", { class: "count", hidden: true });
const logo = svg("svg", { viewBox: "0 0 32 32", class: "logo", "aria-hidden": "true" }, svg("rect", { width: 32, height: 32, rx: 8 }), svg("path", { d: "M4.5 19.5h5l3-10 5 15 3.5-9 1.5 4h5" }));

function drawBar(uid) {
  const here = location.pathname;
  const link = (href, text, isHere, ...rest) => el("a", { href, class: "tab", "aria-current": isHere ? "page" : null }, text, ...rest);
  const select = el("select", { class: "dashboards", "aria-label": "Go to dashboard", hidden: true });
  app.dashboards().then((dashboards) => {
    select.append(...(uid ? [] : [el("option", { value: "" }, "Choose a dashboard")]), ...dashboards.map((dashboard) => el("option", { value: dashboard.uid, selected: dashboard.uid === uid }, dashboard.title)));
    select.hidden = !dashboards.length;
  });
  select.addEventListener("change", () => select.value && go(`/d/${select.value}${uid ? keptTime() : ""}`));
  clear(bar).append(
    el("a", { href: "/", class: "brand", "aria-label": "EdgeInfer home" }, logo, el("span", {}, "EdgeInfer")),
    select,
    el("nav", { "aria-label": "Pages" }, link("/?list", "Dashboards", here === "/"), link("/alerts", "Alerts", here === "/alerts", badge), link("/incidents", "Incidents", here.startsWith("/incidents")), link("/sessions", "Sessions", here.startsWith("/sessions")), link("/targets", "Targets", here === "/targets")),
    el("button", { class: "quiet help", "aria-label": "Keyboard", title: "Keyboard (?)", onclick: helpDialog }, icon("help")));
}

function keptTime() {
  const query = new URLSearchParams(location.search);
  const kept = new URLSearchParams([...query].filter(([name]) => ["from", "to", "refresh"].includes(name) || name.startsWith("var-")));
  return kept.size ? `?${kept}` : "";
}

async function choose() {
  const parts = location.pathname.split("/").filter(Boolean);
  if (parts[0] === "d" && parts[1]) return new DashboardPage(decodeURIComponent(parts[1]), app);
  if (parts[0] === "alerts") return new (await part(import("./pages/alerts.js"))).AlertsPage(app);
  if (parts[0] === "incidents") return new (await part(import("./pages/incidents.js"))).IncidentsPage(app, decodeURIComponent(parts[1] || ""));
  if (parts[0] === "sessions" && parts[1]) return new (await part(import("./pages/session.js"))).SessionPage(app, decodeURIComponent(parts[1]));
  if (parts[0] === "sessions") return new (await part(import("./pages/sessions.js"))).SessionsPage(app);
  if (parts[0] === "targets") return new (await part(import("./pages/targets.js"))).TargetsPage(app);
  return new (await part(import("./pages/list.js"))).ListPage(app);
}

async function show({ isBack = false } = {}) {
  if (isBack && page?.navigate && location.pathname === path) return page.navigate();
  path = location.pathname;
  page?.unmount();
  const turn = (turns += 1);
  try {
    const next = await choose();
    if (turn !== turns) return;
    page = next;
    clear(content);
    await next.mount(content);
  } catch (failure) {
    if (turn === turns) clear(content).append(el("div", { class: "page-fault", role: "alert" }, el("strong", {}, failure.message), el("p", {}, failure.remedy || "")));
  }
}

async function go(address) {
  history.pushState(null, "", address);
  await show();
  scrollTo(0, 0);
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("a[href]");
  if (!anchor || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || anchor.target) return;
  const address = new URL(anchor.href, location.href);
  if (address.origin !== location.origin || anchor.classList.contains("skip")) return;
  event.preventDefault();
  go(address.pathname + address.search);
});

addEventListener("popstate", () => show({ isBack: true }));

listen((key) => {
  const everywhere = { "?": helpDialog, d: () => go("/?list"), a: () => go("/alerts"), g: () => go("/targets"), i: () => go("/incidents"), s: () => go("/sessions") };
  if (key in everywhere) return everywhere[key](), true;
  return page?.key?.(key) || false;
});

// For tests and the curious: what is drawn, and how much was asked.
window.edgeinfer = { panels: () => page?.drawn?.() || [], traffic, page: () => page, isSettled: () => Boolean(page?.isSettled) };

// The first address leads to the main dashboard, where there is one.
async function begin() {
  if (location.pathname === "/" && !location.search) {
    const dashboards = await app.dashboards();
    const home = dashboards.find((dashboard) => dashboard.uid === HOME) || dashboards[0];
    if (home) history.replaceState(null, "", `/d/${home.uid}`);
    else ask("/api/status").then(showStatus).catch(() => {});
  }
  show();
}

begin();
