// What a row opens to. It is built when it is opened for the first time.

/** A matrix of more classes than this takes the whole width. */
const WIDE_MATRIX = 14;
const DIRECTIONS = { i2t: ["Image to text", "asked with the image"], t2i: ["Text to image", "asked with the text"] };

function detail(board, number, index) {
  const source = $(`detail-${number}-${index}`);
  const row = board.tables[number].rows[index];
  if (!source) return make("p", {}, "The page is still being read; open the row again in a moment.");
  const said = JSON.parse(source.textContent);
  const parts = [
    runsPart(board, said),
    numbersPart(board, said),
    settingsPart(board, number, said),
    curvesPart(said),
    ...classesParts(board, said),
    mistakenPart(board, said),
    examplesPart(said),
  ];
  const link = make("a", { href: `#${row.anchor}`, class: "link" }, "Link to this row");
  const head = make("div", { class: "detail-head" }, make("h3", {}, row.name), link);
  const notes = [...said.notes, ...(said.absent ? [said.absent] : [])].map(text => make("p", { class: "note" }, text));
  return make("div", { class: "detail" }, head, ...notes, make("div", { class: "parts" }, ...parts.filter(Boolean)));
}

function part(title, about, ...children) {
  const head = [make("h4", {}, title), about ? make("p", { class: "about" }, about) : null];
  return make("section", { class: "part" }, ...head.filter(Boolean), ...children);
}

function runsPart(board, said) {
  const rows = said.runs.map(run => [
    String(run.seed), make("code", {}, run.id), run.epochs ? `${run.best} of ${run.epochs}` : "–",
    short(run.train_s), run.finished || "–",
  ]);
  const table = plainTable(["Seed", "Run id", "Epoch", "Train s", "Finished"], rows);
  const places = [...new Set(said.runs.map(run => run.place))].map(place => placeOf(board.places[place], said, place));
  return part("Runs", null, scrolled("Runs", table), ...places);
}

function placeOf(place, said, number) {
  const seeds = said.runs.filter(run => run.place === number).map(run => run.seed).join(", ");
  const line = (name, value) => [make("dt", {}, name), make("dd", {}, value)];
  const pairs = object => Object.entries(object).map(([name, value]) => `${name} ${value}`).join(" · ") || "–";
  return make("dl", { class: "facts" },
    ...(new Set(said.runs.map(run => run.place)).size > 1 ? line("Seeds", seeds) : []),
    ...line("Commit", place.commit ? make("code", {}, place.commit) : "not recorded"),
    ...line("Hardware", pairs(place.hardware)), ...line("Versions", pairs(place.versions)));
}

function settingsPart(board, number, said) {
  const shared = board.tables[number].shared, all = { ...shared, ...said.own };
  const list = keys => make("dl", { class: "settings" }, ...keys.map(key => make("div", {}, make("dt", {}, key), make("dd", {}, all[key]))));
  const own = board.order.filter(key => key in said.own);
  const whole = make("details", {}, make("summary", {}, `All ${plural(Object.keys(all).length, "setting")}`));
  whole.addEventListener("toggle", () => {
    if (whole.open && whole.children.length === 1) whole.append(list(board.order.filter(key => key in all)));
  });
  const about = own.length ? "Where rows of this table differ." : "Rows of this table do not differ in any setting.";
  return wide(part("Settings", about, own.length ? list(own) : null, whole));
}

function numbersPart(board, said) {
  const seeds = said.runs.map(run => `seed ${run.seed}`);
  const several = said.runs.length > 1;
  const rows = board.keys.map((key, i) => [key, said.numbers[i]]).filter(([, values]) => values.some(v => v !== null));
  const cells = rows.map(([key, values]) => {
    const mean = values.at(-2), half = values.at(-1);
    const interval = mean === null ? "–" : `${short(mean, 4)}${half === null ? "" : ` ± ${short(half, 2)}`}`;
    return [key, ...(several ? [interval] : []), ...values.slice(0, -2).map(v => short(v, 4))];
  });
  const heads = ["Number", ...(several ? ["Mean ± 95 % over seeds"] : []), ...seeds];
  return part("Numbers of each seed", null, low("Numbers of each seed", plainTable(heads, cells, { class: "numbers" })));
}

function curvesPart(said) {
  if (!said.curves) return null;
  const keys = Object.keys(said.curves);
  if (!keys.length) return part("Training curves", "These runs recorded no epochs.");
  keys.sort((a, b) => b.startsWith("val/") - a.startsWith("val/") || (b === "train/loss") - (a === "train/loss"));
  const charts = keys.map(key => {
    const series = said.curves[key].map((points, i) => ({
      name: `seed ${said.runs[i].seed}`, points, mark: said.runs[i].best, kind: `k${i % 5}`,
    })).filter(one => one.points.length);
    const ends = series.map(one => `${one.name} ${short(one.points[0][1])} to ${short(one.points.at(-1)[1])}`).join("; ");
    return lineChart({ title: key, label: `${key} by epoch: ${ends}`, series, xTitle: "epoch" });
  });
  return wide(part("Training curves", "A dot is the epoch that was chosen.", make("div", { class: "charts" }, ...charts)));
}

function wide(node) {
  node.classList.add("across");
  return node;
}

/** What scrolls by itself so that the rest of the row stays near. */
function low(label, content) {
  const region = scrolled(label, content);
  region.classList.add("short");
  return region;
}

const labelOf = (board, at) => board.labels[at] ?? `class ${at}`;

function classesParts(board, said) {
  const found = said.classes;
  if (!found) return [];
  const runs = `test, ${found.runs === 1 ? "one run" : `sum over ${found.runs} runs`}`;
  const parts = [];
  if (found.mistakes) {
    const shown = found.confusion ? [confusion(board, found)] : [];
    const matrix = part("Confusion matrix", `True class by predicted class; ${runs}.`, make("div", { class: "beside" }, ...shown, mistakes(board, found)));
    parts.push(found.confusion?.length > WIDE_MATRIX ? wide(matrix) : matrix);
  }
  if (found.precision) parts.push(precisionPart(board, found));
  return parts;
}

function confusion(board, found) {
  const names = found.confusion.map((_, i) => labelOf(board, i));
  const head = make("tr", {}, make("th", { scope: "col", class: "corner" }, "true ↓ predicted →"),
    ...names.map(name => make("th", { scope: "col" }, make("span", {}, name))));
  const rows = found.confusion.map((counts, t) => make("tr", {}, make("th", { scope: "row" }, names[t]),
    ...counts.map((count, p) => {
      const cell = make("td", { class: t === p ? "right" : count ? "wrong" : null }, count ? String(count) : "");
      if (count) cell.style.setProperty("--heat", `${(8 + 42 * count / Math.max(1, found.sums[t])).toFixed(0)}%`);
      return cell;
    })));
  const table = make("table", { class: "confusion" }, make("caption", { class: "hidden" }, "Confusion matrix"),
    make("thead", {}, head), make("tbody", {}, ...rows));
  return scrolled("Confusion matrix", table);
}

function mistakes(board, found) {
  if (!found.mistakes.length) return make("p", {}, "No mistake.");
  const few = found.confusion ? 5 : found.mistakes.length;
  const lines = found.mistakes.slice(0, few).map(([t, p, count]) => make("li", {},
    make("b", {}, labelOf(board, t)), " taken for ", make("b", {}, labelOf(board, p)),
    `: ${count}, ${(100 * count / found.sums[t]).toFixed(0)} % of them`));
  return make("div", {}, make("h5", {}, "Most frequent mistakes"), make("ol", { class: "mistakes" }, ...lines));
}

function precisionPart(board, found) {
  const classes = Object.keys(found.precision).filter(key => key !== "micro");
  classes.sort((a, b) => found.average[a] - found.average[b]);
  const chosen = ["micro", ...classes.slice(0, 3)];
  const name = key => key === "micro" ? "all classes (micro)" : labelOf(board, +key);
  const series = chosen.filter(key => key in found.precision).map((key, i) => ({
    name: `${name(key)} · AP ${(100 * found.average[key]).toFixed(1)}`, kind: `k${i}`,
    points: found.precision[key].map((value, at) => [board.recalls[at], value / 1000]),
  }));
  const label = `Precision against recall. Average precision: ${series.map(one => one.name.replace(" · AP", "")).join("; ")}`;
  const chart = lineChart({ title: "precision", label, series, xTitle: "recall", x: [0, 1], y: [0, 1.02] });
  const rows = classes.map(key => [name(key), (100 * found.average[key]).toFixed(1)]);
  const all = make("details", {}, make("summary", {}, `Average precision of ${plural(classes.length, "class", "classes")}`),
    plainTable(["Class", "AP"], rows, { class: "numbers" }));
  const runs = found.runs === 1 ? "one run" : `mean over ${found.runs} runs`;
  return part("Precision and recall",
    `Test, ${runs}; at each recall the highest precision at it or beyond. All classes together, and the ` +
    `${plural(Math.min(3, classes.length), "class", "classes")} of lowest average precision.`, chart, all);
}

function mistakenPart(board, said) {
  if (!said.mistaken?.length) return null;
  const items = said.mistaken.map(item => make("li", {}, make("figure", {}, pictureOf(item), make("figcaption", {},
    make("p", { class: "rank" }, "is ", make("b", {}, labelOf(board, item.true)), ", taken for ", make("b", {}, labelOf(board, item.predicted))),
    make("p", { class: "words" }, item.text || item.id)))));
  const about = `Items of test that seed ${said.examples.seed} takes for another class, the most decided first.`;
  return wide(part("Misclassified items", about, make("div", { class: "examples" }, make("ul", {}, ...items))));
}

function pictureOf(item) {
  const source = item.picture === null ? null : $(`picture-${item.picture}`);
  return source ? make("img", { src: source.textContent, alt: `picture of ${item.id}` }) : make("span", { class: "no-picture" }, "no picture");
}

function examplesPart(said) {
  if (!said.examples) return null;
  const { found, why, seed } = said.examples;
  const ways = Object.entries(found);
  if (!ways.length) return why && !said.classes ? part("Example retrievals", why) : null;
  const blocks = ways.flatMap(([way, kinds]) => Object.entries(kinds).map(([kind, queries]) => make("div", { class: "examples" },
    make("h5", {}, `${DIRECTIONS[way][0]}: ${kind === "best" ? "best" : "worst"} queries`),
    make("ul", {}, ...queries.map(query => example(way, query))))));
  const shown = Object.values(found).some(kinds => Object.values(kinds).flat().some(query => query.found));
  const about = `Queries of test by the rank of their first right answer, of seed ${seed}: an image with its own text` +
    (shown ? ", and what was found for it, ✓ for what belongs to it." : ".");
  return wide(part("Example retrievals", about, make("div", { class: "ways" }, ...blocks)));
}

function example(way, query) {
  const rank = make("p", { class: "rank" }, "rank ", make("b", {}, short(query.rank, 4)), ` of ${query.of.toLocaleString("en")}`);
  const text = make("p", { class: "words" }, query.text || query.id);
  return make("li", {}, make("figure", { class: way }, pictureOf(query),
    make("figcaption", {}, rank, hidden(`${DIRECTIONS[way][1]}: `), text)), ...(query.found ? [foundList(way, query)] : []));
}

function foundList(way, query) {
  return make("ol", { class: "found", "aria-label": `found for ${query.id}` }, ...query.found.map(one => {
    const source = one.picture === null ? null : $(`picture-${one.picture}`);
    const said = one.right ? "✓ " : "";
    const content = way === "t2i" && source
      ? [make("img", { src: source.textContent, alt: `picture of ${one.id}` }), `${said}${one.rank}`]
      : [`${one.rank}. ${said}${one.text || one.id}`];
    return make("li", { class: one.right ? "right" : "" }, ...content, ...(one.right ? [hidden(" belongs to it")] : []));
  }));
}
