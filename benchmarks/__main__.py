"""``python -m benchmarks``: measure and print the tables (see ``--help``)."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cases import (
    KINDS,
    SIZES,
    entries,
    fleet,
    in_private_etc,
    install,
    kernel_hook,
    long_history,
    start_up,
    with_rounds,
)
from benchmarks.parts import parts_table
from benchmarks.processes import BenchmarkError, measure
from benchmarks.table import budgets, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.cases import Group, Programs
    from benchmarks.processes import Series


def main(words: Sequence[str]) -> int:
    """Measure what the command line names, and print it group by group."""
    options = _parser().parse_args(words)
    if options.grubby is not None:
        status = in_private_etc(words)
        if status is not None:
            return status
    try:
        with tempfile.TemporaryDirectory(dir=options.directory) as directory:
            _measure_all(options, Path(directory))
    except BenchmarkError as error:
        sys.stderr.write(f"benchmarks: {error}\n")
        return 1
    return 0


def _measure_all(options: argparse.Namespace, directory: Path) -> None:
    programs = install(directory)
    _print(_machine(directory))
    if options.parts:
        for line in parts_table(programs, directory, options.entries, options.rounds):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        return
    measured: dict[str, Sequence[Series]] = {}
    for name, usual in _groups(options, programs, directory):
        group = with_rounds(usual, options.rounds)
        measured[name] = measure(group.commands, group.rounds)
        _print(table(group.title, measured[name]))
    _print(budgets(measured))


def _groups(
    options: argparse.Namespace, programs: Programs, directory: Path
) -> Iterator[tuple[str, Group]]:
    """Create the groups one by one when needed, each with a name for its budget."""
    if options.start_up:
        yield "start-up", start_up(programs, _made(directory / "start-up"))
        yield "keep", kernel_hook(programs, _made(directory / "keep"))
    if options.history:
        yield "history", long_history(programs, _made(directory / "history"))
    if options.fleet:
        yield "fleet", fleet(programs, _made(directory / "fleet"))
    for kind in KINDS:
        for count in options.entries:
            place = _made(directory / f"{kind.partition(' ')[0]}-{count}")
            yield f"{count:,} {kind}", entries(programs, kind, count, place, options.grubby)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--entries",
        type=lambda text: [int(each) for each in text.split(",") if each],
        default=list(SIZES),
        metavar="N,...",
        help=f"numbers of boot entries, by default {', '.join(map(str, SIZES))}; '' for none",
    )
    parser.add_argument(
        "--no-start-up", dest="start_up", action="store_false", help="omit the small commands"
    )
    parser.add_argument(
        "--no-fleet", dest="fleet", action="store_false", help="omit the many documents"
    )
    parser.add_argument(
        "--no-history", dest="history", action="store_false", help="omit the long history"
    )
    parser.add_argument(
        "--rounds", type=float, default=1.0, metavar="X", help="run X times as many rounds"
    )
    parser.add_argument(
        "--grubby", type=Path, metavar="FILE", help="also measure grubby's shell script"
    )
    parser.add_argument("--parts", action="store_true", help="print where the time goes instead")
    parser.add_argument(
        "--directory",
        metavar="DIR",
        help="where to create the machines; the cost of syncs depends on it",
    )
    return parser


def _machine(directory: Path) -> str:
    """Describe the machine on which the numbers were measured."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith(("model name", "processor 0"))
        ),
        platform.machine(),
    )
    load = ", ".join(f"{each:.2f}" for each in os.getloadavg())
    file_system = _file_system(directory)
    return (
        f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} CPUs"
        f" ({model}), Python {platform.python_version()}, {file_system}; load before: {load}"
    )


def _file_system(directory: Path) -> str:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    inside = [each for each in mounts if directory.is_relative_to(each[1])]
    return max(inside, key=lambda each: len(each[1]))[2]


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
