"""The results as tables in Markdown, and the budgets beside what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.series import Number, Series

HEADS = ("", "wall ms", "CPU ms", "x floor", "x read", "of grubby", "MiB")
MEBIBYTE = 2**20


def table(title: str, series: Sequence[Series]) -> str:
    """Return one group as a table; its first series is the floor."""
    found = {each.name: each for each in series}
    rows = [HEADS, *(_row(each, series[0], found) for each in series)]
    columns = [i for i in range(len(HEADS)) if i < 2 or any(row[i] for row in rows[1:])]
    lines = [[row[i] for i in columns] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    text = [_line(line, widths) for line in lines]
    rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:]), ""])
    return "\n".join([f"### {title}, {len(series[0].costs)} rounds", "", text[0], rule, *text[1:]])


def budgets(groups: dict[str, Sequence[Series]]) -> str:
    """Return the budgets of the groups that were measured, each with what it came to."""
    lines = [f"- {'met' if value <= limit else 'MISSED'}: {what}: {value:.2f}, at most {limit:g}"
             for what, value, limit in _budgets(groups)]  # fmt: skip
    return "\n".join(["### Budgets", "", *lines])


def _budgets(groups: dict[str, Sequence[Series]]) -> Iterator[tuple[str, float, float]]:
    found = {
        (title, each.name): (each, series[0]) for title, series in groups.items() for each in series
    }
    for title, name, limit in (("start-up", "plan guest", 7.0), ("start-up", "--version", 4.0)):
        if (title, name) in found:
            wall, cpu = found[title, name][0].times(found[title, name][1])
            yield f"wall time of `{name}` over the floor's", wall.median, limit
            yield f"CPU time of `{name}` over the floor's", cpu.median, limit
    for count, limit in ((3, 1.0), (100, 0.1)):
        title = f"{count} BLS entries"
        if (title, "grubby") in found:
            mine, its = found[title, "apply guest"][0], found[title, "grubby"][0]
            yield f"wall time of `apply` over grubby's, {title}", mine.times(its)[0].median, limit
    for kind in ("BLS entries", "zipl.conf sections"):
        for name in ("plan guest", "apply guest"):
            if (f"10,000 {kind}", name) in found and (f"1,000 {kind}", name) in found:
                few, many = (found[f"{n} {kind}", name][0] for n in ("1,000", "10,000"))
                yield (
                    f"`{name}`, 10,000 {kind} over 1,000, CPU",
                    many.cpu.median / few.cpu.median,
                    12,
                )
                yield f"`{name}`, MiB at 1,000 {kind}", few.memory / MEBIBYTE, 60
                yield f"`{name}`, MiB at 10,000 {kind}", many.memory / MEBIBYTE, 3 * 60
                yield f"`{name}`, memory, 10,000 {kind} over 1,000", many.memory / few.memory, 3


def _row(each: Series, floor: Series, found: dict[str, Series]) -> tuple[str, ...]:
    wall, cpu = each.times(floor)
    return (
        each.name,
        _milliseconds(each.wall),
        _milliseconds(each.cpu),
        f"{wall.median:.1f} wall, {cpu.median:.1f} CPU",
        _compared(each, found.get("read the files")),
        _compared(each, found.get("grubby")),
        f"{each.memory / MEBIBYTE:.0f}",
    )


def _compared(each: Series, other: Series | None) -> str:
    return "" if other is None else f"{each.times(other)[0].median:.2f}"


def _milliseconds(number: Number) -> str:
    return f"{number.median * 1000:.1f} ± {number.spread * 1000:.1f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = cells
    padded = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]
    return f"| {' | '.join(padded)} |"
