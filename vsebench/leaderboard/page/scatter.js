// A plot of any number of a table's rows against any other.

const PLOT = { width: 640, height: 380, left: 60, right: 14, top: 12, bottom: 44 };
const MOST_COLOURS = 5;

class Scatter {
  constructor(table) {
    this.table = table;
    const numbers = table.heads.flatMap((head, c) =>
      head.group !== "name" && (head.key || !head.ends) && table.rows.some(row => typeof row.value[c] === "number") ? [c] : []);
    this.node = null;
    if (numbers.length < 2 || table.rows.length < 2) return;
    const select = (label, options) => {
      const node = make("select", { id: `${label}-${table.number}` }, ...options.map(([value, text]) => make("option", { value }, text)));
      node.addEventListener("change", () => this.draw());
      return [node, make("span", { class: "field" }, make("label", { for: node.id }, label), " ", node)];
    };
    const titles = numbers.map(c => [c, table.heads[c].title]), kinds = Object.keys(table.data.filters).map((title, f) => [f, title]);
    const [x, across] = select("x", titles), [y, up] = select("y", titles);
    const [colour, by] = select("colour", [["", "leading group"], ...kinds]);
    const costs = numbers.find(c => table.heads[c].group === "cost");
    x.value = costs ?? numbers[0];
    y.value = table.data.plotted ?? numbers.at(-1);
    const log = make("input", { type: "checkbox" });
    log.addEventListener("change", () => this.draw());
    Object.assign(this, { x, y, colour, log });
    this.picture = make("div");
    this.node = make("details", { class: "scatter" }, make("summary", {}, "Plot any number against any"),
      make("div", { class: "tools" }, across, up, by, make("label", {}, log, " x on a log scale")), this.picture);
    this.node.addEventListener("toggle", () => this.draw());
  }

  choices() {
    if (!this.node?.open) return [];
    const { heads, data } = this.table;
    return [["x", heads[this.x.value].name], ["y", heads[this.y.value].name],
      ...(this.colour.value ? [["colour", Object.keys(data.filters)[this.colour.value]]] : []), ...(this.log.checked ? [["log", "x"]] : [])];
  }

  restore(get) {
    if (!this.node) return;
    const numbers = [...this.x.options].map(option => option.value);
    for (const name of ["x", "y"]) {
      const c = String(this.table.heads.findIndex(head => head.name === get(name)));
      if (numbers.includes(c)) this[name].value = c;
    }
    const kind = Object.keys(this.table.data.filters).indexOf(get("colour"));
    this.colour.value = kind < 0 ? "" : String(kind);
    this.log.checked = get("log") === "x";
    this.node.open = get("x") !== null;
  }

  /** Draw the rows that pass the table's filters. */
  draw() {
    if (!this.node?.open) return;
    changed();
    const { table, log } = this, x = +this.x.value, y = +this.y.value, at = (i, c) => table.rows[i].value[c] * table.heads[c].scale;
    const rows = table.order.filter(i => [x, y].every(c => table.rows[i].value[c] !== null) && (!log.checked || at(i, x) > 0));
    if (!rows.length) return this.picture.replaceChildren(make("p", {}, "No row has both numbers."));
    const place = value => log.checked ? Math.log10(value) : value;
    const [x0, x1] = padded(extent(rows.map(i => place(at(i, x))))), [y0, y1] = padded(extent(rows.map(i => at(i, y))));
    const { width, height, left, right, top, bottom } = PLOT;
    const across = value => left + (value - x0) / (x1 - x0) * (width - left - right);
    const down = value => height - bottom - (value - y0) / (y1 - y0) * (height - top - bottom);
    const label = `${table.heads[y].title} against ${table.heads[x].title} of ${plural(rows.length, "row")}`;
    const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    for (const tick of ticks(y0, y1, 5)) {
      picture.append(draw("line", { class: "grid", x1: left, x2: width - right, y1: down(tick), y2: down(tick) }),
        draw("text", { x: left - 6, y: down(tick) + 4, "text-anchor": "end" }, short(tick)));
    }
    for (const tick of ticks(x0, x1, 6)) {
      picture.append(draw("line", { class: "grid", x1: across(tick), x2: across(tick), y1: top, y2: height - bottom }),
        draw("text", { x: across(tick), y: height - bottom + 16, "text-anchor": "middle" }, short(log.checked ? 10 ** tick : tick)));
    }
    picture.append(draw("text", { class: "axis", x: width - right, y: height - 6, "text-anchor": "end" }, table.heads[x].title),
      draw("text", { class: "axis", x: 4, y: top - 1 }, table.heads[y].title));
    const note = make("p", { class: "about" }, "A point names its row when pointed at, and opens it by a click.");
    const { of, names } = this.kinds(rows);
    for (const i of rows) {
      const point = draw("circle", { class: `dot k${of(i)}`, cx: across(place(at(i, x))), cy: down(at(i, y)), r: 4.5 });
      const text = `${table.rows[i].name}: ${table.heads[x].title} ${table.rows[i].text[x]}, ${table.heads[y].title} ${table.rows[i].text[y]}`;
      point.append(draw("title", {}, text));
      point.addEventListener("pointerenter", () => { note.textContent = text; });
      point.addEventListener("click", () => { table.reveal(i); changed(); });
      picture.append(point);
    }
    const key = (name, k) => make("span", {}, draw("svg", { viewBox: "0 0 10 10", class: "sample dot-sample", "aria-hidden": "true" }, draw("circle", { class: `dot k${k}`, cx: 5, cy: 5, r: 4.5 })), name);
    const caption = make("figcaption", {}, make("span", { class: "keys" }, ...names.map(key)));
    this.picture.replaceChildren(make("figure", { class: "chart" }, picture, caption), note);
  }

  /** Which colour a row has, and what each means; rare components share the last. */
  kinds(rows) {
    const { rows: all } = this.table, f = this.colour.value;
    const name = i => f === "" ? (all[i].leads ? "leading group" : "other rows") : all[i].choices[f];
    const counts = new Map();
    for (const i of rows) counts.set(name(i), (counts.get(name(i)) ?? 0) + 1);
    let names = f === "" ? ["leading group", "other rows"].filter(one => counts.has(one)) : [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
    const rest = names.length > MOST_COLOURS ? names.slice(MOST_COLOURS - 1) : [];
    if (rest.length) names = [...names.slice(0, MOST_COLOURS - 1), `others (${rest.length})`];
    return { names, of: i => { const at = names.indexOf(name(i)); return at < 0 ? MOST_COLOURS - 1 : at; } };
  }
}
