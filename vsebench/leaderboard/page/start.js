// The page as a whole: its tables, its colours, and what its address names.

const board = JSON.parse($("board").textContent);
const tables = board.tables.map((_, number) => new Table(board, number));

const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
const showTheme = () => pressed($("theme"), isDark());

$("theme").addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("vsebench-theme", theme); } catch { /* no storage: it holds for this visit */ }
  showTheme();
});
dark.addEventListener("change", showTheme);
addEventListener("beforeprint", () => { for (const table of tables) table.more(Infinity); });
addEventListener("hashchange", readAddress);
$("comparison").addEventListener("close", changed);
document.addEventListener("click", event => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", event => {
  const menu = event.key === "Escape" && document.activeElement?.closest("details.menu[open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
});
showTheme();
if (document.readyState === "loading") addEventListener("DOMContentLoaded", readAddress);
else readAddress();
document.documentElement.dataset.ready = "true";
performance.mark("ready");
