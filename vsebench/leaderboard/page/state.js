// What a reader has chosen, in the page's address: filters, order, columns and opened rows.

/** Called after every choice: the address follows a moment later. */
let waiting = null;
function changed() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const address = addressOf();
    const keeps = !address && location.hash.startsWith("#part-");
    if (!keeps && address !== location.hash.slice(1)) history.replaceState(null, "", `#${address}`);
  }, 120);
}

function addressOf() {
  const chosen = new URLSearchParams();
  for (const table of tables) {
    for (const [key, value] of choicesOf(table)) chosen.append(`${table.number}.${key}`, value);
  }
  const open = tables.flatMap(table => [...table.details.keys()].map(i => table.rows[i].anchor));
  if (open.length === 1 && !chosen.size && !pinned.length) return open[0];
  if (open.length) chosen.set("open", open.join(","));
  if (pinned.length) chosen.set("pin", pinned.map(({ table, i }) => table.rows[i].anchor).join(","));
  if ($("comparison").open) chosen.set("compare", "1");
  return chosen.toString();
}

/** [name, value] of everything that is not as the table begins. */
function choicesOf(table) {
  const { filters, heads, sorting } = table, titles = Object.keys(table.data.filters), chosen = [];
  if (filters.search.value) chosen.push(["search", filters.search.value]);
  filters.selects.forEach((select, f) => { if (select.value) chosen.push([`is.${titles[f]}`, select.value.slice(1)]); });
  for (const [c, ends] of filters.bounds) {
    ["from", "to"].forEach((name, end) => { if (ends[end] !== null) chosen.push([`${name}.${heads[c].name}`, ends[end]]); });
  }
  if (filters.by.value) chosen.push(["by", titles[filters.by.value]]);
  if (sorting) chosen.push(["sort", `${sorting.way > 0 ? "" : "-"}${heads[sorting.column].name}`]);
  heads.forEach((head, c) => { if (head.shown !== table.usual[c]) chosen.push([head.shown ? "show" : "hide", head.name]); });
  return [...chosen, ...table.scatter.choices()];
}

/** Make a table as the address says; what is not said there is as it begins. */
function restore(table, chosen) {
  const { filters, heads } = table, titles = Object.keys(table.data.filters);
  const get = key => chosen.get(`${table.number}.${key}`);
  const column = name => heads.findIndex(head => head.name === name);
  filters.search.value = get("search") ?? "";
  filters.selects.forEach((select, f) => {
    const value = get(`is.${titles[f]}`);
    select.value = value === null ? "" : `=${value}`;
  });
  filters.by.value = Math.max(-1, titles.indexOf(get("by"))) < 0 ? "" : String(titles.indexOf(get("by")));
  filters.bounds.clear();
  heads.forEach((head, c) => {
    const ends = ["from", "to"].map(name => get(`${name}.${head.name}`)).map(v => v === null || !Number.isFinite(+v) ? null : +v);
    if (ends.some(end => end !== null)) filters.bounds.set(c, ends);
  });
  const sort = get("sort"), by = sort === null ? -1 : column(sort.replace(/^-/, ""));
  table.setSorting(by < 0 ? null : { column: by, way: sort.startsWith("-") ? -1 : 1 });
  const [more, less] = ["show", "hide"].map(name => chosen.getAll(`${table.number}.${name}`));
  heads.forEach((head, c) => { if (c) table.columns.show(c, more.includes(head.name) || (table.usual[c] && !less.includes(head.name))); });
  table.scatter.restore(get);
  filters.apply();
}

function readAddress() {
  let anchor;
  try { anchor = decodeURIComponent(location.hash.slice(1)); } catch { return; }
  if (anchor.startsWith("part-")) return openPart(anchor);
  const chosen = new URLSearchParams(anchor.includes("=") ? location.hash.slice(1) : "");
  const open = anchor.startsWith("row-") ? [anchor] : (chosen.get("open") ?? "").split(",");
  for (const table of tables) {
    if (choicesOf(table).length || [...chosen.keys()].some(key => key.startsWith(`${table.number}.`))) restore(table, chosen);
    const closed = [...table.details.keys()].filter(i => !open.includes(table.rows[i].anchor));
    if (!anchor.startsWith("row-")) for (const i of closed) table.toggle(i, false);
    table.rows.forEach((row, i) => { if (open.includes(row.anchor) && !table.details.has(i)) table.reveal(i); });
  }
  if (!anchor.startsWith("row-")) restorePins(chosen);
}

function restorePins(chosen) {
  pinned.length = 0;
  for (const anchor of (chosen.get("pin") ?? "").split(",").slice(0, 2)) {
    for (const table of tables) {
      const i = table.rows.findIndex(row => row.anchor === anchor);
      if (i >= 0) pinned.push({ table, i });
    }
  }
  showPins();
  if (chosen.has("compare") && pinned.length === 2) openComparison();
}

function openPart(anchor) {
  const part = $(anchor);
  if (!part) return;
  part.open = true;
  part.scrollIntoView();
}
