# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A process's memory over time: as numbers, and as a picture.
"""

from __future__ import annotations

from threading import Event, Thread
from time import monotonic

from benchmarks.readings import resident

MIB = 1 << 20
LINES = 60
"""
Lines of numbers to print, at most.
"""


class Curve(Thread):
    """
    Reads a process's memory twice a second.

    @ivar points: seconds and bytes.
    """

    def __init__(self, process: int) -> None:
        Thread.__init__(self, daemon=True)
        self.points: list[tuple[float, int]] = []
        self._process = process
        self._over = Event()

    def run(self) -> None:
        """
        Until C{end} is called.
        """
        begun = monotonic()
        while True:
            self.points.append((monotonic() - begun, resident(self._process)))
            if self._over.wait(0.5):
                return

    def end(self) -> None:
        """
        Enough.
        """
        self._over.set()
        self.join()

    def lines(self) -> list[str]:
        """
        @return: the curve in at most L{LINES} lines, each with the most of its time.
        """
        step = -(-len(self.points) // LINES)
        parts = [self.points[at : at + step] for at in range(0, len(self.points), step)]
        return [
            f"{part[0][0]:8.1f} s {max(size for _, size in part) / MIB:8.1f} MiB"
            for part in parts
        ]

    def svg(self) -> str:
        """
        @return: the curve as a picture.
        """
        width, height = 800, 300
        end = max(self.points[-1][0], 1)
        top = max(size for _, size in self.points) * 1.1
        path = " ".join(
            f"{50 + at / end * width:.1f},{20 + height - size / top * height:.1f}"
            for at, size in self.points
        )
        base = 20 + height
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 70}"'
            f' height="{height + 60}" font-family="sans-serif" font-size="12">\n'
            f'<path d="M50 20V{base}H{50 + width}" fill="none" stroke="gray"/>\n'
            f'<polyline points="{path}" fill="none" stroke="navy"/>\n'
            f'<text x="2" y="{base}">0</text>'
            f'<text x="2" y="30">{top / MIB:.0f} MiB</text>\n'
            f'<text x="{width}" y="{base + 20}">{end:.0f} s</text>\n'
            f'<text x="50" y="{base + 40}">Resident memory of the relay</text>\n'
            "</svg>\n"
        )
