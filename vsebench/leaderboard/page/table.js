// A table of rows: drawn, sorted, grouped, opened. Rows beyond the first are made when needed.

const FIRST_ROWS = 200, MORE_ROWS = 200;

class Table {
  constructor(board, number) {
    this.board = board;
    this.number = number;
    this.data = board.tables[number];
    this.heads = this.data.heads.map(([title, group, best, shown, key, scale, ends]) =>
      ({ title, group, best, shown, key, scale, ends, name: key || title }));
    this.rows = this.data.rows;
    this.narrow = matchMedia("(max-width: 44rem)").matches;
    this.element = $(`table-${number}`);
    this.region = $(`region-${number}`);
    this.body = this.element.tBodies[0];
    this.nodes = [];
    this.details = new Map();
    this.sorting = null;
    this.limit = FIRST_ROWS;
    const intervals = this.heads.filter(head => head.ends), index = intervals.findIndex(head => head.group === "statistics" && head.ends.startsWith("standing."));
    this.interval = { index, scale: intervals[index]?.scale };
    this.scale = this.scaleOf();
    this.ranked = this.heads.findIndex(head => head.group === "statistics" && head.key.endsWith(".group"));
    [...this.body.rows].forEach((node, i) => { this.nodes[i] = this.enhance(node, i); });
    this.headings = [...this.element.tHead.rows[0].cells];
    if (this.narrow) this.heads[0].title = this.heads[0].title === "Index" ? "Index" : "System";
    this.headings.forEach((cell, i) => this.sortable(cell, i));
    this.filters = new Filters(this);
    this.columns = new Columns(this);
    $(`tools-${number}`).append(...this.filters.nodes(), copyMenu(this), this.columns.node);
    if (this.narrow) this.heads.forEach((head, c) => { if (c && head.group === "name") this.columns.show(c, false); });
    this.usual = this.heads.map(head => head.shown);
    this.scatter = new Scatter(this);
    if (this.scatter.node) $(`section-${number}`).append(this.scatter.node);
    this.order = this.rows.map((_, i) => i);
    this.body.addEventListener("click", event => {
      const button = event.target.closest("button.open");
      if (button) { this.toggle(+button.closest("tr").dataset.row); changed(); }
      const other = event.target.closest("button.pin");
      if (other) pin(this, +other.closest("tr").dataset.row);
    });
    this.say();
    this.offerMore();
  }

  // Rows

  /** Ends of a row's whisker, as shown: over items where there are such, else over seeds. */
  ends(i) {
    const at = this.data.plotted, { scale, index } = this.interval, ends = this.rows[i].ends[index];
    if (ends) return { mean: this.rows[i].value[at] * this.heads[at].scale, low: scale * ends[0], high: scale * ends[1] };
    const shown = interval(this.rows[i].text[at]);
    return shown && { mean: shown.mean, low: shown.mean - shown.half, high: shown.mean + shown.half };
  }

  /** The scale of whiskers: the leading group's, with as much room around it; of all rows where none lead. */
  scaleOf() {
    if (this.data.plotted === null) return null;
    const leads = this.rows.some(row => row.leads);
    const shown = this.rows.flatMap((row, i) => !leads || row.leads ? [this.ends(i)] : []).filter(Boolean);
    if (!shown.length) return null;
    const [low, high] = extent(shown.flatMap(one => [one.low, one.high]));
    return leads ? [low - (high - low), high + (high - low) / 4] : [low, high];
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
    const rank = this.ranked < 0 ? null : row.value[this.ranked];
    if (rank !== null) node.dataset.band = rank === 1 ? "1" : rank < 2 ? "undecided" : rank % 2 ? "odd" : "even";
    // A narrow screen has room for one column of names; the whole name of a grid's row stands in it.
    const title = this.narrow ? row.name : row.text[0];
    const label = row.name === title ? ": details" : `: details of ${row.name}`;
    first.replaceChildren(make("div", { class: "row-head" },
      make("button", { type: "button", class: "open", "aria-expanded": "false" },
        make("span", { class: "arrow", "aria-hidden": "true" }), make("span", {}, title), hidden(label)),
      make("button", { type: "button", class: "pin", "aria-pressed": "false", title: "Pin to compare" },
        make("span", { "aria-hidden": "true" }, "⚖"), hidden(`Pin ${row.name} to compare`))));
    const at = this.data.plotted;
    if (at !== null && this.scale) {
      const shown = this.ends(i);
      node.cells[at].classList.add("plotted");
      if (shown) node.cells[at].prepend(whisker(shown, this.scale));
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

  // What is drawn

  render() {
    this.order = this.filters.accepted();
    this.sort();
    this.group();
    this.body.replaceChildren(this.lines(0, this.limit));
    if (!this.order.length) {
      this.body.append(make("tr", {}, make("td", { colspan: this.heads.length, class: "nothing" }, "No row has all of that.")));
    }
    this.say();
    this.offerMore();
    this.scatter.draw();
    changed();
  }

  /** Start again from the first rows, after another filter or order. */
  restart() {
    this.limit = FIRST_ROWS;
    this.render();
    this.region.scrollTop = 0;
  }

  lines(from, to) {
    const lines = document.createDocumentFragment(), by = this.filters.by.value;
    const of = i => this.rows[i].choices[by];
    for (let at = from; at < Math.min(to, this.order.length); at++) {
      const i = this.order[at];
      if (by && (at === 0 || of(i) !== of(this.order[at - 1]))) lines.append(this.groupLine(by, of(i)));
      lines.append(this.node(i));
      if (this.details.has(i)) lines.append(this.details.get(i));
    }
    return lines;
  }

  /** What heads the rows with one component: how many there are, and their best and mean number. */
  groupLine(by, name) {
    const rows = this.order.filter(i => this.rows[i].choices[by] === name), at = this.data.plotted;
    const facts = [plural(rows.length, "row")];
    const values = at === null ? [] : rows.map(i => this.rows[i].value[at]).filter(v => v !== null);
    if (values.length) {
      const { best, scale, title } = this.heads[at];
      const ends = extent(values), first = values.length > 1 ? ends[best === "min" ? 0 : 1] : values[0];
      facts.push(`${title}: best ${short(scale * first)}, mean ${short(scale * values.reduce((a, b) => a + b) / values.length)}`);
    }
    const title = Object.keys(this.data.filters)[by];
    return make("tr", { class: "group" }, make("th", { scope: "rowgroup", colspan: this.heads.length },
      make("span", {}, `${title}: ${name}`), make("span", { class: "half" }, ` · ${facts.join(" · ")}`)));
  }

  more(count) {
    const from = this.limit;
    this.limit = Math.min(this.order.length, from + count);
    this.body.append(this.lines(from, this.limit));
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
    if (!this.order.includes(i)) this.filters.reset();
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
    this.setSorting({ column, way: this.sorting?.column === column ? -this.sorting.way : first });
    this.restart();
  }

  setSorting(sorting) {
    this.sorting = sorting;
    this.headings.forEach((cell, i) => {
      if (i === sorting?.column) cell.setAttribute("aria-sort", sorting.way > 0 ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    });
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

  /** Put rows with one component together, the group of the first row first. */
  group() {
    const by = this.filters.by.value;
    if (!by) return;
    const groups = new Map();
    for (const i of this.order) {
      const name = this.rows[i].choices[by];
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(i);
    }
    this.order = [...groups.values()].flat();
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
}
