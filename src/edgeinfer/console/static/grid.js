// Where panels stand: Grafana's 24 columns, with folded rows closing up.

// Sections of a dashboard: a row with the panels below it, in reading order.
export function sections(panels) {
  const found = [{ row: null, panels: [], top: 0 }];
  for (const panel of inReadingOrder(panels)) {
    if (panel.type === "row") found.push({ row: panel, panels: [...(panel.panels || [])], top: panel.gridPos.y });
    else found[found.length - 1].panels.push(panel);
  }
  return found.filter((section) => section.row || section.panels.length);
}

// Grid places of what is shown: [{ row, y }] and [{ panel, x, y, w, h }], with y counted again.
export function layout(found, isFolded) {
  const rows = [];
  const panels = [];
  let y = 0;
  for (const section of found) {
    if (section.row) {
      rows.push({ row: section.row, y });
      y += 1;
      if (isFolded(section.row)) continue;
    }
    const placed = compacted(section.panels);
    panels.push(...placed.map((one) => ({ ...one, y: y + one.y })));
    y += bottomOf(placed);
  }
  return { rows, panels };
}

// Panels as Grafana's grid stacks them: each rises until it meets another, and gives way downwards where two overlap.
function compacted(panels) {
  const placed = [];
  for (const panel of inReadingOrder(panels)) {
    const { x, w, h } = panel.gridPos;
    const place = { panel, x, y: Math.min(panel.gridPos.y, bottomOf(placed)), w, h };
    const meets = (y) => placed.find((one) => x < one.x + one.w && one.x < x + w && y < one.y + one.h && one.y < y + h);
    while (place.y > 0 && !meets(place.y - 1) && !meets(place.y)) place.y -= 1;
    for (let other = meets(place.y); other; other = meets(place.y)) place.y = other.y + other.h;
    placed.push(place);
  }
  return placed;
}

const inReadingOrder = (panels) => [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);

const bottomOf = (placed) => Math.max(0, ...placed.map((one) => one.y + one.h));
