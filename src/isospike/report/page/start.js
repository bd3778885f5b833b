// Draw, and draw again when a choice, the theme or the width class changes.
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
