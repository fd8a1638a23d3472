"use strict";
// Elements. Text goes in as text, never as markup.

const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
}

function draw(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const hidden = text => make("span", { class: "hidden" }, text);
const pressed = (button, on) => button.setAttribute("aria-pressed", String(on));
const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** A number to so many significant digits, without an exponent where one can do without. */
function short(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(digits - 1).replace("e+", "e");
  if (size >= 10 ** digits) return Math.round(value).toLocaleString("en");
  return String(+value.toPrecision(digits));
}

const labels = new Map();

/** A table that scrolls by itself on a narrow screen, and can be scrolled by keyboard. No two have one name. */
function scrolled(label, table) {
  const count = (labels.get(label) ?? 0) + 1;
  labels.set(label, count);
  const name = count === 1 ? label : `${label}, ${count}`;
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": name }, table);
}

function plainTable(heads, rows, attributes = {}) {
  const head = make("tr", {}, ...heads.map(text => make("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...rest]) =>
    make("tr", {}, make("th", { scope: "row" }, first), ...rest.map(text => make("td", {}, text))));
  return make("table", attributes, make("thead", {}, head), make("tbody", {}, ...body));
}

/** A list that a button folds out over the page. */
function menu(title, list) {
  return make("details", { class: "menu" }, make("summary", {}, title), list);
}

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** A cell's mean and half width, from "97.2 ± 0.7". */
function interval(text) {
  const [mean, half] = text.split(" ± ").map(Number);
  return Number.isFinite(mean) ? { mean, half: half || 0 } : null;
}
