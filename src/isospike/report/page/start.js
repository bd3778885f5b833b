// Draw, and draw again when a choice, the theme or the width class changes.
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

async function drawAll() {
  const boxes = [...document.querySelectorAll("input[name=recipe]:checked")];
  const chosen = new Set(boxes.map((box) => Number(box.value)));
  const near = document.querySelector("input[name=range]:checked").value === "near";
  for (const curve of CURVES) await drawn(curve.id, () => drawCurve(curve, chosen, near));
  await drawn("chart-rates", () => drawRates(document.getElementById("rates-recipe").value));
}

drawSwatches();
// The part near the ANN is the one to compare in; it opens first where most of the rows are in it.
if (2 * data.points.filter(isNear).length >= data.points.length && data.points.length)
  document.querySelector("input[name=range][value=near]").checked = true;
if (narrow.matches && data.recipes.length) document.getElementById("rates-recipe").value = "0";
for (const form of document.querySelectorAll("form")) form.addEventListener("change", drawAll);
for (const query of [dark, narrow]) query.addEventListener("change", drawAll);
drawAll();
