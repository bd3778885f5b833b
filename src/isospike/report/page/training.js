"use strict";
// The figures come whole from Python, in the colours of the light theme; the dark one exchanges them.
const figures = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("screen and (prefers-color-scheme: dark)");
const LIGHT = { "#17407c": "c0", "#e0650a": "c1", "#1c9c91": "c2", "#b93fd4": "c3", "#574810": "c4",
  "#176782": "c5", "#7a2548": "c6", "#4a2df0": "c7", "#5a6270": "soft" };
const CONFIG = { responsive: true, displaylogo: false, displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false };

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const exchanged = (value) => {
  if (typeof value === "string") return value in LIGHT ? colour(LIGHT[value]) : value;
  if (Array.isArray(value)) return value.map(exchanged);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, exchanged(item)]));
};

function themed(figure) {
  const { data, layout } = exchanged(figure), ink = colour("ink");
  delete layout.template;
  Object.assign(layout, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: ink },
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: ink } } });
  for (const key of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name)))
    Object.assign(layout[key], { gridcolor: colour("grid"), linecolor: colour("line"), zeroline: false, automargin: true });
  return [data, layout];
}

async function drawAll() {
  for (const [name, figure] of Object.entries(figures)) {
    const chart = document.getElementById(`chart-${name}`);
    chart.style.height = `${figure.layout.height}px`;
    try {
      await Plotly.react(chart, ...themed(figure), CONFIG);
      chart.dataset.drawn = "yes";
    } catch (error) {
      chart.dataset.failed = String(error);
      chart.textContent = "This chart could not be drawn.";
    }
  }
}

dark.addEventListener("change", drawAll);
drawAll();
