// Names, ages and moments of sessions as a person reads them.

import { duration } from "../units.js";

// Seconds since 1970 of a time in an answer.
export const seconds = (text) => new Date(text).getTime() / 1000;

// dropped_samples reads as "dropped samples".
export const words = (name) => name.replaceAll("_", " ");

const FRESH_MILLISECONDS = 5000;

// How old the newest samples are; those of a run of the gateway before have no age that is known.
export function age(milliseconds) {
  if (milliseconds === null) return { text: "age unknown", kind: "unknown" };
  if (milliseconds < 1000) return { text: "now", kind: "up" };
  return { text: `${duration(milliseconds / 1000)} ago`, kind: milliseconds < FRESH_MILLISECONDS ? "up" : "down" };
}

// "3.01 s", "12 min 4 s"
export function length(milliseconds) {
  const size = Math.abs(milliseconds) / 1000;
  return `${milliseconds < 0 ? "−" : ""}${size < 60 ? `${Number(size.toPrecision(3))} s` : duration(size)}`;
}
