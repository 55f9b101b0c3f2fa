// Colors by name as Grafana has them, for a light and a dark page, and made readable on its background.

const scheme = matchMedia("(prefers-color-scheme: dark)");

export const isDark = () => scheme.matches;

export function onThemeChange(listener) {
  scheme.addEventListener("change", listener);
  return () => scheme.removeEventListener("change", listener);
}

// From light to dark: super-light, light, plain, semi-dark, dark.
const SHADES = {
  red: ["#FFA6B0", "#FF7383", "#F2495C", "#E02F44", "#C4162A", "#AD0317"],
  orange: ["#FFCB7D", "#FFB357", "#FF9830", "#FF780A", "#FA6400", "#E55400"],
  yellow: ["#FFF899", "#FFEE52", "#FADE2A", "#F2CC0C", "#E0B400", "#CC9D00"],
  green: ["#C8F2C2", "#96D98D", "#73BF69", "#56A64B", "#37872D", "#19730E"],
  blue: ["#C0D8FF", "#8AB8FF", "#5794F2", "#3274D9", "#1F60C4", "#1250B0"],
  purple: ["#DEB6F2", "#CA95E5", "#B877D9", "#A352CC", "#8F3BB8", "#7C2EA3"],
};
const SHADE_PLACE = { "super-light": 0, light: 1, "": 2, "semi-dark": 3, dark: 4 };

// The order in which series without a color of their own get theirs; Grafana 13.2.3's.
const PALETTE = [
  "green", "semi-dark-yellow", "blue", "orange", "red", "purple",
  "dark-green", "dark-yellow", "dark-blue", "dark-orange", "dark-red", "dark-purple",
  ...["green", "yellow", "blue", "orange", "red", "purple"].map((hue) => `super-light-${hue}`),
  "#447EBC", "#C15C17", "#890F02", "#0A437C", "#6D1F62", "#584477", "#B7DBAB", "#F4D598", "#70DBED", "#F9BA8F", "#F29191", "#82B5D8",
  "#E5A8E2", "#AEA2E0", "#629E51", "#E5AC0E", "#64B0C8", "#E0752D", "#BF1B00", "#0A50A1", "#962D82", "#614D93", "#9AC48A", "#F2C96D",
  "#65C5DB", "#F9934E", "#EA6460", "#5195CE", "#D683CE", "#806EB7", "#3F6833", "#967302", "#2F575E", "#99440A", "#58140C", "#052B51",
  "#511749", "#3F2B5B", "#E0F9D7", "#FCEACA", "#CFFAFF", "#F9E2D2", "#FCE2DE", "#BADFF4", "#F9D9F9", "#DEDAF7",
];

export function paletteColor(index) {
  return namedColor(PALETTE[index % PALETTE.length]);
}

export function namedColor(name) {
  if (!name) return "";
  if (name === "transparent") return "transparent";
  if (name === "text") return css("--text");
  if (name.startsWith("#")) return name;
  const parsed = /^(super-light-|light-|semi-dark-|dark-)?(red|orange|yellow|green|blue|purple)$/.exec(name);
  if (parsed) return SHADES[parsed[2]][SHADE_PLACE[(parsed[1] || "").replace(/-$/, "")] + (isDark() ? 0 : 1)];
  return CSS.supports("color", name) ? name : "#808080";
}

export function css(variable) {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

function channels(color) {
  const hex = color.length === 4 ? color.replace(/[^#]/g, "$&$&") : color;
  const parsed = /^#([0-9a-f]{6})/i.exec(hex);
  if (!parsed) return [128, 128, 128];
  const number = parseInt(parsed[1], 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

const toHex = (rgb) => "#" + rgb.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("");

export function withAlpha(color, alpha) {
  const [red, green, blue] = channels(color);
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}

export function mix(color, other, share) {
  const a = channels(color);
  const b = channels(other);
  return toHex(a.map((part, place) => part + (b[place] - part) * share));
}

function luminance(color) {
  const [red, green, blue] = channels(color).map((part) => {
    const share = part / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

// The same hue, moved towards black or white until it can be read.
export function readable(color, background = css("--panel"), least = 4.6) {
  if (!color.startsWith("#")) return color;
  const goal = luminance(background) > 0.4 ? "#000000" : "#ffffff";
  for (let share = 0; share < 1; share += 0.06) {
    const tried = mix(color, goal, share);
    if (contrast(tried, background) >= least) return tried;
  }
  return goal;
}

// Black or white, whichever can be read; large letters need less.
export const inkOn = (color, least = 4.5) => (contrast(color, "#ffffff") >= least ? "#ffffff" : "#10141a");
