// Accuracy against latency, energy and spikes: a line per recipe, the ANN as a dashed line.
const CURVES = [
  { id: "chart-latency", key: "latency", title: "latency (steps, end to end)", base: 2, ann: false },
  { id: "chart-energy", key: "energy_nj", title: "energy per image (nJ)", base: 10, ann: true },
  { id: "chart-spikes", key: "spikes_per_neuron", title: "spikes per neuron and image", base: 10, ann: false },
];

function hover(point) {
  return `<b>${text(clip(data.recipes[point.recipe], 40))}</b>, T = ${figure(point.steps)}`
    + `<br>accuracy ${percent(point.accuracy)}<br>agreement ${percent(point.agreement)}`
    + `<br>latency ${figure(point.latency)} steps<br>${figure(point.spikes_per_neuron)} spikes per neuron`
    + `<br>${figure(point.synops)} SynOps<br>${figure(point.energy_nj)} nJ`
    + (isNumber(point.converted_for) ? `<br>converted for T = ${point.converted_for}` : "");
}

function recipeTrace(recipe, key) {
  const points = data.points.filter((p) => p.recipe === recipe && isNumber(p[key]) && p[key] > 0);
  points.sort((a, b) => a[key] - b[key]);
  return {
    type: "scatter", mode: "lines+markers", name: text(clip(data.recipes[recipe], 40)),
    x: points.map((p) => p[key]), y: points.map((p) => 100 * p.accuracy),
    hovertext: points.map(hover), hoverinfo: "text",
    line: { color: recipeColour(recipe), width: 2, dash: dash(recipe) },
    marker: { color: recipeColour(recipe), symbol: marker(recipe), size: markerSize(recipe),
      line: { color: colour("card"), width: 1 } },
  };
}

// The ANN and its quantised forms have an energy of their own: points, in the neutral colour.
function annTrace() {
  const rows = [{ label: "ANN", ...data.ann }]
    .concat(data.quantised.map((row) => ({ label: `ANN, ${row.levels} levels`, ...row })))
    .filter((row) => isNumber(row.accuracy) && isNumber(row.energy_nj) && row.energy_nj > 0);
  return {
    type: "scatter", mode: "markers", x: rows.map((r) => r.energy_nj), y: rows.map((r) => 100 * r.accuracy),
    hovertext: rows.map((r) => `<b>${text(r.label)}</b><br>accuracy ${percent(r.accuracy)}<br>${figure(r.energy_nj)} nJ`),
    hoverinfo: "text", marker: { color: colour("soft"), symbol: rows.map((r, i) => (i ? "star-open" : "star")), size: 12 },
  };
}

// Ticks at powers of two, or at 1, 2, 5 of each decade; fewer where they would touch.
function logTicks(low, high, base) {
  const most = narrow.matches ? 5 : 12, choices = base === 2 ? [[1]] : [[1, 2, 5], [1, 3], [1]];
  let shown = [];
  for (const steps of choices) {
    shown = [];
    for (let power = Math.floor(Math.log(low) / Math.log(base)); base ** power <= high; power += 1)
      for (const step of steps) shown.push(step * base ** power);
    shown = shown.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
    if (shown.length <= most) return shown;
  }
  const every = Math.ceil(shown.length / most);
  return shown.filter((_, i) => i % every === 0);
}

function logAxis(values, base, title) {
  if (!values.length) return axis(title, { type: "linear", showticklabels: false });
  const pad = (Math.max(...values) / Math.min(...values)) ** 0.04 * 1.06;
  const low = Math.min(...values) / pad, high = Math.max(...values) * pad;
  const round = logTicks(low, high, base), ticks = round.length ? round : [values[0]];
  return axis(title, { type: "log", range: [Math.log10(low), Math.log10(high)],
    tickvals: ticks, ticktext: ticks.map(figure), tickangle: 0 });
}

const NEAR = 10; // points below the ANN
const isNear = (point) => isNumber(data.ann.accuracy) && 100 * (data.ann.accuracy - point.accuracy) <= NEAR;

function accuracyRange(near, shown) {
  const ann = isNumber(data.ann.accuracy) ? [100 * data.ann.accuracy] : [];
  const all = shown.map((p) => 100 * p.accuracy).concat(ann);
  if (!all.length) return [0, 100];
  const high = Math.max(...all), low = near && ann.length ? ann[0] - NEAR : Math.min(...all);
  const pad = Math.max((high - low) * 0.06, 0.2);
  return [low - pad, high + 2 * pad]; // above the ANN's line stands its name
}

function note(words, place) {
  return { xref: "paper", yref: "paper", showarrow: false, text: words, font: { color: colour("soft") }, ...place };
}

function annLine() {
  if (!isNumber(data.ann.accuracy)) return { shapes: [], annotations: [] };
  const y = 100 * data.ann.accuracy;
  return {
    shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, layer: "below",
      line: { color: colour("soft"), width: 1.5, dash: "dash" } }],
    annotations: [note(`ANN ${y.toFixed(2)} %`, { x: 0.01, xanchor: "left", yref: "y", y, yanchor: "bottom" })],
  };
}

function drawCurve(curve, chosen, near) {
  const shown = data.points.filter((p) => chosen.has(p.recipe) && isNumber(p[curve.key]) && p[curve.key] > 0);
  const traces = [...chosen].map((recipe) => recipeTrace(recipe, curve.key));
  if (curve.ann) traces.push(annTrace());
  const values = shown.map((p) => p[curve.key]).concat(curve.ann ? traces[traces.length - 1].x : []);
  const range = accuracyRange(near, shown), below = shown.filter((p) => 100 * p.accuracy < range[0]).length;
  const layout = { ...baseLayout(), hovermode: "closest", margin: { l: 48, r: 14, t: 14, b: 44 },
    xaxis: logAxis(values, curve.base, curve.title),
    yaxis: axis("accuracy (%)", { range, tickformat: "~f" }), ...annLine() };
  if (below) layout.annotations.push(note(`${below} more below`, { x: 0.99, xanchor: "right", y: 0.01, yanchor: "bottom" }));
  return Plotly.react(curve.id, traces, layout, CONFIG);
}
