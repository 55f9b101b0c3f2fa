// A small part of Markdown as elements: what our text panels and runbooks use. Nothing in it becomes markup.

import { el } from "./dom.js";

const INLINE = /(`[^`]+`)|(\*\*[^*]+\*\*)|(\*[^*\s][^*]*\*)|\[([^\]]+)\]\(([^)\s]+)\)/g;

export function inline(text) {
  const parts = [];
  let last = 0;
  for (const found of text.matchAll(INLINE)) {
    parts.push(text.slice(last, found.index));
    last = found.index + found[0].length;
    if (found[1]) parts.push(el("code", {}, found[1].slice(1, -1)));
    else if (found[2]) parts.push(el("strong", {}, ...inline(found[2].slice(2, -2))));
    else if (found[3]) parts.push(el("em", {}, found[3].slice(1, -1)));
    else parts.push(isSafe(found[5]) ? el("a", { href: found[5] }, found[4]) : found[4]);
  }
  return [...parts, text.slice(last)].filter((part) => part !== "");
}

const isSafe = (address) => /^(https?:\/\/|\/(?!\/)|#)/.test(address);

export function markdown(text, { firstHeading = 3 } = {}) {
  const blocks = [];
  const lines = text.replace(/<!--[\s\S]*?-->/g, "").split("\n");
  while (lines.length) {
    const block = next(lines, firstHeading);
    if (block) blocks.push(block);
  }
  return el("div", { class: "prose" }, ...blocks);
}

const taken = (lines, test) => {
  const found = [];
  while (lines.length && test(lines[0])) found.push(lines.shift());
  return found;
};

function next(lines, firstHeading) {
  const line = lines[0];
  if (!line.trim()) return void lines.shift();
  if (line.startsWith("```")) {
    lines.shift();
    const code = taken(lines, (one) => !one.startsWith("```"));
    lines.shift();
    return el("pre", { tabindex: "0" }, el("code", {}, code.join("\n")));
  }
  const heading = /^(#{1,6})\s+(.*)$/.exec(line);
  if (heading) {
    lines.shift();
    return el(`h${Math.min(6, heading[1].length + firstHeading - 1)}`, {}, ...inline(heading[2]));
  }
  if (/^(---|\*\*\*)\s*$/.test(line)) return lines.shift(), el("hr");
  if (/^\s*[-*]\s+/.test(line)) return list("ul", lines, /^\s*[-*]\s+/);
  if (/^\s*\d+[.)]\s+/.test(line)) return list("ol", lines, /^\s*\d+[.)]\s+/);
  if (line.startsWith("|")) return table(taken(lines, (one) => one.startsWith("|")));
  const words = taken(lines, (one) => one.trim() && !/^(#{1,6}\s|```|\||\s*[-*]\s+|\s*\d+[.)]\s+)/.test(one));
  if (!words.length) words.push(lines.shift());
  return el("p", {}, ...inline(words.join(" ")));
}

function list(kind, lines, marker) {
  const items = [];
  while (lines.length && (marker.test(lines[0]) || (/^\s{2,}\S/.test(lines[0]) && items.length))) {
    const line = lines.shift();
    if (marker.test(line)) items.push(line.replace(marker, ""));
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  return el(kind, {}, ...items.map((item) => el("li", {}, ...inline(item))));
}

function table(lines) {
  const cells = (line) => line.replace(/^\||\|\s*$/g, "").split("|").map((cell) => cell.trim());
  const rows = lines.filter((line) => !/^[|\s:-]+$/.test(line)).map(cells);
  const [head, ...body] = rows;
  return el(
    "table",
    {},
    el("thead", {}, el("tr", {}, ...head.map((cell) => el("th", {}, ...inline(cell))))),
    el("tbody", {}, ...body.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, ...inline(cell)))))),
  );
}
