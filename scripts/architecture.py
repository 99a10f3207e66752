"""``python -m scripts.architecture``: writes the table of rooms into docs/architecture.md, and its picture.

Both are made from the code: the rooms from their docstrings, the floors from the layers that import-linter keeps, the
arrows from the imports. An arrow that follows from two others is not drawn.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "pictures" / "architecture.svg"
BEGIN, END = "<!-- rooms: made by python -m scripts.architecture -->", "<!-- end of rooms -->"
RIM = ("flows", "tasks", "blocks")

_WIDTH, _FLOOR, _BOX, _LEFT = 1180, 88, 40, 20
_STYLE = (
    ":root{--back:#fff;--band:#f6f8fa;--ink:#1b1f24;--box:#dbeafe;--edge:#3b82f6;--rim:#fde68a;--arrow:#57606a}"
    "@media (prefers-color-scheme:dark){:root{--back:#0d1117;--band:#161b22;--ink:#e6edf3;--box:#1e3a5f;"
    "--edge:#60a5fa;--rim:#5c4a12;--arrow:#8b949e}}"
    "text{font:600 14px system-ui,sans-serif;fill:var(--ink)}"
)


def floors() -> list[list[str]]:
    """Names of rooms from the top floor down: those of the rim, one a floor, then the kernel's."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == ["chaosday"])
    return [[name] for name in RIM] + [[name.strip() for name in layer.split(":")] for layer in layers]


def sentence(room: str) -> str:
    """What is in a room: the first sentence of its docstring."""
    return _docstring(room).partition("\n\n")[0].replace("\n", " ")


def imports() -> dict[str, set[str]]:
    """Room -> the rooms that it imports, lazily or not."""
    rooms = {name for floor in floors() for name in floor}
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for room in rooms:
        for path in _files(room):
            for node in ast.walk(ast.parse(path.read_text())):
                for name in _imported(node):
                    first, _, rest = name.partition(".")
                    found[room] |= {first if first in RIM else rest.partition(".")[0]} & (rooms - {room})
    return found


def reduced(arrows: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same without the arrows that follow from others (the transitive reduction of an acyclic graph)."""

    def reach(room: str) -> set[str]:
        return arrows[room].union(*(reach(below) for below in arrows[room]))

    return {
        room: {to for to in below if not any(to in reach(via) for via in below - {to})}
        for room, below in arrows.items()
    }


def page() -> str:
    """docs/architecture.md with today's table of rooms."""
    head, _, rest = PAGE.read_text().partition(BEGIN)
    rows = [
        f"| {len(floors()) - n - 1} | `{room}` | {sentence(room).replace('``', '`')} |\n"
        for n, floor in enumerate(floors())
        for room in floor
    ]
    table = "\n\n| floor | room | what is in it |\n|---|---|---|\n" + "".join(rows) + "\n"
    return head + BEGIN + table + END + rest.partition(END)[2]


def picture() -> str:
    """The floors as bands, the rooms as boxes, and who imports whom."""
    at = {room: _place(n, m, len(floor)) for n, floor in enumerate(floors()) for m, room in enumerate(floor)}
    height = _FLOOR * len(floors())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        "<title>The rooms of chaosday, and which imports which</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="var(--back)"/>',
    ]
    for n in range(len(floors())):
        if n % 2 == 0:
            parts.append(f'<rect y="{n * _FLOOR}" width="{_WIDTH}" height="{_FLOOR}" fill="var(--band)"/>')
    for room, below in sorted(reduced(imports()).items()):
        parts += [_arrow(at[room], at[to]) for to in sorted(below)]
    parts += [_box(room, at[room]) for room in at]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _docstring(room: str) -> str:
    module = _folder(room)
    path = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def _folder(room: str) -> Path:
    return ROOT / room if room in RIM else ROOT / "chaosday" / room


def _files(room: str) -> list[Path]:
    folder = _folder(room)
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _place(floor: int, number: int, of: int) -> tuple[float, float, float]:
    """Left edge, top edge and width of a box."""
    share = (_WIDTH - 2 * _LEFT) / of
    width = min(share - 14, 190)
    return _LEFT + share * number + (share - width) / 2, floor * _FLOOR + (_FLOOR - _BOX) / 2, width


def _box(room: str, place: tuple[float, float, float]) -> str:
    left, top, width = place
    fill = "--rim" if room in RIM else "--box"
    middle = left + width / 2
    return (
        f'<g><title>{escape(sentence(room))}</title><rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" '
        f'height="{_BOX}" rx="7" fill="var({fill})" stroke="var(--edge)"/>'
        f'<text x="{middle:.0f}" y="{top + 25:.0f}" text-anchor="middle">{room}</text></g>'
    )


def _arrow(above: tuple[float, float, float], below: tuple[float, float, float]) -> str:
    x1, y1 = above[0] + above[2] / 2, above[1] + _BOX
    x2, y2 = below[0] + below[2] / 2, below[1]
    if above[1] == below[1]:  # both on one floor: an arc below them
        y2 = y1
    bend_from, bend_to = y1 + max((y2 - y1) * 0.4, 22), (y2 - (y2 - y1) * 0.4 if y2 > y1 else y2 + 22)
    return (
        f'<path d="M{x1:.0f} {y1:.0f} C{x1:.0f} {bend_from:.0f} {x2:.0f} {bend_to:.0f} {x2:.0f} {y2:.0f}" '
        'fill="none" stroke="var(--arrow)" stroke-opacity="0.45"/>'
    )


if __name__ == "__main__":
    PAGE.write_text(page())
    PICTURE.write_text(picture())
