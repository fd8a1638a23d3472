// Which rows of a table stand in it: by text, settings, component and number; and by which component they are grouped.

class Filters {
  constructor(table) {
    this.table = table;
    this.bounds = new Map();
    this.words = table.rows.map(row => {
      const named = row.text.filter((_, c) => table.heads[c].group === "name");
      return [row.name, ...named, ...row.choices].join("\n").toLowerCase();
    });
    const id = name => `${name}-${table.number}`;
    this.search = make("input", { type: "search", id: id("search"), placeholder: "Filter rows and settings", autocomplete: "off", spellcheck: "false" });
    this.search.addEventListener("input", () => this.apply());
    this.selects = Object.entries(table.data.filters).map(([title, choices], f) => {
      const select = make("select", { id: id(`filter-${f}`) }, make("option", { value: "" }, `${title}: any`),
        ...choices.map(choice => make("option", { value: `=${choice}` }, choice)));
      select.addEventListener("change", () => this.apply());
      return select;
    });
    this.by = make("select", { id: id("by") }, make("option", { value: "" }, "Group by: none"),
      ...Object.keys(table.data.filters).map((title, f) => make("option", { value: f }, `Group by: ${title}`)));
    this.by.addEventListener("change", () => this.apply());
    this.clear = make("button", { type: "button", class: "quiet", hidden: true }, "Clear");
    this.clear.addEventListener("click", () => { this.reset(); this.search.focus(); });
  }

  nodes() {
    const field = (label, input) => make("label", { class: "field", for: input.id }, hidden(label), input);
    const titles = Object.keys(this.table.data.filters);
    const selects = this.selects.map((select, f) => field(`Filter by ${titles[f]}`, select));
    this.chosen = menu("Components", make("div", { class: "list choices" }, ...selects));
    const facets = titles.length ? [this.chosen, field("Group by", this.by)] : [];
    return [field("Filter rows by text", this.search), ...facets, this.numbers(), this.clear];
  }

  /** A menu with the least and the most of each number. */
  numbers() {
    const list = make("div", { class: "list bounds" }, make("p", { class: "about" }, "Rows with numbers from … to …, as the table shows them."));
    const fold = menu("Numbers", list);
    this.fill = () => {
      this.fill = () => {};
      this.table.heads.forEach((head, c) => {
        if (head.group === "name" || (head.ends && !head.key) || !this.table.rows.some(row => typeof row.value[c] === "number")) return;
        const input = end => {
          const node = make("input", { type: "number", step: "any", "aria-label": `${head.title}, ${end ? "at most" : "at least"}` });
          node.value = this.bounds.get(c)?.[end] ?? "";
          node.addEventListener("input", () => this.bound(c, end, node.value === "" ? null : +node.value));
          return node;
        };
        list.append(make("div", { class: "bound" }, make("span", {}, head.title), input(0), input(1)));
      });
    };
    fold.addEventListener("toggle", () => { if (fold.open) this.fill(); });
    this.bounded = fold;
    return fold;
  }

  bound(column, end, value) {
    const ends = this.bounds.get(column) ?? [null, null];
    ends[end] = value;
    if (ends[0] === null && ends[1] === null) this.bounds.delete(column);
    else this.bounds.set(column, ends);
    this.apply();
  }

  apply() {
    const chosen = this.selects.some(select => select.value);
    for (const select of [...this.selects, this.by]) select.classList.toggle("chosen", Boolean(select.value));
    this.chosen.firstChild.classList.toggle("chosen", chosen);
    this.bounded.firstChild.classList.toggle("chosen", this.bounds.size > 0);
    this.clear.hidden = !this.search.value.trim() && !this.bounds.size && !chosen;
    this.table.restart();
  }

  reset() {
    this.search.value = "";
    for (const select of this.selects) select.value = "";
    this.bounds.clear();
    for (const input of this.bounded.querySelectorAll("input")) input.value = "";
    this.apply();
  }

  /** The rows that pass every filter, in the board's order. */
  accepted() {
    const words = this.search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = this.selects.map(select => select.value);
    const bounds = [...this.bounds].map(([c, ends]) => [c, this.table.heads[c].scale, ...ends]);
    return this.table.rows.map((_, i) => i).filter(i => {
      const row = this.table.rows[i];
      return chosen.every((value, f) => !value || row.choices[f] === value.slice(1)) &&
        bounds.every(([c, scale, low, high]) => row.value[c] !== null &&
          (low === null || scale * row.value[c] >= low) && (high === null || scale * row.value[c] <= high)) &&
        words.every(word => this.words[i].includes(word) || this.isRun(row, word) || this.isSetting(i, word));
    });
  }

  /** Whether a word is the beginning of a run's id; shorter ones would be found in any. */
  isRun(row, word) {
    return word.length >= 6 && row.runs.some(run => run.startsWith(word));
  }

  /** Whether a word stands in the row's settings, `lr=0.001` too. A number alone would be found in any. */
  isSetting(i, word) {
    return word.length >= 3 && /[a-z]/.test(word) && this.settings(i).includes(word);
  }

  settings(i) {
    this.read ??= [];
    if (this.read[i] === undefined) {
      const lines = settings => Object.entries(settings).map(([key, value]) => `${key}=${value}`).join("\n").toLowerCase();
      this.shared ??= lines(this.table.data.shared);
      this.read[i] = `${this.shared}\n${lines(settingsOf(this.table.number, i))}`;
    }
    return this.read[i];
  }
}

/** A row's own settings, without reading the curves and predictions that follow them. */
function settingsOf(number, i) {
  const text = $(`detail-${number}-${i}`)?.textContent;
  return text ? JSON.parse(`${text.slice(0, text.indexOf(',"runs":['))}}`).own : {};
}
