// Sends the requests of the API page. Addresses are relative to it, so that they hold behind a path prefix.
const base = new URL(".", location.href);
for (const place of document.querySelectorAll(".base")) place.textContent = base.href.replace(/\/$/, "");
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", send);

async function send(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const output = form.querySelector("output");
  const started = performance.now();
  output.textContent = "…";
  try {
    const answer = await fetch(addressOf(form), optionsOf(form));
    const milliseconds = Math.round(performance.now() - started);
    output.textContent = `${answer.status} ${answer.statusText}, ${milliseconds} ms\n\n${await answer.text()}`;
  } catch (failure) {
    output.textContent = `No answer: ${failure.message}`;
  }
}

function addressOf(form) {
  let path = form.dataset.path.slice(1);
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.append(input.name, input.value);
  }
  const address = new URL(path || ".", base);
  address.search = query;
  return address;
}

function optionsOf(form) {
  const headers = {};
  const key = document.getElementById("key")?.value;
  if (key) headers.Authorization = `Bearer ${key}`;
  const body = form.querySelector("textarea");
  if (body) headers["Content-Type"] = "application/json";
  return { method: form.dataset.method, headers, body: body?.value };
}
