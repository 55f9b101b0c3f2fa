// Questions to the console's server; an answer that is an error becomes one with its message and remedy.

export class Refused extends Error {
  constructor(message, remedy, status, document = null) {
    super(message);
    this.remedy = remedy;
    this.status = status;
    this.document = document;
  }
}

export const traffic = { requests: 0, underWay: 0 };

export async function ask(path, { method = "GET", body, signal } = {}) {
  traffic.requests += 1;
  traffic.underWay += 1;
  try {
    const answer = await send(path, method, body, signal);
    if (answer.status === 204) return null;
    const document = await answer.json();
    if (!answer.ok) throw new Refused(document.message || "The console refused.", document.remedy || "", answer.status, document);
    return document;
  } finally {
    traffic.underWay -= 1;
  }
}

// Modules that only some pages need come when they are needed.
export function part(loading) {
  return loading.catch((failure) => {
    console.info(failure.message);
    throw new Refused("A part of the page could not be loaded.", "See whether 'edgeinfer console' runs, then reload the page.", 0);
  });
}

const TIMEOUT_MILLISECONDS = 30000;

async function send(path, method, body, signal) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const late = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
  const either = signal ? AbortSignal.any([signal, late]) : late;
  try {
    return await fetch(path, { method, headers, body: body ? JSON.stringify(body) : undefined, signal: either });
  } catch (failure) {
    if (signal?.aborted) throw failure;
    const reason = late.aborted ? "The console's server did not answer in time." : "The console's server cannot be reached.";
    throw new Refused(reason, "It is asked again by itself; see whether 'edgeinfer console' runs.", 0);
  }
}
