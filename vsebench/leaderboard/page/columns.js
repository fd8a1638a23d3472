// Which columns of a table stand in it.

const GROUPS = { classification: "Classification", retrieval: "Retrieval", cost: "Cost" };

class Columns {
  constructor(table) {
    this.table = table;
    this.boxes = [];
    this.chips = new Map();
    this.node = make("div", { class: "columns", role: "group", "aria-label": "Columns" });
    const groups = Object.keys(GROUPS).filter(group => table.heads.some(head => head.group === group));
    if (groups.length > 1) {
      for (const group of groups) {
        const chip = make("button", { type: "button", class: "chip" }, GROUPS[group]);
        chip.addEventListener("click", () => {
          const on = chip.getAttribute("aria-pressed") !== "true";
          table.heads.forEach((head, c) => { if (head.group === group) this.show(c, on); });
          changed();
        });
        this.chips.set(group, chip);
        this.node.append(chip);
      }
    }
    const list = make("div", { class: "list" });
    table.heads.forEach((head, c) => {
      if (c === 0) return;
      const box = make("input", { type: "checkbox" });
      box.checked = head.shown;
      box.addEventListener("change", () => { this.show(c, box.checked); changed(); });
      this.boxes[c] = box;
      list.append(make("label", {}, box, head.title));
    });
    this.node.append(menu("Columns", list));
    this.mark();
  }

  show(column, on) {
    const { heads, headings, nodes } = this.table;
    if (heads[column].shown === on) return;
    heads[column].shown = on;
    this.boxes[column].checked = on;
    headings[column].classList.toggle("off", !on);
    for (const node of nodes) if (node) node.cells[column].classList.toggle("off", !on);
    this.mark();
  }

  mark() {
    for (const [group, chip] of this.chips) {
      pressed(chip, this.table.heads.some(head => head.group === group && head.shown));
    }
  }
}
