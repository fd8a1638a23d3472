"""Two runs side by side as one HTML page, with pictures of what they disagree on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vsebench.data.dataset import Dataset
from vsebench.inspect.examples_page import pictures_of
from vsebench.inspect.standalone_page import document, escape
from vsebench.results.compare import Comparison
from vsebench.results.disagree import Shown, about, shown
from vsebench.results.paired_runs import Paired

STYLE = """
table { border-collapse: collapse; margin: .5rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem .3rem 0; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; } .number { text-align: right; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
.verdict { max-width: 76ch; font-weight: 600; }
ul.items { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .7rem; }
ul.items { padding: 0; margin: 0; list-style: none; }
ul.items figure { height: 100%; }
figcaption p { margin: .15rem 0; }
""".strip()


def page(comparison: Comparison, dataset: Dataset | None, *, most: int, verdicts: Sequence[str] = ()) -> str:
    """Return the page as HTML. Names, captions and labels are escaped.

    Args:
        comparison: of two runs.
        dataset: None where there are no predictions, and so no items to show.
        most: items that are shown of each disagreement.
        verdicts: what the board's test over all seeds says of the two rows, first of all.

    Raises: DataError for a picture that cannot be decoded.
    """
    a, b = comparison.a.name, comparison.b.name
    parts = [
        f"<h1>Two runs on {escape(comparison.a.result.dataset['title'])}, {escape(comparison.split)}</h1>",
        *(f'<p class="verdict">{escape(verdict)}</p>' for verdict in verdicts),
        f'<p class="about">A: {escape(a)}<br>B: {escape(b)}</p>',
        *(f'<p class="about">{escape(note)}</p>' for note in comparison.notes),
        "<h2>What differs in their configuration</h2>",
        _table(
            "Configuration",
            ["Setting", "A", "B"],
            [[k, *map(str, both)] for k, both in comparison.config.items()],
            3,
        ),
        "<h2>Numbers</h2>",
        _table(
            "Numbers", ["Number", "A", "B", "A − B"], [_numbers(k, *both) for k, both in comparison.metrics.items()], 1
        ),
    ]
    if comparison.tests:
        head = ["Number", "A", "B", "A − B, 95 %", "only A right", "only B right", "p", "Test"]
        parts += [
            "<h2>Paired tests</h2>",
            _table("Paired tests", head, [test_cells(test) for test in comparison.tests], 1),
        ]
    for apart in comparison.disagreements:
        if len(apart.items) and dataset is not None:
            parts.append(f"<h2>{escape(about(apart, comparison))}</h2>")
            parts.append(_items(shown(comparison, apart, dataset, most), pictures_of(dataset)))
    return document("Two runs compared", parts, style=STYLE)


def test_cells(test: Paired) -> list[str]:
    """A test in cells."""
    span = f" ({test.low:+.4f} to {test.high:+.4f})"
    difference = f"{test.a - test.b:+.4f}{span}"
    return [
        test.key,
        f"{test.a:.4f}",
        f"{test.b:.4f}",
        difference,
        f"{test.only_a:,}",
        f"{test.only_b:,}",
        f"{test.p:.4g}",
        test.test,
    ]


def _numbers(key: str, a: float | None, b: float | None) -> list[str]:
    cells = ["–" if value is None else f"{value:.6g}" for value in (a, b)]
    return [key, *cells, "" if a is None or b is None else f"{a - b:+.4g}"]


def _table(name: str, header: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    if not rows:
        return "<p>Nothing.</p>"

    def line(cells: Sequence[str], tag: str) -> str:
        kinds = ["" if i < left else ' class="number"' for i in range(len(cells))]
        scope = ' scope="col"' if tag == "th" else ""
        made = (f"<{tag}{scope}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))
        return f"<tr>{''.join(made)}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">'  # the keyboard must reach it
    return f"{region}<table>\n<thead>{line(header, 'th')}</thead>\n<tbody>\n{body}\n</tbody></table></div>"


def _items(items: Sequence[Shown], picture: Callable[[int], str]) -> str:
    lines = []
    for one in items:
        uri = picture(one.position)
        image = f'<img src="{uri}" alt="picture of {escape(one.id)}" loading="lazy">' if uri else ""
        truth = f"<p>is <b>{escape(one.truth)}</b></p>" if one.truth else ""
        message = f"<p>A: {escape(one.outputs[0])}</p><p>B: {escape(one.outputs[1])}</p>"
        lines.append(
            f"<li><figure>{image}<figcaption>{truth}{message}<p>{escape(one.caption)}</p>"
            f"<small>{escape(one.id)}</small></figcaption></figure></li>"
        )
    return '<ul class="items">\n' + "\n".join(lines) + "\n</ul>"
