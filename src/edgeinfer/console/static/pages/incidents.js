// What went wrong: a list of incidents, and one with its diagnosis and the picture of its time.

import { ask } from "../api.js";
import { showStatus } from "../banner.js";
import { clear, el, svg } from "../dom.js";
import { clock, dateTime } from "../time.js";
import { duration, format } from "../units.js";

const PERIOD_MILLISECONDS = 15_000;
const ROW_HEIGHT = 26, WIDTH = 1000, LABELS = 380;

export class IncidentsPage {
  constructor(app, id) {
    this.app = app;
    this.id = id;
  }

  mount(root) {
    this.app.setTitle("Incidents", "");
    this.content = el("div", {}, el("p", { class: "muted" }, "Reading thirty days of alerts …"));
    clear(root).append(el("div", { class: "page" }, el("h1", {}, "Incidents"), this.content));
    return this.#load();
  }

  unmount() {
    this.isGone = true;
    clearTimeout(this.timer);
  }

  async #load() {
    try {
      const status = ask("/api/status").then((found) => (showStatus(found), this.app.setFiring(found.firing)), () => {});
      const shown = this.id ? await this.#one() : await this.#all();
      await status;
      if (this.isGone) return;
      const key = JSON.stringify(shown.key);
      if (key !== this.key) clear(this.content).append(...shown.parts());
      this.key = key;
    } catch (failure) {
      if (this.isGone) return;
      this.key = "";
      clear(this.content).append(el("div", { class: "page-fault", role: "alert" }, el("strong", {}, failure.message), el("p", {}, failure.remedy || "")));
    }
    if (!this.id) this.timer = setTimeout(() => this.#load(), PERIOD_MILLISECONDS);
  }

  async #all() {
    const [now, { incidents }] = await Promise.all([ask("/api/diagnosis"), ask("/api/incidents")]);
    const key = [incidents, now.headline, now.findings.map((one) => one.evidence)];
    return { key, parts: () => [el("h2", {}, "Now"), ...diagnosis(now), el("h2", {}, "Last 30 days"), list(incidents)] };
  }

  async #one() {
    const one = await ask(`/api/incidents/${encodeURIComponent(this.id)}`);
    const around = Math.max(300, one.seconds / 2);
    const end = one.end ?? one.start + one.seconds;
    const range = `from=${Math.round((one.start - around) * 1000)}&to=${Math.round((end + around) * 1000)}`;
    const parts = () => [
      el("p", { class: "lead" }, period(one), " ", severity(one)),
      picture(one.picture, one),
      el("p", {}, el("a", { href: `/d/hailo-sidecar-monitoring?${range}` }, "The dashboard of this time"), " · ", el("a", { href: "/incidents" }, "All incidents")),
      ...changes(one), ...diagnosis(one.diagnosis, one.cost)];
    return { key: one, parts };
  }
}

const severity = (one) => el("span", { class: `severity ${one.severity}` }, one.severity);

function period(one) {
  const lasted = duration(one.seconds);
  return one.end === null ? `${dateTime(one.start)}, lasts since ${lasted}` : `${dateTime(one.start)}, lasted ${lasted}`;
}

function list(incidents) {
  if (!incidents.length) return el("p", {}, "No critical alert and no warning has fired.");
  const items = incidents.map((one) => el("li", {},
    el("div", {}, el("a", { href: `/incidents/${one.id}` }, el("strong", {}, one.headline)), el("p", { class: "muted" }, period(one), one.changes.length ? `, ${one.changes.map((change) => change.what).join(", ")} near` : ""), el("p", {}, costs(one.cost).join(" · "))),
    severity(one)));
  return el("ul", { class: "instances boxed" }, ...items);
}

function changes(one) {
  if (!one.changes.length) return [];
  return [el("h2", {}, "Changed near it"), el("ul", { class: "boxed plain" }, ...one.changes.map((change) => el("li", {}, `${change.what} to ${change.to} at ${dateTime(change.at)}`)))];
}

function diagnosis(found, cost = found.cost) {
  const findings = [...found.findings, ...found.possible];
  const parts = [el("p", { class: `verdict ${found.verdict}` }, el("strong", {}, `${found.headline}.`))];
  if (found.verdict === "well" || found.verdict === "unseen") parts.push(items("This rests on", found.rests_on));
  for (const one of findings) parts.push(finding(one));
  if (found.unexplained.length) parts.push(items("No cause that is known explains", found.unexplained.map((one) => `${one.alert} (${one.service})`)));
  if (found.unusual.length) parts.push(items("Unusual against the last day", found.unusual.map((one) => `${one.signal} ${one.job}: ${format(one.value, "short")}, where it was ${format(one.low, "short")} to ${format(one.high, "short")}`)));
  if (cost) parts.push(items("It has cost", costs(cost)));
  parts.push(items("Considered, and not it", found.considered.map((one) => `${one.title}: ${one.reason}`)));
  parts.push(items("Could not be seen", found.unseen));
  return parts.filter(Boolean);
}

function finding(one) {
  const steps = one.steps.map((step) => el("li", {}, step.says, step.command ? el("pre", { tabindex: "0" }, el("code", {}, step.command)) : null));
  return el("section", { class: "finding boxed" },
    el("h3", {}, one.title, one.certainty === "certain" ? "" : ` (${one.certainty})`),
    el("ul", { class: "plain" }, ...one.evidence.map((text) => el("li", {}, text)), one.explains.length ? el("li", { class: "muted" }, `explains ${one.explains.join(", ")}`) : null),
    el("h4", {}, "What to do"), el("ol", {}, ...steps));
}

const items = (title, texts) => (texts.length ? el("div", { class: "facts" }, el("h3", {}, title), el("ul", { class: "plain" }, ...texts.map((text) => el("li", {}, text)))) : null);

function costs(cost) {
  const known = (value) => value !== null && value !== undefined;
  const said = [];
  if (known(cost.failed)) said.push(`${cost.failed} of ${cost.analyses} analyses failed, ${cost.by_fallback} by fallback`);
  if (known(cost.failed_calls)) said.push(`${cost.failed_calls} calls to the sidecar failed`);
  if (known(cost.refused_uploads)) said.push(`${cost.refused_uploads} uploads refused`);
  if (known(cost.p95_seconds)) said.push(`p95 ${format(cost.p95_seconds, "s")}`);
  if (known(cost.budget_spent)) said.push(`${format(cost.budget_spent, "percentunit")} of a month's error budget`);
  return said.length ? said : ["cost unknown"];
}

// Alerts above, evidence below; the incident itself is shaded.
function picture(found, incident) {
  const height = found.rows.length * ROW_HEIGHT + 26;
  const at = (seconds) => LABELS + ((seconds - found.start) / (found.end - found.start)) * (WIDTH - LABELS);
  const end = incident.end ?? found.end;
  const marks = found.rows.flatMap((row, place) => [
    svg("text", { x: 0, y: place * ROW_HEIGHT + 17, class: `picture-${row.kind}` }, row.label.length > 60 ? `${row.label.slice(0, 58)} …` : row.label),
    ...row.stretches.map(([from, to]) => svg("rect", { x: at(from), y: place * ROW_HEIGHT + 5, width: Math.max(2, at(Math.min(to, found.end)) - at(from)), height: ROW_HEIGHT - 10, rx: 3, class: `picture-mark ${row.kind}` }, svg("title", {}, `${row.label}: ${clock(from)} to ${clock(to)}`)))]);
  const times = [0, 0.25, 0.5, 0.75, 1].map((share) => found.start + share * (found.end - found.start));
  const labels = times.map((time, place) => svg("text", { x: at(time), y: height - 6, class: "picture-time", "text-anchor": ["start", "middle", "middle", "middle", "end"][place] }, clock(time)));
  const lines = incident.changes.map((change) => svg("line", { x1: at(change.at), x2: at(change.at), y1: 0, y2: height - 22, class: "picture-change" }, svg("title", {}, `${change.what} to ${change.to}`)));
  return el("div", { class: "picture boxed" }, svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": "When alerts fired and evidence held" }, svg("rect", { x: at(incident.start), y: 0, width: Math.max(2, at(end) - at(incident.start)), height: height - 22, class: "picture-span" }), ...marks, ...lines, ...labels));
}
