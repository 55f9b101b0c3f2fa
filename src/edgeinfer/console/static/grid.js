// Where panels stand: Grafana's 24 columns, with folded rows closing up.

// Sections of a dashboard: a row with the panels below it, in reading order.
export function sections(panels) {
  const sorted = [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  const found = [{ row: null, panels: [], top: 0 }];
  for (const panel of sorted) {
    if (panel.type === "row") found.push({ row: panel, panels: [...(panel.panels || [])], top: panel.gridPos.y });
    else found[found.length - 1].panels.push(panel);
  }
  return found.filter((section) => section.row || section.panels.length);
}

// Grid places of what is shown: [{ row, y }] and [{ panel, x, y, w, h }], with y counted anew.
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
    const ordered = [...section.panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
    const top = Math.min(...ordered.map((panel) => panel.gridPos.y), Infinity);
    let bottom = y;
    for (const panel of ordered) {
      const { x, w, h } = panel.gridPos;
      const at = y + panel.gridPos.y - top;
      panels.push({ panel, x, y: at, w, h });
      bottom = Math.max(bottom, at + h);
    }
    y = bottom;
  }
  return { rows, panels };
}
