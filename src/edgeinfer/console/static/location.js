// What the address says: dashboard, time range, refresh, variables, the panel in full screen, rows that stand otherwise than the file says; and links that keep it.

export function readState(defaults) {
  const query = new URLSearchParams(location.search);
  const variables = {};
  for (const [name, value] of query) if (name.startsWith("var-")) (variables[name.slice(4)] ||= []).push(value);
  for (const name of Object.keys(variables)) variables[name] = variables[name].map((value) => (value === "All" ? "$__all" : value));
  return {
    from: query.get("from") || defaults.from, to: query.get("to") || defaults.to,
    refresh: query.get("refresh") ?? defaults.refresh, variables, viewed: Number(query.get("viewPanel")) || null,
    rows: (query.get("rows") || "").split(",").filter(Boolean).map(Number),
  };
}

export function writeState(path, state, defaults) {
  const query = new URLSearchParams();
  if (state.from !== defaults.from || state.to !== defaults.to) {
    query.set("from", state.from);
    query.set("to", state.to);
  }
  if (state.refresh !== defaults.refresh) query.set("refresh", state.refresh);
  appendVariables(query, state.variables);
  if (state.viewed) query.set("viewPanel", state.viewed);
  if (state.rows.length) query.set("rows", state.rows.join(","));
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export function appendVariables(query, variables) {
  for (const [name, values] of Object.entries(variables)) values.forEach((value) => query.append(`var-${name}`, value));
}

// The console's address of a dashboard's link, or "" where it leads to nothing that it knows.
export function resolveLink(link, state, words) {
  if (link.type === "dashboards") return "";
  const time = new URLSearchParams({ from: state.from, to: state.to }).toString();
  const variables = new URLSearchParams();
  appendVariables(variables, state.variables);
  let address = (link.url || "").replaceAll("${__url_time_range}", time).replaceAll("${__all_variables}", variables.toString());
  address = words(address).replace(/[?&]+$/, "").replace(/&&+/g, "&").replace("?&", "?");
  const extra = new URLSearchParams();
  if (link.keepTime) new URLSearchParams(time).forEach((value, name) => extra.append(name, value));
  if (link.includeVars) variables.forEach((value, name) => extra.append(name, value));
  if (extra.size) address += (address.includes("?") ? "&" : "?") + extra;
  return /^(\/(?!\/)|https?:\/\/)/.test(address) ? address : "";
}
