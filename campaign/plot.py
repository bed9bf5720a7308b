"""A small SVG of lines over the seconds of a run, drawn by hand so that nothing has to be installed for it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, TOP, GAP = 860, 150, 60, 34, 46
POINTS = 800
"""At most so many points a line: of each group of neighbours the largest is shown, so that no peak is lost."""


@dataclass(frozen=True, slots=True)
class Line:
    """One panel: what it shows, and (second, value) in order of time."""

    says: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that is shaded in every panel, with its name."""

    says: str
    start: float
    end: float
    colour: str


def svg(title: str, lines: Sequence[Line], spans: Sequence[Span]) -> str:
    """The panels below each other over one axis of seconds."""
    end = max((x for line in lines for x, _ in line.points), default=1.0) or 1.0
    height = TOP + len(lines) * (HEIGHT + GAP)

    def across(second: float) -> float:
        return LEFT + second / end * WIDTH

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" font-family="sans-serif" font-size="12">',
             f'<rect width="100%" height="100%" fill="white"/><text x="{LEFT}" y="18" font-size="14">{title}</text>']
    for number, line in enumerate(lines):
        top = TOP + number * (HEIGHT + GAP)
        most = max((y for _, y in line.points), default=1.0) or 1.0
        parts += [f'<rect x="{across(one.start):.1f}" y="{top}" width="{across(one.end) - across(one.start):.1f}" height="{HEIGHT}" '
                  f'fill="{one.colour}"><title>{one.says}</title></rect>' for one in spans]
        if number == 0:
            parts += [f'<text x="{across(one.start) + 4:.1f}" y="{top + 14}" fill="#555">{one.says}</text>' for one in spans]
        path = " ".join(f"{across(x):.1f},{top + HEIGHT - y / most * HEIGHT:.1f}" for x, y in _thinned(line.points))
        parts += [f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>',
                  f'<polyline points="{path}" fill="none" stroke="#1f4e8c"/>',
                  f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{most:.0f}</text>',
                  f'<text x="{LEFT - 6}" y="{top + HEIGHT}" text-anchor="end">0</text>',
                  f'<text x="{LEFT}" y="{top + HEIGHT + 18}">{line.says}</text>',
                  f'<text x="{LEFT + WIDTH}" y="{top + HEIGHT + 18}" text-anchor="end">{end:.0f} s</text>']
    return "\n".join([*parts, "</svg>", ""])


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    step = max(1, -(-len(points) // POINTS))
    return [max(points[at:at + step], key=lambda point: point[1]) for at in range(0, len(points), step)]
