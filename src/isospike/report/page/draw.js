// What the pages with curves share: the markers of the legend, and a chart that may fail alone.
function drawSwatches() {
  for (const swatch of document.querySelectorAll(".swatch")) {
    const recipe = Number(swatch.dataset.recipe), line = swatch.querySelector("line");
    if (dash(recipe) !== "solid") line.setAttribute("stroke-dasharray", dash(recipe));
    const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
    shape.setAttribute("d", SHAPES[marker(recipe)]);
    swatch.append(shape);
  }
}

// Each chart carries data-drawn or, with the reason, data-failed: one that fails leaves the others.
async function drawn(id, draw) {
  const chart = document.getElementById(id);
  try {
    await draw();
    chart.dataset.drawn = "yes";
  } catch (error) {
    chart.dataset.failed = String(error);
    chart.textContent = "This chart could not be drawn; the table holds its figures.";
  }
}
