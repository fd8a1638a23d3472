// Two rows side by side: pinned in their tables, compared in a window of the page.

const pinned = [];

/** What a row shows: title of a column -> its text, value and scale. */
function numbersOf({ table, i }) {
  const row = table.rows[i];
  return new Map(table.heads.map((head, c) => [head.title, { ...head, text: row.text[c], value: row.value[c] }]).slice(1));
}

function isPinned(table, i) {
  return pinned.findIndex(one => one.table === table && one.i === i);
}

/** Pin a row, or let it go; a third takes the place of the first. */
function pin(table, i) {
  const at = isPinned(table, i);
  if (at >= 0) pinned.splice(at, 1);
  else pinned.push({ table, i });
  if (pinned.length > 2) pinned.shift();
  showPins();
}

function showPins() {
  for (const button of document.querySelectorAll("button.pin[aria-pressed=true]")) pressed(button, false);
  for (const { table, i } of pinned) pressed(table.node(i).querySelector("button.pin"), true);
  const bar = $("pins");
  bar.hidden = !pinned.length;
  const drop = ({ table, i }) => {
    const button = make("button", { type: "button", class: "quiet" }, table.rows[i].name, make("span", { "aria-hidden": "true" }, " ✕"), hidden(": unpin"));
    button.addEventListener("click", () => pin(table, i));
    return button;
  };
  const compare = make("button", { type: "button", id: "compare-button" }, "Compare");
  compare.addEventListener("click", openComparison);
  bar.replaceChildren(make("span", {}, "Pinned:"), ...pinned.map(drop),
    pinned.length === 2 ? compare : make("span", {}, "pin another row to compare the two."));
  changed();
}

function openComparison() {
  const box = $("comparison");
  const close = make("button", { type: "button", class: "quiet" }, "Close");
  close.addEventListener("click", () => box.close());
  box.replaceChildren(make("div", { class: "detail-head" }, make("h2", { id: "comparison-title" }, "Two rows compared"), close), comparison());
  box.showModal();
  changed();
}

function comparison() {
  const names = pinned.map(({ table, i }) => table.rows[i].name), [a, b] = pinned.map(numbersOf);
  const rows = [...a].filter(([title]) => b.has(title) && a.get(title).group !== "name")
    .map(([title, one]) => [title, one.text, b.get(title).text, differenceOf(one, b.get(title))])
    .filter(([, one, other]) => one !== "–" || other !== "–");
  const settings = pinned.map(({ table, i }) => ({ ...table.data.shared, ...settingsOf(table.number, i) }));
  const keys = board.order.filter(key => settings[0][key] !== settings[1][key])
    .map(key => [key, settings[0][key] ?? "–", settings[1][key] ?? "–"]);
  const sides = pinned.map(({ table, i }, at) => {
    const said = JSON.parse($(`detail-${table.number}-${i}`).textContent);
    return make("div", {}, make("h3", {}, names[at]), curvesPart(said), ...classesParts(board, said));
  });
  return make("div", {}, make("h3", {}, `A: ${names[0]}, B: ${names[1]}`),
    part("Numbers", "A − B in the table's unit; whether a difference is more than chance is said by rank groups and vsebench compare.",
      low("Numbers of both rows", plainTable(["Number", `A: ${names[0]}`, `B: ${names[1]}`, "A − B"], rows, { class: "numbers" }))),
    part("Settings that differ", keys.length ? null : "None.",
      ...(keys.length ? [low("Settings that differ", plainTable(["Setting", names[0], names[1]], keys))] : [])),
    make("div", { class: "pair" }, ...sides));
}

/** A − B with the digits that the table shows. */
function differenceOf(a, b) {
  if (typeof a.value !== "number" || typeof b.value !== "number") return "";
  const difference = a.scale * (a.value - b.value), digits = /^[−+\d]*\.(\d+)/.exec(a.text)?.[1].length;
  const text = digits ? Math.abs(difference).toFixed(digits) : short(Math.abs(difference));
  return Number(text) === 0 ? text : `${difference < 0 ? "−" : "+"}${text}`;
}
