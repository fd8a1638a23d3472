// A table of rows: sorted, filtered, its columns chosen, its rows opened. Rows beyond the first are made when needed.

const FIRST_ROWS = 200, MORE_ROWS = 200;
const GROUPS = { classification: "Classification", retrieval: "Retrieval", cost: "Cost" };

class Table {
  constructor(board, number) {
    this.board = board;
    this.number = number;
    this.data = board.tables[number];
    this.heads = this.data.heads.map(([title, group, best, shown]) => ({ title, group, best, shown }));
    this.rows = this.data.rows;
    this.narrow = matchMedia("(max-width: 44rem)").matches;
    this.words = this.rows.map(row => {
      const named = row.text.filter((_, c) => this.heads[c].group === "name");
      return [row.name, ...named, ...row.choices].join("\n").toLowerCase();
    });
    this.element = $(`table-${number}`);
    this.region = $(`region-${number}`);
    this.body = this.element.tBodies[0];
    this.nodes = [];
    this.details = new Map();
    this.sorting = null;
    this.limit = FIRST_ROWS;
    this.scale = this.scaleOf();
    [...this.body.rows].forEach((node, i) => { this.nodes[i] = this.enhance(node, i); });
    this.headings = [...this.element.tHead.rows[0].cells];
    if (this.narrow) this.heads[0].title = this.heads[0].title === "Index" ? "Index" : "System";
    this.headings.forEach((cell, i) => this.sortable(cell, i));
    this.tools();
    if (this.narrow) this.heads.forEach((head, c) => { if (c && head.group === "name") this.show(c, false); });
    this.order = this.rows.map((_, i) => i);
    this.body.addEventListener("click", event => {
      const button = event.target.closest("button.open");
      if (button) this.toggle(+button.closest("tr").dataset.row);
    });
    this.say();
    this.offerMore();
  }

  // Rows

  scaleOf() {
    if (this.data.plotted === null) return null;
    const found = this.rows.flatMap(row => {
      const shown = interval(row.text[this.data.plotted]);
      return shown ? [shown.mean - shown.half, shown.mean + shown.half] : [];
    });
    return found.length ? extent(found) : null;
  }

  node(i) {
    if (!this.nodes[i]) this.nodes[i] = this.enhance(this.written(i), i);
    return this.nodes[i];
  }

  written(i) {
    const row = this.rows[i], line = make("tr", { id: row.anchor, class: row.leads ? "leads" : "" });
    row.text.forEach((text, c) => {
      const head = this.heads[c], off = head.shown ? "" : " off";
      const strong = this.data.strong.includes(c) ? " strong" : "";
      if (c === 0) line.append(make("th", { scope: "row", class: `name${text.length < 30 ? " tight" : ""}${strong}` }, text));
      else if (head.group === "name") line.append(make("td", { class: `name${text.length < 30 ? " tight" : ""}${off}` }, text));
      else {
        const [mean, half] = text.split(" ± ");
        line.append(make("td", { class: head.group + off + strong }, make("span", { class: "mean" }, mean),
          half ? make("span", { class: "half" }, ` ± ${half}`) : null));
      }
    });
    return line;
  }

  enhance(node, i) {
    const row = this.rows[i], first = node.cells[0];
    node.dataset.row = i;
    // A narrow screen has room for one column of names; the whole name of a grid's row stands in it.
    const title = this.narrow ? row.name : row.text[0];
    const label = row.name === title ? ": details" : `: details of ${row.name}`;
    first.replaceChildren(make("button", { type: "button", class: "open", "aria-expanded": "false" },
      make("span", { class: "arrow", "aria-hidden": "true" }), make("span", {}, title), hidden(label)));
    const at = this.data.plotted;
    if (at !== null && this.scale) {
      const shown = interval(row.text[at]);
      node.cells[at].classList.add("plotted");
      if (shown) node.cells[at].prepend(whisker(shown.mean, shown.half, this.scale));
    }
    return node;
  }

  toggle(i, open = !this.details.has(i)) {
    const button = this.node(i).querySelector("button.open");
    if (open && !this.details.has(i)) {
      const cell = make("td", { colspan: this.heads.length }, detail(this.board, this.number, i));
      const line = make("tr", { class: "opened", id: `opened-${this.number}-${i}` }, cell);
      this.details.set(i, line);
      this.node(i).after(line);
      button.setAttribute("aria-controls", line.id);
    } else if (!open && this.details.has(i)) {
      this.details.get(i).remove();
      this.details.delete(i);
      button.removeAttribute("aria-controls");
    }
    button.setAttribute("aria-expanded", String(open));
    this.node(i).classList.toggle("is-open", open);
  }

  render() {
    const asked = this.search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = this.selects.map(select => select.value);
    this.order = [];
    this.rows.forEach((row, i) => {
      if (chosen.every((value, f) => !value || row.choices[f] === value.slice(1)) &&
          asked.every(word => this.words[i].includes(word) || this.isRun(i, word))) this.order.push(i);
    });
    this.sort();
    const lines = document.createDocumentFragment();
    for (const i of this.order.slice(0, this.limit)) {
      lines.append(this.node(i));
      if (this.details.has(i)) lines.append(this.details.get(i));
    }
    if (!this.order.length) {
      lines.append(make("tr", {}, make("td", { colspan: this.heads.length, class: "nothing" }, "No row has all of that.")));
    }
    this.body.replaceChildren(lines);
    this.clear.hidden = !asked.length && !chosen.some(Boolean);
    this.say();
    this.offerMore();
  }

  /** Whether a word is the beginning of a run's id; shorter ones would be found in any. */
  isRun(i, word) {
    return word.length >= 6 && this.rows[i].runs.some(run => run.startsWith(word));
  }

  more(count) {
    const from = this.limit;
    this.limit = Math.min(this.order.length, from + count);
    const lines = document.createDocumentFragment();
    for (const i of this.order.slice(from, this.limit)) {
      lines.append(this.node(i));
      if (this.details.has(i)) lines.append(this.details.get(i));
    }
    this.body.append(lines);
    this.offerMore();
    this.say();
  }

  offerMore() {
    const place = $(`more-${this.number}`), left = this.order.length - this.limit;
    place.hidden = left <= 0;
    if (left <= 0) return;
    const next = make("button", { type: "button" }, `Show ${Math.min(MORE_ROWS, left)} more`);
    next.addEventListener("click", () => this.more(MORE_ROWS));
    const all = make("button", { type: "button", class: "quiet" }, `Show all ${this.order.length.toLocaleString("en")}`);
    all.addEventListener("click", () => this.more(left));
    place.replaceChildren(next, " ", all);
    if (!this.watch) {
      this.watch = () => {
        const near = this.region.scrollTop + this.region.clientHeight > this.region.scrollHeight - 600;
        if (near && this.limit < this.order.length && this.region.scrollTop > 0) this.more(MORE_ROWS);
      };
      this.region.addEventListener("scroll", this.watch, { passive: true });
    }
  }

  /** Make a row stand in the table and open it. */
  reveal(i) {
    for (let fold = this.element.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    if (!this.order.includes(i)) this.reset();
    const place = this.order.indexOf(i);
    if (place >= this.limit) this.more(place + 1 - this.limit);
    this.toggle(i, true);
    this.node(i).scrollIntoView({ block: "start" });
  }

  // Order

  sortable(cell, column) {
    const title = this.heads[column].title;
    const button = make("button", { type: "button" }, make("span", {}, title), make("span", { class: "way", "aria-hidden": "true" }));
    button.addEventListener("click", () => this.sortBy(column));
    cell.replaceChildren(button);
  }

  sortBy(column) {
    const head = this.heads[column], first = head.group === "name" || head.best !== "max" ? 1 : -1;
    const way = this.sorting?.column === column ? -this.sorting.way : first;
    this.sorting = { column, way };
    this.headings.forEach((cell, i) => {
      if (i === column) cell.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    });
    this.limit = Math.min(this.limit, FIRST_ROWS);
    this.render();
    this.region.scrollTop = 0;
  }

  sort() {
    if (!this.sorting) return;
    const { column, way } = this.sorting;
    const value = i => this.narrow && column === 0 ? this.rows[i].name : this.rows[i].value[column];
    const text = this.heads[column].group === "name";
    const compare = text ? (a, b) => COLLATOR.compare(a, b) : (a, b) => a - b;
    this.order.sort((i, j) => {
      const a = value(i), b = value(j);
      if (a === null || b === null) return (a === null) - (b === null) || i - j;
      return way * compare(a, b) || i - j;
    });
  }

  say() {
    const shown = Math.min(this.limit, this.order.length), whole = this.rows.length;
    let said = this.order.length === whole ? plural(whole, "row") : `${this.order.length.toLocaleString("en")} of ${plural(whole, "row")}`;
    if (shown < this.order.length) said += `, the first ${shown.toLocaleString("en")} shown`;
    if (this.sorting) {
      const { column, way } = this.sorting, head = this.heads[column];
      const words = head.group === "name" ? ["A to Z", "Z to A"] : ["lowest first", "highest first"];
      said += `, sorted by ${head.title}, ${words[way > 0 ? 0 : 1]}`;
    } else said += this.rows.some(row => row.leads) ? ", the leading group first" : ", best on validation first";
    $(`status-${this.number}`).textContent = `${said}.`;
  }

  // Tools

  tools() {
    const id = name => `${name}-${this.number}`;
    this.search = make("input", { type: "search", id: id("search"), placeholder: "Filter rows", autocomplete: "off", spellcheck: "false" });
    this.search.addEventListener("input", () => this.refilter());
    const place = $(`tools-${this.number}`);
    place.append(make("label", { class: "field", for: this.search.id }, hidden("Filter rows by text"), this.search));
    const filters = make("div", { class: "filters" });
    this.selects = Object.entries(this.data.filters).map(([title, choices], f) => {
      const select = make("select", { id: id(`filter-${f}`) }, make("option", { value: "" }, `${title}: any`),
        ...choices.map(choice => make("option", { value: `=${choice}` }, choice)));
      select.addEventListener("change", () => { select.classList.toggle("chosen", Boolean(select.value)); this.refilter(); });
      filters.append(make("label", { class: "field", for: select.id }, hidden(`Filter by ${title}`), select));
      return select;
    });
    const folded = () => make("details", { class: "folded" }, make("summary", {}, "Filters"), filters);
    if (this.selects.length) place.append(this.narrow ? folded() : filters);
    this.clear = make("button", { type: "button", class: "quiet", hidden: true }, "Clear");
    this.clear.addEventListener("click", () => { this.reset(); this.search.focus(); });
    place.append(this.clear, this.columns());
  }

  refilter() {
    this.limit = FIRST_ROWS;
    this.render();
    this.region.scrollTop = 0;
  }

  reset() {
    this.search.value = "";
    for (const select of this.selects) { select.value = ""; select.classList.remove("chosen"); }
    this.refilter();
  }

  columns() {
    const groups = Object.keys(GROUPS).filter(group => this.heads.some(head => head.group === group));
    const place = make("div", { class: "columns", role: "group", "aria-label": "Columns" });
    this.boxes = [];
    this.chips = new Map();
    if (groups.length > 1) {
      for (const group of groups) {
        const chip = make("button", { type: "button", class: "chip" }, GROUPS[group]);
        chip.addEventListener("click", () => {
          const on = chip.getAttribute("aria-pressed") !== "true";
          this.heads.forEach((head, c) => { if (head.group === group) this.show(c, on); });
        });
        this.chips.set(group, chip);
        place.append(chip);
      }
    }
    const list = make("div", { class: "list" });
    this.heads.forEach((head, c) => {
      if (c === 0) return;
      const box = make("input", { type: "checkbox" });
      box.checked = head.shown;
      box.addEventListener("change", () => this.show(c, box.checked));
      this.boxes[c] = box;
      list.append(make("label", {}, box, head.title));
    });
    place.append(make("details", { class: "menu" }, make("summary", {}, "Columns"), list));
    this.mark();
    return place;
  }

  show(column, on) {
    this.heads[column].shown = on;
    this.boxes[column].checked = on;
    this.headings[column].classList.toggle("off", !on);
    for (const node of this.nodes) if (node) node.cells[column].classList.toggle("off", !on);
    this.mark();
  }

  mark() {
    for (const [group, chip] of this.chips) {
      pressed(chip, this.heads.some(head => head.group === group && head.shown));
    }
  }
}
