"""Flowcharts of mermaid as SVG, so that a page needs no mermaid: the subset that notebooks use.

That is `flowchart LR`; boxes `A[text]`, cylinders `A[(text)]`, hexagons `A{{text}}`; links `-->`,
`---`, `<-->` with `|text|`, in chains; one `subgraph`; `classDef`, `class` and `:::`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

_NODE = re.compile(r'(\w+)(?:(\[\(|\{\{|\[)"?(.*?)"?(?:\)\]|\}\}|\]))?(?::::(\w+))?')
_LINK = re.compile(r"\s*(<?)--([->])(?:\|(.*?)\|)?\s*")
_HEIGHT, _ROW, _LANE, _GAP = 36, 56, 104, 38  # pixels, as all lengths


@dataclass
class _Chart:
    texts: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, str] = field(default_factory=dict)
    looks: dict[str, str] = field(default_factory=dict)  # the class of a node
    links: list[tuple[str, str, str, bool, bool]] = field(default_factory=list)
    colours: dict[str, dict[str, str]] = field(default_factory=dict)  # of a class
    title: str = ""
    members: list[str] = field(default_factory=list)  # of the subgraph


def draw(source: str) -> str:
    """The SVG element of a chart; ValueError names a line that is not in the subset."""
    chart = _parse(source)
    columns, ways = _columns(chart)
    return _svg(chart, columns, ways)


def _parse(source: str) -> _Chart:
    first, *lines = [line.strip() for line in source.strip().splitlines()]
    if first != "flowchart LR":
        raise ValueError(f"only `flowchart LR` can be drawn, not: {first}")
    chart, inside = _Chart(), False
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "subgraph":
            chart.title, inside = rest.partition("[")[2].rstrip("]") or rest, True
        elif word == "end":
            inside = False
        elif word == "classDef":
            name, _, values = rest.partition(" ")
            chart.colours[name] = dict(value.split(":", 1) for value in values.split(","))
        elif word == "class":
            names, _, look = rest.partition(" ")
            chart.looks |= dict.fromkeys(names.split(","), look)
        else:
            named = _chain(chart, line)
            chart.members += named if inside else []
    return chart


def _chain(chart: _Chart, line: str) -> list[str]:
    """Add the nodes and links of a line, as in `A --> B --- C`; the names of its nodes."""
    names, at, link = [], 0, None
    while node := _NODE.match(line, at):
        name, opening, text, look = node.groups()
        if opening or name not in chart.texts:
            chart.texts[name], chart.shapes[name] = text or name, opening or "["
        if look:
            chart.looks[name] = look
        if link:
            chart.links.append((names[-1], name, link[3] or "", bool(link[1]), link[2] == ">"))
        names.append(name)
        link = _LINK.match(line, node.end())
        at = link.end() if link else node.end()
        if not link:
            break
    if at != len(line) or link:
        raise ValueError(f"this line of a flowchart cannot be drawn: {line}")
    return names


def _columns(chart: _Chart) -> tuple[list[list[str]], list[list[str]]]:
    """The nodes from left to right, and each link's way, with a place in each column it crosses.

    A link that would close a circle leads back: its way begins at its end.
    """
    after: dict[str, set[str]] = {name: set() for name in chart.texts}

    def reaches(start: str, end: str) -> bool:
        return start == end or any(reaches(each, end) for each in after[start])

    ends = []
    for a, b, *_ in chart.links:
        a, b = (b, a) if reaches(b, a) else (a, b)
        after[a].add(b)
        ends.append((a, b))
    rank = dict.fromkeys(chart.texts, 0)
    for _ in rank:
        for a, b in ends:
            rank[b] = max(rank[b], rank[a] + 1)
    for name in set(rank) - {b for _, b in ends}:
        rank[name] = min((rank[each] - 1 for each in after[name]), default=0)
    columns: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
    for name, place in rank.items():
        columns[place].append(name)
    ways = []
    for number, (a, b) in enumerate(ends):
        between = {place: f"{number} {place}" for place in range(rank[a] + 1, rank[b])}
        for place, name in between.items():
            columns[place].append(name)
        ways.append([a, *between.values(), b])
    _untangle(columns, [pair for way in ways for pair in pairwise(way)])
    return columns, ways


def _untangle(columns: list[list[str]], steps: list[tuple[str, str]]) -> None:
    """Order each column by the mean place of its neighbours, from the left and from the right."""
    last = len(columns) - 1
    rightwards = [(at, at - 1) for at in range(1, last + 1)]
    leftwards = [(at, at + 1) for at in range(last - 1, -1, -1)]
    both_ways = [*steps, *((b, a) for a, b in steps)]
    for at, beside in (rightwards + leftwards) * 2:
        place = _places(columns[at]) | _places(columns[beside])
        middle = {
            name: fmean(
                [place[b] for a, b in both_ways if a == name and b in columns[beside]]
                or [place[name]]
            )
            for name in columns[at]
        }
        columns[at].sort(key=middle.__getitem__)


def _places(column: list[str]) -> dict[str, float]:
    """How far below the middle of its column each node stands."""
    return {name: index - (len(column) - 1) / 2 for index, name in enumerate(column)}


class _Box(NamedTuple):
    """Where a node stands, by its middle; where a link crosses a column, it has no width."""

    x: float
    y: float
    wide: float

    @property
    def left(self) -> float:
        return self.x - self.wide / 2

    @property
    def right(self) -> float:
        return self.x + self.wide / 2


def _boxes(chart: _Chart, columns: list[list[str]], ways: list[list[str]]) -> dict[str, _Box]:
    """Column by column, with room for texts between them; the subgraph has a lane of its own."""
    boxes: dict[str, _Box] = {}
    left = 16.0  # the frame of a subgraph is 12 wider than its nodes
    for column in columns:
        texts = {name: chart.texts[name] for name in column if name in chart.texts}
        wide = {name: max(60, 7.2 * len(text) + 28) for name, text in texts.items()}
        room = max(wide.values())
        upper = [name for name in column if name in chart.members or not chart.members]
        lower = [name for name in column if name not in upper]
        for lane, names in ((0, upper), (_LANE, lower)):
            for name, place in _places(names).items():
                boxes[name] = _Box(left + room / 2, lane + _ROW * place, wide.get(name, 0))
        begun = [link[2] for link, way in zip(chart.links, ways, strict=True) if way[0] in column]
        left += room + max([_GAP, *(6.4 * len(text) + 24 for text in begun if text)])
    return boxes


def _svg(chart: _Chart, columns: list[list[str]], ways: list[list[str]]) -> str:
    boxes = _boxes(chart, columns, ways)
    parts = [_group(chart.title, [boxes[name] for name in chart.members])] if chart.members else []
    for link, way in zip(chart.links, ways, strict=True):
        parts.append(_link(link, link[1] == way[0], [boxes[name] for name in way]))
    parts += [_node(chart, name, boxes[name]) for name in chart.texts]
    texts = chart.texts
    words = "; ".join(f"{texts[a]} to {texts[b]} {text}".strip() for a, b, text, *_ in chart.links)
    top = min(box.y for box in boxes.values()) - (_HEIGHT + 14 if chart.members else _HEIGHT)
    height = max(box.y for box in boxes.values()) + _HEIGHT - top
    width = max(box.right for box in boxes.values()) + 10
    return (
        f'<svg class="flowchart" role="img" aria-label="{escape(words)}" '
        f'viewBox="0 {top:.0f} {width:.0f} {height:.0f}" width="{width:.0f}">'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "middle") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" {style}>{escape(text)}</text>'


def _group(title: str, boxes: list[_Box]) -> str:
    left, right = min(box.left for box in boxes) - 12, max(box.right for box in boxes) + 12
    top = min(box.y for box in boxes) - _HEIGHT / 2 - 28
    height = max(box.y for box in boxes) + _HEIGHT / 2 + 12 - top
    size = f'x="{left:.0f}" y="{top:.0f}" width="{right - left:.0f}" height="{height:.0f}"'
    return f'<rect class="group" {size} rx="4"/>' + _text(left + 10, top + 17, title, "", "start")


def _node(chart: _Chart, name: str, box: _Box) -> str:
    a, b, top, low = box.left, box.right, box.y - _HEIGHT / 2, box.y + _HEIGHT / 2
    arc = f"A{box.wide / 2},6 0 0 0"
    d = {
        "[": f"M{a},{top}H{b}V{low}H{a}Z",
        "{{": f"M{a},{box.y}L{a + 12},{top}H{b - 12}L{b},{box.y}L{b - 12},{low}H{a + 12}Z",
        "[(": f"M{a},{top + 4}V{low - 4}{arc} {b},{low - 4}V{top + 4}{arc} {a},{top + 4}"
        f"{arc} {b},{top + 4}",
    }[chart.shapes[name]]
    look = chart.colours.get(chart.looks.get(name, ""), {})
    paint = ";".join(f"{key}:{look[key]}" for key in ("fill", "stroke") if key in look)
    ink = f'style="fill:{escape(look["color"])}"' if "color" in look else ""
    down = box.y + (8 if chart.shapes[name] == "[(" else 5)
    return f'<path d="{d}" style="{escape(paint)}"/>' + _text(box.x, down, chart.texts[name], ink)


def _link(link: tuple[str, str, str, bool, bool], back: bool, way: list[_Box]) -> str:
    """A line along its way, with heads where the link has them, and its text."""
    text, heads = link[2], (link[4], link[3]) if back else (link[3], link[4])
    x, y = way[0].right, way[0].y
    d = f"M{x},{y}"
    for box in way[1:]:
        half = (x + box.left) / 2
        d += f"C{half},{y} {half},{box.y} {box.left},{box.y}"
        x, y = box.right, box.y
    first, second, last = way[0], way[1], way[-1]
    parts = [f'<path class="link" d="{d}"/>']
    parts += [f'<path class="head" d="M{first.right},{first.y}l8,-4v8z"/>'] if heads[0] else []
    parts += [f'<path class="head" d="M{last.left},{last.y}l-8,-4v8z"/>'] if heads[1] else []
    if text:
        middle = (first.right + second.left) / 2, (first.y + second.y) / 2 - 5
        parts.append(_text(*middle, text, 'class="label"'))
    return "".join(parts)
