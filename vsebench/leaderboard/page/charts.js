// Small charts, drawn as SVG.

const WIDTH = 320, HEIGHT = 190, EDGE = { left: 46, right: 10, top: 10, bottom: 30 };

/** About `count` round numbers from low to high. */
function ticks(low, high, count = 4) {
  const span = high - low;
  const rough = span / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) found.push(+at.toPrecision(10));
  return found;
}

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
  if (!(low < high)) { const room = Math.abs(low) * 0.05 || 1; low -= room; high += room; }
  return [low, high];
}

/**
 * Lines in a frame.
 * series: [{name, points: [[x, y]], mark: x of the point that counts, or none, kind: class of the line}]
 */
function lineChart({ title, label, series, xTitle, x = null, y = null }) {
  const points = series.flatMap(one => one.points);
  const [x0, x1] = x ?? extent(points.map(p => p[0])), [y0, y1] = y ?? padded(extent(points.map(p => p[1])));
  const across = v => EDGE.left + (v - x0) / (x1 - x0) * (WIDTH - EDGE.left - EDGE.right);
  const down = v => HEIGHT - EDGE.bottom - (v - y0) / (y1 - y0) * (HEIGHT - EDGE.top - EDGE.bottom);
  const picture = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (const at of ticks(y0, y1)) {
    picture.append(draw("line", { class: "grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: down(at), y2: down(at) }));
    picture.append(draw("text", { x: EDGE.left - 6, y: down(at) + 3.5, "text-anchor": "end" }, short(at)));
  }
  for (const at of ticks(x0, x1, 5)) {
    if (xTitle === "epoch" && !Number.isInteger(at)) continue;
    picture.append(draw("text", { x: across(at), y: HEIGHT - EDGE.bottom + 14, "text-anchor": "middle" }, short(at)));
  }
  picture.append(draw("text", { x: WIDTH - EDGE.right, y: HEIGHT - 3, "text-anchor": "end", class: "axis" }, xTitle));
  for (const one of series) {
    const path = one.points.map(([a, b]) => `${across(a).toFixed(1)},${down(b).toFixed(1)}`).join(" ");
    if (one.points.length > 1) picture.append(draw("polyline", { class: `line ${one.kind}`, points: path }));
    const marked = one.points.filter(p => p[0] === one.mark || one.points.length === 1);
    for (const [a, b] of marked) picture.append(draw("circle", { class: `dot ${one.kind}`, cx: across(a), cy: down(b), r: 3.5 }));
  }
  const caption = make("figcaption", {}, make("b", {}, title));
  if (series.length > 1) {
    caption.append(make("span", { class: "keys" }, ...series.map(one => make("span", {}, sample(one.kind), one.name))));
  }
  return make("figure", { class: "chart" }, caption, picture);
}

const padded = ([low, high]) => [low - (high - low) * 0.06, high + (high - low) * 0.06];

function sample(kind) {
  return draw("svg", { viewBox: "0 0 24 8", class: "sample", "aria-hidden": "true" },
    draw("line", { class: `line ${kind}`, x1: 1, x2: 23, y1: 4, y2: 4 }));
}

/** A mean with its interval on a table's scale, an arrow at its edge where it lies beyond; the row says both in digits. */
function whisker(shown, [low, high]) {
  const at = value => 4 + Math.min(1, Math.max(0, (value - low) / (high - low))) * 82;
  const picture = draw("svg", { viewBox: "0 0 90 14", class: "whisker", "aria-hidden": "true" });
  picture.append(draw("line", { class: "track", x1: 1, x2: 89, y1: 7, y2: 7 }));
  if (shown.high > low && shown.low < high && shown.low < shown.high) {
    picture.append(draw("line", { class: "half", x1: at(shown.low), x2: at(shown.high), y1: 7, y2: 7 }));
  }
  if (shown.mean < low) picture.append(draw("path", { class: "beyond", d: "M8 3 L2 7 L8 11" }));
  else if (shown.mean > high) picture.append(draw("path", { class: "beyond", d: "M82 3 L88 7 L82 11" }));
  else picture.append(draw("circle", { cx: at(shown.mean), cy: 7, r: 3.2 }));
  return picture;
}
