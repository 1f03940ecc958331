"""A few SVG shapes as text. Colours are classes, so that one picture serves light and dark."""

from html import escape

STYLE = """\
text { font-family: system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-size: 13px; fill: var(--ink) }
.mono { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 12px }
.fine { font-size: 11px }
.small { font-size: 11.5px; fill: var(--dim) }
.head { font-size: 15px; font-weight: 600 }
.title { font-size: 20px; font-weight: 600 }
.name { font-weight: 600 }
.paper { fill: var(--paper) }
.box { fill: var(--box); stroke: var(--line) }
.band { fill: var(--band) }
.line { stroke: var(--line); fill: none }
.arrow { stroke: var(--dim); fill: none; stroke-width: 1.5 }
.tip { fill: var(--dim) }
.strong { fill: var(--strong) }
.ring { fill: none; stroke: var(--strong); stroke-width: 2 }
.dot { fill: var(--dim) }
svg { --paper: #ffffff; --box: #f1f4f7; --band: #f1f4f7; --line: #c3ccd5 }
svg { --ink: #1b2733; --dim: #55636f; --strong: #1769aa }
@media (prefers-color-scheme: dark) {
  svg { --paper: #14191f; --box: #1e252d; --band: #1b222a; --line: #3d4955 }
  svg { --ink: #e6ebf0; --dim: #9fadba; --strong: #6cb6f5 }
}
"""


def rect(x: float, y: float, width: float, height: float, kind: str, radius: float = 6) -> str:
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"/>'


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    placed = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}"{placed}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="line" d="M{x1:g} {y1:g}L{x2:g} {y2:g}"/>'


def arrow(x: float, top: float, bottom: float, *, both: bool = False) -> str:
    """Downwards; `both`: with a tip at each end."""
    tips = f'<path class="tip" d="M{x - 5:g} {bottom - 8:g}L{x + 5:g} {bottom - 8:g}L{x:g} {bottom:g}Z"/>'
    if both:
        tips += f'<path class="tip" d="M{x - 5:g} {top + 8:g}L{x + 5:g} {top + 8:g}L{x:g} {top:g}Z"/>'
    return f'<path class="arrow" d="M{x:g} {top + (6 if both else 0):g}L{x:g} {bottom - 6:g}"/>{tips}'


def circle(x: float, y: float, radius: float, kind: str) -> str:
    return f'<circle class="{kind}" cx="{x:g}" cy="{y:g}" r="{radius:g}"/>'


def path(d: str, kind: str) -> str:
    return f'<path class="{kind}" d="{d}"/>'


def document(width: float, height: float, about: str, shapes: list[str]) -> str:
    size = f'viewBox="0 0 {width:g} {height:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(about)}">'
    return "\n".join([head, f"<style>\n{STYLE}</style>", *shapes, "</svg>"]) + "\n"
