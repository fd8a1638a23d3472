// The rows and columns that stand in a table, as text to paste.

const LATEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "±": "$\\pm$", "−": "$-$", "–": "--", "→": "$\\rightarrow$", "·": "$\\cdot$" };
const latexText = text => text.replace(/[&%$#_{}\\~^±−–→·]/g, c => LATEX[c] ?? `\\${c}`);
const markdownText = text => text.replace(/[\\`*_[\]<>|~#&]/g, "\\$&");

const FORMS = {
  /** Numbers as numbers, under their names in the results; a text that a spreadsheet would run begins with '. */
  CSV: ({ heads, rows }) => {
    const quoted = text => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    const safe = text => quoted(/^\s*[=+\-@＝＋－＠]/.test(text) ? `'${text}` : text);
    const names = heads.flatMap(({ key, name, ends }) =>
      [...(key || !ends ? [name] : []), ...(ends ? [`${ends}.low`, `${ends}.high`] : [])]);
    const value = (row, c) => typeof row.value[c] === "number" ? row.value[c] : safe(row.text[c] === "–" ? "" : row.text[c]);
    const cells = rows.map(row => heads.flatMap(({ c, key, ends, at }) =>
      [...(key || !ends ? [value(row, c)] : []), ...(ends ? row.ends[at] ?? ["", ""] : [])]));
    return [names.map(safe), ...cells].map(line => `${line.join(",")}\n`).join("");
  },
  Markdown: ({ heads, rows, strong }) => {
    const line = cells => `| ${cells.join(" | ")} |\n`;
    const bold = (row, c) => row.leads && strong.includes(c) ? `**${markdownText(row.text[c])}**` : markdownText(row.text[c]);
    return line(heads.map(head => markdownText(head.title))) + line(heads.map(head => head.group === "name" ? "---" : "--:")) +
      rows.map(row => line(heads.map(({ c }) => bold(row, c)))).join("");
  },
  LaTeX: ({ heads, rows, strong }) => {
    const line = cells => `${cells.join(" & ")} \\\\\n`;
    const bold = (row, c) => row.leads && strong.includes(c) ? `\\textbf{${latexText(row.text[c])}}` : latexText(row.text[c]);
    const form = heads.map(head => head.group === "name" ? "l" : "r").join("");
    return `\\begin{tabular}{${form}}\n\\hline\n${line(heads.map(head => latexText(head.title)))}\\hline\n` +
      `${rows.map(row => line(heads.map(({ c }) => bold(row, c)))).join("")}\\hline\n\\end{tabular}\n`;
  },
};

/** What stands in a table: all rows that pass its filters, in its order, and the columns that are shown. */
function standing(table) {
  let at = 0;
  const heads = table.heads.map((head, c) => ({ ...head, c, at: head.ends ? at++ : null })).filter(head => head.shown);
  return { heads, rows: table.order.map(i => table.rows[i]), strong: table.data.strong };
}

function copyMenu(table) {
  const list = make("div", { class: "list" });
  const fold = menu("Copy", list);
  for (const [name, form] of Object.entries(FORMS)) {
    const button = make("button", { type: "button", class: "quiet" }, name);
    button.addEventListener("click", async () => {
      const done = await copied(form(standing(table)));
      $(`status-${table.number}`).textContent = done ? `${plural(table.order.length, "row")} copied as ${name}.` : "The browser did not let the page copy.";
      fold.open = false;
    });
    list.append(button);
  }
  return fold;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { /* a page in a frame, or a browser that asks and is told no */ }
  const area = make("textarea", { class: "hidden", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
