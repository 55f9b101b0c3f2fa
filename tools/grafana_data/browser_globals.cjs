// The few things of a browser that Grafana's library and the console's classes touch while they are loaded.

const node = () => ({ style: {}, dataset: {}, sheet: { insertRule() {}, cssRules: [] }, setAttribute() {}, append() {}, appendChild: (child) => child, childNodes: [] });
const scheme = { matches: false, addListener() {}, addEventListener() {}, removeEventListener() {} };

Object.assign(globalThis, {
  window: globalThis,
  location: { href: "", search: "", pathname: "/", protocol: "http:", host: "localhost" },
  history: { pushState() {}, replaceState() {} },
  localStorage: { getItem: () => null, setItem() {} },
  addEventListener() {},
  dispatchEvent() {},
  matchMedia: () => scheme,
  getComputedStyle: () => ({ getPropertyValue: (name) => name }),
  CSS: { supports: () => true },
  document: {
    head: node(), body: node(), documentElement: node(), createElement: node, createElementNS: node, createTextNode: node,
    addEventListener() {}, querySelector: () => null, getElementsByTagName: () => [], getElementById: node,
  },
});
if (!globalThis.navigator) globalThis.navigator = { userAgent: "", platform: "" };
if (!globalThis.navigator.languages) globalThis.navigator.languages = ["en-US"];

exports.setTheme = (theme) => (scheme.matches = theme === "dark");
