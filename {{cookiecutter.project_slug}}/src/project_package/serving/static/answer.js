// An answer of any shape: numbers and texts large, lists as tables with bars, matrices as maps.

import { element, shortened, svg, words } from "./dom.js";

/** Return the elements of an answer; `image` is the data URL of the image asked about, if any. */
export function showAnswer(answer, image) {
  const simple = Object.entries(answer).filter(([, value]) => !isNested(value));
  const facts = simple.map(([name, value]) =>
    element("div", {}, element("dt", {}, words(name)), element("dd", {}, plain(value))),
  );
  const nested = Object.entries(answer).filter(([, value]) => isNested(value));
  return [
    element("dl", { className: "facts" }, ...facts),
    ...nested.filter(([, value]) => !isEmpty(value)).map(([name, value]) => showPart(name, value, image)),
  ];
}

function isNested(value) {
  return typeof value === "object" && value !== null;
}

function isEmpty(value) {
  return Object.keys(value).length === 0;
}

function plain(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return shortened(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}

function showPart(name, value, image) {
  const title = element("h3", {}, words(name));
  if (isMatrix(value)) return element("figure", {}, title, showMap(value, image));
  const rows = Array.isArray(value)
    ? value.map((item) => (isNested(item) ? item : { value: item }))
    : Object.entries(value).map(([key, item]) => ({ "": key, share: item }));
  return element("div", { className: "part" }, title, showTable(rows, name));
}

function isMatrix(value) {
  return Array.isArray(value) && Array.isArray(value[0]) && typeof value[0][0] === "number";
}

/** Show objects as a table; a single column of numbers gets bars, from zero to both sides, and lists
 * are below the row of their object. */
export function showTable(rows, name) {
  const names = [...new Set(rows.flatMap(Object.keys))];
  const columns = names.filter((column) => !rows.some((row) => isNested(row[column])));
  const ofNumbers = columns.filter((column) => rows.every((row) => typeof row[column] === "number"));
  const barred = ofNumbers.length === 1 ? ofNumbers[0] : "";
  const largest = Math.max(...rows.map((row) => Math.abs(row[barred] ?? 0)), 1e-12);
  const isSigned = rows.some((row) => row[barred] < 0) || barred === "effect";
  const kind = (column) => (ofNumbers.includes(column) ? "number" : "");
  const head = columns.map((column) => element("th", { scope: "col", className: kind(column) }, words(column)));
  if (barred) head.push(element("th", { scope: "col" }, element("span", { className: "unseen" }, "as a bar")));
  const body = rows.flatMap((row) => {
    const cells = columns.map((column) => element("td", { className: kind(column) }, plain(row[column])));
    if (barred) cells.push(element("td", { className: "bars" }, bar(row[barred] / largest, isSigned)));
    const lists = names.filter((column) => isNested(row[column]) && !isEmpty(row[column]));
    const below = lists.map((column) => `${words(column)}: ${listed(row[column])}`).join(". ");
    if (!below) return [element("tr", {}, ...cells)];
    const rest = element("td", { colSpan: head.length, className: "small" }, below);
    return [element("tr", { className: "joined" }, ...cells), element("tr", {}, rest)];
  });
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  return element("div", { className: "wide", tabIndex: 0, role: "group", ariaLabel: words(name) }, table);
}

function listed(value) {
  const items = Array.isArray(value) ? value : [value];
  return items.map((item) => (isNested(item) ? Object.values(item).map(plain).join(" ") : plain(item))).join("; ");
}

/** Draw a share from -1 to 1 as a bar; where both signs occur, zero is in the middle. */
function bar(share, isSigned) {
  const width = (Math.abs(share) * 100) / (isSigned ? 2 : 1);
  const start = isSigned ? (share < 0 ? 50 - width : 50) : 0;
  const drawn = svg("rect", { x: `${start}%`, width: `${width}%`, height: 10, rx: 2, class: share < 0 ? "less" : "more" });
  const axis = isSigned ? [svg("line", { x1: "50%", x2: "50%", y1: -3, y2: 13 })] : [];
  return svg("svg", { class: "bar", height: 10, "aria-hidden": "true" }, drawn, ...axis);
}

/** Draw a matrix over the image: the stronger a region counts, the more colour it has. */
function showMap(matrix, image) {
  const height = matrix.length;
  const width = matrix[0].length;
  const largest = Math.max(...matrix.flat().map(Math.abs), 1e-12);
  const map = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "map", role: "img", "aria-label": "Regions that moved the answer" });
  if (image) map.append(svg("image", { href: image, width, height, preserveAspectRatio: "none" }));
  matrix.forEach((row, y) =>
    row.forEach((value, x) => {
      const region = svg("rect", { x, y, width: 1, height: 1, class: value < 0 ? "less" : "more" });
      region.setAttribute("fill-opacity", (0.6 * Math.abs(value)) / largest);
      region.append(svg("title", {}, shortened(value)));
      map.append(region);
    }),
  );
  return map;
}

/** Draw counts as columns; for screen readers, a text and the labels of columns that are not empty. */
export function columnChart(bars, text) {
  const largest = Math.max(...bars.map(({ value }) => value), 1e-12);
  const labels = bars.filter(({ value }) => value).map(({ label }) => label);
  const description = `${text}: ${labels.join("; ")}`;
  const chart = svg("svg", { viewBox: `0 0 ${bars.length * 10} 60`, class: "chart", role: "img", "aria-label": description, preserveAspectRatio: "none" });
  bars.forEach(({ label, value }, index) => {
    const height = (58 * value) / largest;
    const column = svg("rect", { x: index * 10 + 1, y: 60 - height, width: 8, height, class: "more" });
    column.append(svg("title", {}, label));
    chart.append(column);
  });
  return chart;
}
