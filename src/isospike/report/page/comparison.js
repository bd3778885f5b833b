// Accuracy against latency and against SynOps: a line per recipe, and the front of all of them.
const PANELS = [
  { id: "chart-latency", key: "latency", title: "latency (steps, end to end)", base: 2 },
  { id: "chart-synops", key: "synops", title: "SynOps per image", base: 10 },
];

// What a given cost buys at best: level until the next point of the front, then up.
function frontTrace(key) {
  const points = data.fronts[key].map((at) => data.points[at]).filter((p) => isNumber(p[key]) && p[key] > 0);
  return {
    type: "scatter", mode: "lines", x: points.map((p) => p[key]), y: points.map((p) => 100 * p.accuracy),
    line: { color: colour("soft"), width: 7, shape: "hv" }, opacity: 0.35, hoverinfo: "skip",
  };
}

function macsLine(values) {
  const macs = data.ann.macs;
  if (!isNumber(macs) || !values.length || macs < Math.min(...values) || macs > Math.max(...values)) return [];
  return [{ type: "line", yref: "paper", y0: 0, y1: 1, x0: macs, x1: macs, layer: "below",
    line: { color: colour("soft"), width: 1.5, dash: "dot" } }];
}

function drawPanel(panel, chosen, near) {
  const shown = data.points.filter((p) => chosen.has(p.recipe) && isNumber(p[panel.key]) && p[panel.key] > 0);
  const values = shown.map((p) => p[panel.key]);
  const range = accuracyRange(near, shown), below = shown.filter((p) => 100 * p.accuracy < range[0]).length;
  const layout = { ...baseLayout(), hovermode: "closest", margin: { l: 48, r: 14, t: 14, b: 44 },
    xaxis: logAxis(values, panel.base, panel.title),
    yaxis: axis("accuracy (%)", { range, tickformat: "~f" }), ...annLine() };
  if (panel.key === "synops") layout.shapes.push(...macsLine(values));
  if (below) layout.annotations.push(note(`${below} more below`, { x: 0.99, xanchor: "right", y: 0.01, yanchor: "bottom" }));
  const traces = [frontTrace(panel.key), ...[...chosen].map((recipe) => recipeTrace(recipe, panel.key))];
  return Plotly.react(panel.id, traces, layout, CONFIG);
}

async function drawAll() {
  const boxes = [...document.querySelectorAll("input[name=recipe]:checked")];
  const chosen = new Set(boxes.map((box) => Number(box.value)));
  const near = document.querySelector("input[name=range]:checked").value === "near";
  for (const panel of PANELS) await drawn(panel.id, () => drawPanel(panel, chosen, near));
}

drawSwatches();
for (const form of document.querySelectorAll("form")) form.addEventListener("change", drawAll);
for (const query of [dark, narrow]) query.addEventListener("change", drawAll);
drawAll();
