"use strict";
// What every chart shares: the data, one colour and marker per recipe, text made safe for plotly.
const data = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("screen and (prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 720px)");

const MARKERS = ["circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "x"];
const DASHES = ["solid", "9px,5px", "2px,4px", "9px,4px,2px,4px"];
// The same markers for the legend and the tables, in a box of 34 x 14.
const SHAPES = {
  circle: "M12.5 7a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z",
  square: "M13 3h8v8h-8Z",
  diamond: "M17 1.5l5.5 5.5l-5.5 5.5l-5.5 -5.5Z",
  "triangle-up": "M17 2l5.2 9h-10.4Z",
  cross: "M15.2 2h3.6v3.2h3.2v3.6h-3.2v3.2h-3.6v-3.2h-3.2v-3.6h3.2Z",
  "triangle-down": "M17 12l5.2 -9h-10.4Z",
  x: "M13.5 2l3.5 3.2l3.5 -3.2l1.8 1.8l-3.4 3.2l3.4 3.2l-1.8 1.8l-3.5 -3.2l-3.5 3.2l-1.8 -1.8l3.4 -3.2l-3.4 -3.2Z",
};

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const marker = (recipe) => MARKERS[recipe % MARKERS.length];
// Plotly draws a triangle smaller than a square of the same size.
const markerSize = (recipe) => (marker(recipe).startsWith("triangle") ? 1.4 : 1) * (narrow.matches ? 7 : 9);
const recipeColour = (recipe) => colour(`c${recipe % data.colours}`);
const dash = (recipe) => DASHES[Math.floor(recipe / data.colours) % DASHES.length];
const isNumber = (value) => typeof value === "number";

// Plotly reads a little HTML in its texts (links too), so a foreign text is escaped once more.
const text = (value) => String(value).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const clip = (value, most) => {
  const letters = Array.from(value);
  if (letters.length <= most) return value;
  return letters.slice(0, Math.ceil(most / 2)).join("") + "…" + letters.slice(-Math.floor(most / 2) + 1).join("");
};
const figure = (value) => {
  if (!isNumber(value)) return "–";
  return value.toLocaleString("en", Math.abs(value) < 1000 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 });
};
const percent = (value) => (isNumber(value) ? (100 * value).toFixed(2) + " %" : "–");

const CONFIG = { responsive: true, displaylogo: false, displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

function baseLayout() {
  const ink = colour("ink");
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
    font: { family: getComputedStyle(document.body).fontFamily, size: narrow.matches ? 11 : 13, color: ink },
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: ink }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("soft"), activecolor: ink },
  };
}

function axis(title, more) {
  return { title: { text: title, standoff: 8 }, gridcolor: colour("grid"), linecolor: colour("line"),
    zeroline: false, showline: true, ticks: "outside", tickcolor: colour("line"), automargin: true, ...more };
}
