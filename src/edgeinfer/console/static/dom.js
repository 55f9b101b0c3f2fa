// Elements made in one expression; text is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") setStyles(element, value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name === "className" ? "class" : name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Through the object model, because the content security policy forbids style attributes.
export function setStyles(element, styles) {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, value);
}

export function icon(name) {
  const shape = svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" });
  shape.append(svg("path", { d: ICONS[name] }));
  return shape;
}

const ICONS = {
  back: "M10 3 5 8l5 5",
  forward: "m6 3 5 5-5 5",
  down: "m4 6 4 4 4-4",
  refresh: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 3v3.2l2 1.3",
  zoomOut: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Zm3.3 7.8L14 14M5 7h4",
  info: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 5v4M8 4.8v.4",
  warning: "M8 2.2 14.5 13.5h-13L8 2.2Zm0 4.3v3.2M8 11.6v.2",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  link: "M6 3H3v10h10v-3M9 3h4v4M13 3 7.5 8.5",
  close: "m4 4 8 8M12 4l-8 8",
  bell: "M4 11V7a4 4 0 0 1 8 0v4l1.3 1.5H2.7L4 11Zm2.8 2.6a1.3 1.3 0 0 0 2.4 0",
  mute: "M4 11V7a4 4 0 0 1 6.5-3M12 7v4l1.3 1.5H5M2.5 2.5l11 11",
  check: "m3 8.5 3.3 3.3L13 4.8",
  help: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM6.3 6.3a1.8 1.8 0 1 1 2.4 1.8c-.5.2-.7.5-.7 1M8 11.2v.2",
};

export function clear(element) {
  element.replaceChildren();
  return element;
}

// A button that opens something below it; closes on Escape, on a click elsewhere and when focus leaves.
export function popover(button, content, { align = "left" } = {}) {
  const box = el("div", { class: `popover ${align}`, hidden: true });
  const holder = el("div", { class: "popover-holder" }, button, box);
  button.setAttribute("aria-expanded", "false");
  const close = (focus) => {
    if (box.hidden) return;
    box.hidden = true;
    clear(box);
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    if (focus) button.focus();
  };
  const outside = (event) => holder.contains(event.target) || close(false);
  const open = () => {
    clear(box).append(content(() => close(true)));
    box.hidden = false;
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    box.querySelector("[autofocus], button, input, a, select")?.focus();
  };
  button.addEventListener("click", () => (box.hidden ? open() : close(true)));
  holder.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || box.hidden) return;
    event.stopPropagation();
    close(true);
  });
  holder.addEventListener("focusout", (event) => event.relatedTarget && !holder.contains(event.relatedTarget) && close(false));
  return { element: holder, open, close };
}

export function dialog(title, ...content) {
  const close = el("button", { class: "quiet", "aria-label": "Close", onclick: () => box.close() }, icon("close"));
  const box = el(
    "dialog",
    { class: "dialog", "aria-label": title },
    el("div", { class: "dialog-head" }, el("h2", {}, title), close),
    el("div", { class: "dialog-body", tabindex: "0" }, ...content),
  );
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => event.target === box && box.close());
  document.body.append(box);
  box.showModal();
  return box;
}
