"""The results as tables in Markdown, and the budgets with the measured values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.cases import SINGLE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.processes import Number, Series

HEADS = (
    *("what runs", "wall ms", "CPU ms", "x floor", "x typer", "x installed", "x read", "of grubby"),
    "MiB",
)
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
    """Return the budgets of the groups that were measured, each with its measured value."""
    lines = [f"- {'met' if value <= limit else 'MISSED'}: {what}: {value:.2f}, at most {limit:g}"
             for what, value, limit in _budgets(groups)]  # fmt: skip
    return "\n".join(["### Budgets", "", *lines])


def _budgets(groups: dict[str, Sequence[Series]]) -> Iterator[tuple[str, float, float]]:
    found = {(group, each.name): each for group, series in groups.items() for each in series}
    start_up = "start-up"
    if (start_up, "--version") in found:
        its = groups[start_up][0]
        wall, cpu = found[start_up, "--version"].times(its)
        yield "wall time of `--version` over the floor's", wall.median, 4
        yield "CPU time of `--version` over the floor's", cpu.median, 4
    for group in (start_up, "3 BLS entries"):
        for name in ("plan guest", f"{SINGLE_FILE}plan guest"):
            if (group, name) in found:
                wall, cpu = found[group, name].times(found[group, "import typer"])
                yield f"wall time of `{name}` over `import typer`'s, {group}", wall.median, 1.4
                yield f"CPU time of `{name}` over `import typer`'s, {group}", cpu.median, 1.4
    for count, limit in ((3, 0.7), (62, 0.08)):
        group = f"{count} BLS entries"
        if (group, "grubby") in found:
            wall, _ = found[group, "apply guest"].times(found[group, "grubby"])
            yield f"wall time of `apply` over grubby's, {group}", wall.median, limit
    if ("fleet", "fleet") in found:
        yield "CPU seconds of `fleet`", found["fleet", "fleet"].cpu.median, 2


def _row(each: Series, floor: Series, found: dict[str, Series]) -> tuple[str, ...]:
    wall, cpu = each.times(floor)
    return (
        each.name,
        _milliseconds(each.wall),
        _milliseconds(each.cpu),
        f"{wall.median:.1f} wall, {cpu.median:.1f} CPU",
        _compared(each, found.get("import typer")),
        _compared(each, _installed(each, found)),
        _compared(each, found.get("read the files")),
        _compared(each, found.get("grubby")),
        f"{each.memory / MEBIBYTE:.0f}",
    )


def _installed(each: Series, found: dict[str, Series]) -> Series | None:
    """Return the installed command that a command of the single file is compared with."""
    is_single = each.name.startswith(SINGLE_FILE)
    return found.get(each.name.removeprefix(SINGLE_FILE)) if is_single else None


def _compared(each: Series, other: Series | None) -> str:
    return "" if other is None else f"{each.times(other)[0].median:.2f}"


def _milliseconds(number: Number) -> str:
    return f"{number.median * 1000:.1f} ± {number.spread * 1000:.1f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = cells
    padded = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]
    return f"| {' | '.join(padded)} |"
