// A session by the fetch of Node. Prints a line for each step: its name, the status, and the error of the answer.
import { readFile } from "node:fs/promises";

const [gateway, sidecar, bodies] = process.argv.slice(2);
const api = `${gateway}/api/v1/analysis`;
const text = (name) => readFile(`${bodies}/${name}.json`, "utf8");
let session = "";

async function step(name, method, url, body) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  try {
    const answer = await fetch(url, { method, headers, body });
    const document = await answer.json();
    if (name === "start") session = document.sessionId;
    console.log(name, answer.status, document.error ?? "");
  } catch (failure) {
    console.log(name, failure.cause?.code ?? failure.name);
  }
}

await step("start", "POST", `${api}/start`);
await step("stream", "PUT", `${api}/stream`, (await text("stream")).replace("SESSION", session));
await step("motifs", "GET", `${api}/motifs?sessionId=${session}`);
await step("process", "POST", `${api}/process`, await text("process"));
await step("infer", "POST", `${sidecar}/infer`, await text("infer"));
await step("bad", "POST", `${api}/process`, await text("bad"));
await step("huge", "POST", `${api}/process`, await text("huge"));
await step("stop", "POST", `${api}/stop`, JSON.stringify({ sessionId: session }));
