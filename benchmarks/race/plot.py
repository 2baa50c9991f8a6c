# -*- test-case-name: tests.test_race -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A picture of the ratios: a panel for each workload, a bar for each server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from .figures import Pass, Row, rowsOf, workloadsOf
from .servers import SERVERS
from .table import number, titleOf
from .workloads import Workload

COLUMNS = 2
WIDTH, NAMES, RIGHT = 470, 150, 60
TOP, BAR, GAP, BOTTOM = 48, 12, 6, 22
MARGIN = 20
OURS, THEIRS, LINE = "#b5432a", "#8aa0b5", "#444"

# The texts have an edge in the colour of the ground: the line is not to cross them.
STYLE = (
    "text{font:12px sans-serif;fill:#222;paint-order:stroke;stroke:#fff;"
    "stroke-width:3px}"
    ".title{font-weight:bold}.small{font-size:11px}.right{text-anchor:end}"
)


def isOurs(server: str) -> bool:
    """
    Tell whether it is one of twisted_ws.
    """
    return server == "ours" or server not in SERVERS


def shown(passes: Sequence[Pass], workload: Workload) -> list[Row]:
    """
    @return: the rows that have a ratio.
    """
    return [row for row in rowsOf(passes, workload) if row.ratio is not None]


def heightOf(rows: Sequence[Row]) -> int:
    """
    @return: the height of a panel.
    """
    return TOP + len(rows) * (BAR + GAP) + BOTTOM


def bars(rows: Sequence[Row], left: int, top: int) -> Iterator[str]:
    """
    @return: the bars, from zero, and a line where the plain echo is.
    """
    most = max(row.ratio or 0.0 for row in rows)
    scale = (WIDTH - NAMES - RIGHT) / max(most, 1.0)
    zero = left + NAMES
    one = zero + scale
    below = top + TOP + len(rows) * (BAR + GAP)
    for number_, row in enumerate(rows):
        ratio = row.ratio or 0.0
        y = top + TOP + number_ * (BAR + GAP)
        colour = OURS if isOurs(row.server) else THEIRS
        middle = y + BAR - 2
        yield (
            f'<text class="small right" x="{zero - 6}" y="{middle}">'
            f"{escape(titleOf(row.server))}</text>"
        )
        yield (
            f'<rect x="{zero}" y="{y}" width="{max(1.0, ratio * scale):.1f}"'
            f' height="{BAR}" fill="{colour}"/>'
        )
    yield (
        f'<line x1="{one:.1f}" x2="{one:.1f}" y1="{top + TOP - 4}" y2="{below}"'
        f' stroke="{LINE}" stroke-dasharray="3 3"/>'
    )
    for number_, row in enumerate(rows):
        ratio = row.ratio or 0.0
        middle = top + TOP + number_ * (BAR + GAP) + BAR - 2
        end = zero + ratio * scale + 5
        yield f'<text class="small" x="{end:.1f}" y="{middle}">{number(ratio)}</text>'


def plot(passes: Sequence[Pass]) -> str:
    """
    @return: the picture, as SVG.
    @raise ValueError: if nothing can be compared.
    """
    panels = [
        (workload, rows)
        for workload in workloadsOf(passes)
        if (rows := shown(passes, workload))
    ]
    if not panels:
        raise ValueError("there is no plain echo to compare with")
    parts: list[str] = []
    top = MARGIN + 24
    for at in range(0, len(panels), COLUMNS):
        beside = panels[at : at + COLUMNS]
        for column, (workload, rows) in enumerate(beside):
            left = MARGIN + column * (WIDTH + MARGIN)
            what = "memory" if workload.isOfMemory else "CPU"
            title = f"{workload.name}: {workload.title}"
            unit = f"{what} for each {workload.unit}, times the plain echo"
            parts += [
                f'<text class="title" x="{left}" y="{top + 16}">{escape(title)}</text>',
                f'<text class="small" x="{left}" y="{top + 32}">{escape(unit)}</text>',
                *bars(rows, left, top),
            ]
        top += max(heightOf(rows) for _, rows in beside)
    width = MARGIN + COLUMNS * (WIDTH + MARGIN)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}"'
        f' width="{width}" height="{top}">'
    )
    told = "Less is better; the dashed line is a plain Twisted echo without WebSockets"
    return "\n".join(
        [
            head,
            f"<style>{STYLE}</style>",
            f'<rect width="{width}" height="{top}" fill="#fff"/>',
            f'<text x="{MARGIN}" y="{MARGIN + 10}">{told}</text>',
            *parts,
            "</svg>\n",
        ]
    )
