"""What attends to what, as one HTML page or one picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from vsebench.data.pixels import jpeg, open_rgb
from vsebench.data.show import THUMB, Cell
from vsebench.inspect.explain import Answer, Explanation
from vsebench.inspect.heat import RAMP, colours, overlay, seen_box
from vsebench.inspect.panels import Panel
from vsebench.inspect.standalone_page import document, escape, jpeg_uri
from vsebench.inspect.words import Piece

SIDE, HEAT_SIDE = 384, 224
#: Words of a row that a contact sheet names, and regions without a place that a page does.
MOST_NAMED, MOST_REGIONS = 8, 12
MOST_COLUMNS = 8

_GRADIENT = ", ".join(f"rgb({r:.0f} {g:.0f} {b:.0f} / {a}) {at:.0%}" for at, r, g, b, a in RAMP)
STYLE = f"""
.item {{ display: flex; flex-wrap: wrap; gap: 1.25rem; align-items: flex-start; margin: 1rem 0 0; }}
.item figure {{ flex: 0 1 16rem; }}
.item > div {{ flex: 1 1 20rem; }}
.caption {{ font-size: 1.1rem; margin: .25rem 0 .75rem; }}
.special {{ color: var(--muted); font-style: italic; }} .weight .special {{ color: inherit; }}
.unknown {{ text-decoration: underline dotted; text-underline-offset: .2em; }}
.maps {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(9.5rem, 45%), 1fr)); gap: .7rem; }}
.maps {{ padding: 0; margin: 0; list-style: none; }}
.maps figure {{ height: 100%; }}
.maps figcaption {{ display: flex; flex-wrap: wrap; gap: 0 .6rem; justify-content: space-between; }}
.answer {{ display: grid; grid-template-columns: max-content 1fr; gap: .15rem .8rem; margin: 0 0 .75rem; }}
.answer dt {{ color: var(--muted); }} .answer dd {{ margin: 0; }}
.answer small {{ font-variant-numeric: tabular-nums; color: var(--muted); }}
.answer .right {{ color: var(--good); }} .answer .wrong {{ color: var(--bad); }}
.legend {{ display: flex; gap: .6rem; align-items: center; color: var(--muted); font-size: .875rem; }}
.legend {{ margin: 0 0 .7rem; }}
.legend i {{ width: 7rem; height: .8rem; border: 1px solid var(--line); border-radius: .2rem; background-color: #999; }}
.legend i {{ background-image: linear-gradient(to right, {_GRADIENT}); }}
.rows {{ margin: 0; display: grid; gap: .5rem 1rem; grid-template-columns: max-content 1fr; }}
.rows dt {{ color: var(--muted); padding-top: .15rem; }}
.rows dd {{ margin: 0; display: flex; flex-wrap: wrap; gap: .3rem; }}
.weight {{ padding: .1rem .4rem; border-radius: .35rem; border: 1px solid var(--line); text-align: center; }}
.weight {{ background: rgb(240 96 24 / calc(var(--share) * .6)); }}
.weight small {{ display: block; font-size: .75rem; font-variant-numeric: tabular-nums; }}
""".strip()


def page(explanation: Explanation) -> str:
    """One HTML page, with the pictures in it. Words and names are escaped."""
    shown = explanation
    which = f"caption {shown.number} of {shown.captions}" if shown.captions > 1 else ""
    about = " · ".join(part for part in (shown.run, f"item {shown.id}", which) if part)
    parts = [f'<h1>What the model attends to</h1>\n<p class="about">{escape(about)}</p>', _item(shown)]
    for panel in shown.panels:
        body = _maps(shown, panel) if _has_place(shown, panel) else _rows(shown, panel)
        parts.append(
            f"<section>\n<h2>{escape(panel.title)}</h2>\n{_legend(panel, _has_place(shown, panel))}\n{body}</section>"
        )
    return document(f"{shown.id}: what the model attends to", parts, style=STYLE)


def sheet_cells(explanation: Explanation) -> tuple[list[Cell | None], int]:
    """Arrange the panels as cells of a contact sheet, each panel in rows of its own; return also the cells of a row."""
    shown = explanation
    columns = min(MOST_COLUMNS, 1 + max((len(panel.labels) for panel in shown.panels), default=0))
    words = " ".join(piece.text for piece in shown.words)
    answer = "" if shown.answer is None else f"{_said(shown.answer)}: "
    cells: list[Cell | None] = [(shown.picture, shown.id, f"{answer}{words}"), *[None] * (columns - 1)]
    for panel in shown.panels:
        low, high = panel.scale
        if _has_place(shown, panel):
            cells.append((_png(_swatch()), f"{low:.2g} to {high:.2g}", panel.title))
        else:
            cells.append((_png(_bars(np.zeros(1), 0, 1)), f"even share {low:.2g}", panel.title))
        for label, weights in zip(panel.labels, panel.weights, strict=True):
            if _has_place(shown, panel):
                cells.append((_png(_heat(shown, panel, weights, THUMB)), label.text, _peak(shown, weights)))
                continue
            best = np.argsort(-weights, kind="stable")[:MOST_NAMED]
            named = [f"{_token(shown, panel, int(i)).text} {weights[i]:.2f}" for i in best]
            cells.append((_png(_bars(weights, low, high)), label.text, ", ".join(named)))
        cells += [None] * (-len(cells) % columns)
    return cells, columns


def _said(answer: Answer) -> str:
    """Return the truth and the likeliest class in words."""
    (name, share), *_ = answer.predicted
    true = " + ".join(name for name, _ in answer.true) or "no label"
    return f"is {true}, predicted {name} {share:.2f}"


def _item(shown: Explanation) -> str:
    picture = ""
    if shown.picture is not None:
        uri = jpeg_uri(jpeg(shown.picture, SIDE))
        picture = f'<figure><img src="{uri}" alt="the picture of {escape(shown.id)}"></figure>'
    words = " ".join(_piece(piece) for piece in shown.words)
    notes = "".join(f'<p class="about">{escape(note)}</p>' for note in shown.notes)
    caption = f'<p class="caption">{escape(shown.caption)}</p>' if shown.caption else ""
    read = f'<p class="about">As the model reads it: {words}</p>' if shown.caption and words else ""
    answer = "" if shown.answer is None else _answer(shown.answer)
    return f'<div class="item">{picture}<div>{caption}{answer}{read}{notes}</div></div>'


def _answer(answer: Answer) -> str:
    """Return the truth, and the likeliest classes with their probabilities."""
    kind, mark = ("right", "✓ right") if answer.right else ("wrong", "✗ wrong")
    mark = f' <b class="{kind}">{mark}</b>' if answer.true else ""
    lines = [("Truth", _classes(answer.true) or "no label"), ("Predicted", _classes(answer.predicted) + mark)]
    return '<dl class="answer">' + "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in lines) + "</dl>"


def _classes(some: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{escape(name)} <small>{share:.3f}</small>" for name, share in some)


def _piece(piece: Piece) -> str:
    kinds = [name for name, is_so in (("special", piece.special), ("unknown", piece.unknown)) if is_so]
    message = ' title="not in the vocabulary"' if piece.unknown else ""
    return f'<span class="{" ".join(kinds)}"{message}>{escape(piece.text)}</span>' if kinds else escape(piece.text)


def _legend(panel: Panel, drawn: bool) -> str:
    low, high = panel.scale
    if not drawn:
        return f'<p class="legend">The even share is {low:.3g}; the deepest colour is {high:.3g}.</p>'
    ends = f"<span>{low:.3g}, the even share, or less</span>", f"<span>{high:.3g}</span>"
    return f'<p class="legend">{ends[0]}<i aria-hidden="true"></i>{ends[1]}</p>'


def _has_place(shown: Explanation, panel: Panel) -> bool:
    placed = panel.over == "image" and shown.on_grid(panel.weights[0]) is not None
    return placed and shown.picture is not None


def _maps(shown: Explanation, panel: Panel) -> str:
    figures = []
    for label, weights in zip(panel.labels, panel.weights, strict=True):
        buffer = io.BytesIO()
        _heat(shown, panel, weights, HEAT_SIDE).save(buffer, "JPEG", quality=85)
        alt = f"heat map of {label.text}: strongest {_where(shown, weights)}"
        figures.append(
            f'<li><figure><img src="{jpeg_uri(buffer.getvalue())}" alt="{escape(alt)}"><figcaption>'
            f"<b>{_piece(label)}</b><small>{escape(_peak(shown, weights))}</small></figcaption></figure></li>"
        )
    return '<ul class="maps">\n' + "\n".join(figures) + "\n</ul>"


def _heat(shown: Explanation, panel: Panel, weights: np.ndarray, side: int) -> Image.Image:
    picture, grid = open_rgb(shown.picture or b""), shown.on_grid(weights)
    assert grid is not None, "only what has a place is drawn over the picture"
    low, high = panel.scale
    return overlay(picture, grid, low=low, high=high, box=seen_box(picture.size, shown.preprocessing), side=side)


def _peak(shown: Explanation, weights: np.ndarray) -> str:
    grid = shown.on_grid(weights)
    assert grid is not None, "only what has a place is described"
    before = f", {weights[: shown.prefix].sum():.2f} on no place" if shown.prefix else ""
    return f"up to {grid.max():.2g}{before}"


def _where(shown: Explanation, weights: np.ndarray) -> str:
    grid = shown.on_grid(weights)
    assert grid is not None, "only what has a place is described"
    row, column = np.unravel_index(int(grid.argmax()), grid.shape)
    return f"in row {row + 1} of {grid.shape[0]}, column {column + 1} of {grid.shape[1]}, at {grid.max():.2g}"


def _rows(shown: Explanation, panel: Panel) -> str:
    """Words in their order with their weights; regions without a place, the strongest first."""
    lines = []
    for label, weights in zip(panel.labels, panel.weights, strict=True):
        order: Sequence[int] = range(len(weights))
        if panel.over != "text":
            order = np.argsort(-weights, kind="stable")[:MOST_REGIONS].tolist()
        chips = "".join(_chip(_token(shown, panel, i), float(weights[i]), panel.scale[1]) for i in order)
        lines.append(f"<dt>{_piece(label)}</dt><dd>{chips}</dd>")
    return '<dl class="rows">\n' + "\n".join(lines) + "\n</dl>"


def _chip(piece: Piece, weight: float, high: float) -> str:
    share = min(1.0, weight / high)
    return f'<span class="weight" style="--share:{share:.3f}">{_piece(piece)}<small>{weight:.2f}</small></span>'


def _token(shown: Explanation, panel: Panel, number: int) -> Piece:
    return shown.words[number] if panel.over == "text" else Piece(f"{panel.over} {number + 1}")


def _bars(weights: np.ndarray, low: float, high: float) -> Image.Image:
    """Draw a bar for each token, in their order, from the bottom up, and a line at the even share; white without
    any.
    """
    image = np.full((THUMB, THUMB, 3), 245 if low else 255, np.uint8)
    edges = np.linspace(0, THUMB, len(weights) + 1).round().astype(int)
    for left, right, weight in zip(edges[:-1], edges[1:], weights, strict=True):
        height = round(min(1.0, float(weight) / high) * (THUMB - 4))
        if height:
            image[THUMB - height :, left : max(left + 1, right - 1)] = (240, 130, 60)
    if low:
        image[THUMB - max(1, round(low / high * (THUMB - 4)))] = (90, 90, 90)
    return Image.fromarray(image, "RGB")


def _swatch() -> Image.Image:
    """Draw the scale, clear at the left, over grey."""
    colour, opacity = colours(np.linspace(0, 1, THUMB))
    line = 200 * (1 - opacity[:, None]) + colour * opacity[:, None]
    return Image.fromarray(np.tile(line.round().astype(np.uint8), (THUMB // 6, 1, 1)), "RGB")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
