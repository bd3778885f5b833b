// Firing rates: a row per site, a column per number of steps, a gap between recipes.
function rateColumns(chosen) {
  const columns = [];
  let last = null;
  for (const point of data.points) {
    if (chosen !== "all" && point.recipe !== Number(chosen)) continue;
    if (!point.rates.some(isNumber)) continue;
    if (last !== null && last !== point.recipe) columns.push(null);
    columns.push(point);
    last = point.recipe;
  }
  return columns;
}

function rateHover(site, point) {
  if (!point) return "";
  return `<b>${text(clip(data.sites[site], 60))}</b><br>${text(clip(data.recipes[point.recipe], 40))}, T = ${figure(point.steps)}`
    + (isNumber(point.converted_for) ? `, converted for T = ${point.converted_for}` : "")
    + `<br>${figure(point.rates[site])} spikes per neuron and step`;
}

// The name of each recipe over its columns, with a bar in the recipe's colour.
function groupHeads(columns, width) {
  const groups = [];
  columns.forEach((point, x) => {
    if (!point) return;
    const group = groups[groups.length - 1];
    if (group && group.recipe === point.recipe && group.end === x - 1) group.end = x;
    else groups.push({ recipe: point.recipe, start: x, end: x });
  });
  return {
    annotations: groups.map((g) => ({ x: (g.start + g.end) / 2, y: 1, yref: "paper", yanchor: "bottom", yshift: 8,
      showarrow: false, text: text(clip(data.recipes[g.recipe], Math.max(5, Math.floor((g.end - g.start + 1) * width / 7.5)))) })),
    shapes: groups.map((g) => ({ type: "line", x0: g.start - 0.5, x1: g.end + 0.5, y0: 1, y1: 1, yref: "paper",
      yanchor: "top", line: { color: recipeColour(g.recipe), width: 5 } })),
  };
}

function drawRates(chosen) {
  const chart = document.getElementById("chart-rates");
  const columns = rateColumns(chosen), rows = data.sites.map((_, site) => site);
  const labels = narrow.matches ? 18 : 28, room = chart.parentElement.clientWidth - (narrow.matches ? 170 : 290);
  const width = Math.max(columns.length ? room / columns.length : 0, 20);
  chart.style.minWidth = `${Math.ceil(columns.length * 20 + (narrow.matches ? 170 : 290))}px`;
  chart.style.height = `${Math.max(220, rows.length * 20 + 110)}px`;
  const highest = Math.max(0, ...columns.flatMap((point) => (point ? point.rates.filter(isNumber) : [])));
  const trace = {
    type: "heatmap", x: columns.map((_, x) => x), y: rows, zmin: 0, zmax: highest || 1, xgap: 1, ygap: 1, colorscale: "Cividis",
    z: rows.map((site) => columns.map((point) => (point ? point.rates[site] : null))),
    hovertext: rows.map((site) => columns.map((point) => rateHover(site, point))), hoverinfo: "text", hoverongaps: false,
    colorbar: { thickness: 12, outlinewidth: 0, title: { text: "rate" }, len: 1, tickformat: "~g" },
  };
  const ticks = columns.map((point, x) => (point ? x : -1)).filter((x) => x >= 0);
  const layout = { ...baseLayout(), margin: { l: 20, r: 10, t: 36, b: 44 }, ...groupHeads(columns, width),
    xaxis: axis("steps T", { showgrid: false, showline: false, tickvals: ticks, tickangle: 0,
      ticktext: ticks.map((x) => figure(columns[x].steps)), ticks: "" }),
    yaxis: axis("", { showgrid: false, showline: false, autorange: "reversed", ticks: "", tickvals: rows,
      ticktext: data.sites.map((name) => text(clip(name, labels))) }) };
  if (!columns.length) layout.annotations = [note("no firing rates here", { x: 0.5, y: 0.5 })];
  return Plotly.react("chart-rates", [trace], layout, CONFIG);
}
