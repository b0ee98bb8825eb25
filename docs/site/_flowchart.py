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


def _svg(chart: _Chart, columns: list[list[str]], ways: list[list[str]]) -> str:
    wide = {
        name: max(60, 7.2 * len(chart.texts[name]) + 28) if name in chart.texts else 0
        for name in (name for column in columns for name in column)
    }
    x, y, left = {}, {}, 10.0
    for column in columns:
        room = max(wide[name] for name in column)
        upper = [name for name in column if name in chart.members or not chart.members]
        lower = [name for name in column if name not in upper]
        for lane, names in ((0, upper), (_LANE, lower)):
            for name, place in _places(names).items():
                x[name], y[name] = left + room / 2, lane + _ROW * place
        begun = [
            text
            for (_, _, text, *_), way in zip(chart.links, ways, strict=True)
            if way[0] in column
        ]
        left += room + max([_GAP, *(6.4 * len(text) + 24 for text in begun if text)])
    top, bottom = min(y.values()) - _HEIGHT, max(y.values()) + _HEIGHT
    parts = []
    if chart.members:
        lefts = [x[name] - wide[name] / 2 - 12 for name in chart.members]
        rights = [x[name] + wide[name] / 2 + 12 for name in chart.members]
        top = min(y[name] for name in chart.members) - _HEIGHT / 2 - 28
        height = max(y[name] for name in chart.members) + _HEIGHT / 2 + 12 - top
        parts.append(
            f'<rect class="group" x="{min(lefts):.0f}" y="{top:.0f}" rx="4" '
            f'width="{max(rights) - min(lefts):.0f}" height="{height:.0f}"/>'
        )
        parts.append(_text(min(lefts) + 10, top + 17, chart.title, "", "start"))
        top -= 4
    for link, way in zip(chart.links, ways, strict=True):
        parts.append(_link(link, way, [(x[n], y[n], wide[n]) for n in way]))
    parts += [_node(chart, name, x[name], y[name], wide[name]) for name in chart.texts]
    width = max(x[name] + wide[name] / 2 for name in x) + 10
    words = "; ".join(
        f"{chart.texts[a]} to {chart.texts[b]} {text}".strip() for a, b, text, *_ in chart.links
    )
    return (
        f'<svg class="flowchart" role="img" aria-label="{escape(words)}" '
        f'viewBox="0 {top:.0f} {width:.0f} {bottom - top:.0f}" width="{width:.0f}">'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "middle") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" {style}>{escape(text)}</text>'


def _node(chart: _Chart, name: str, x: float, y: float, wide: float) -> str:
    a, b, top, low = x - wide / 2, x + wide / 2, y - _HEIGHT / 2, y + _HEIGHT / 2
    d = {
        "[": f"M{a},{top}H{b}V{low}H{a}Z",
        "{{": f"M{a},{y}L{a + 12},{top}H{b - 12}L{b},{y}L{b - 12},{low}H{a + 12}Z",
        "[(": f"M{a},{top + 4}V{low - 4}A{wide / 2},6 0 0 0 {b},{low - 4}V{top + 4}"
        f"A{wide / 2},6 0 0 0 {a},{top + 4}A{wide / 2},6 0 0 0 {b},{top + 4}",
    }[chart.shapes[name]]
    look = chart.colours.get(chart.looks.get(name, ""), {})
    paint = "".join(f"{key}:{look[key]};" for key in ("fill", "stroke") if key in look)
    ink = f'style="fill:{look["color"]}"' if "color" in look else ""
    down = y + (8 if chart.shapes[name] == "[(" else 5)
    return f'<path d="{d}" style="{paint}"/>' + _text(x, down, chart.texts[name], ink)


def _link(link, way: list[str], places: list[tuple[float, float, float]]) -> str:
    """A line through the places of a way, with heads where the link has them, and its text."""
    _, last, text, back, forth = link
    heads = (forth, back) if way[0] == last else (back, forth)
    (x, y, wide), *others = places
    x += wide / 2
    begin, d, middle = (x, y), f"M{x},{y}", None
    for to, height, wide in others:
        half = (to - wide / 2 - x) / 2
        middle = middle or (x + half, (y + height) / 2 - 5)
        d += f"C{x + half},{y} {x + half},{height} {to - wide / 2},{height}"
        x, y = to + wide / 2, height
    x -= wide
    parts = [f'<path class="link" d="{d}"/>']
    parts += [f'<path class="head" d="M{begin[0]},{begin[1]}l8,-4v8z"/>'] if heads[0] else []
    parts += [f'<path class="head" d="M{x},{y}l-8,-4v8z"/>'] if heads[1] else []
    return "".join(parts) + (_text(*middle, text, 'class="label"') if text else "")
