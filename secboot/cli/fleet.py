"""``secboot fleet``: one table and one page from the documents of many machines."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from secboot.report.reported import Counted, ReportedMachine

_LARGEST = 16 * 2**20
"""Bytes. A document has some ten thousand; a larger file is something else."""
_SUFFIX = ".json"
_RECORD = "record.json"
_OF_CHECKPOINT, _START = b'"secboot/checkpoint/', 100
"""Schema of the record of a checkpoint, and in how many bytes at the start of the file it is."""


def fleet(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            autocompletion=options.completed_by("documents"),
            help="Documents of `secboot status` or `secboot verify` with --output json, one file per"
            " machine, named after it. Directories are searched for .json files; the records of"
            " checkpoints in them are skipped.",
            show_default=False,
        ),
    ],
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            autocompletion=options.completed_by("files"),
            help="Also write an HTML page.",
            show_default=False,
        ),
    ] = None,
    stage: Annotated[
        options.LastStage,
        typer.Option(
            "--stage",
            **options.one_of(*get_args(options.LastStage)),
            help="Last stage to check.",
        ),
    ] = "effective",
    stale_after: Annotated[
        int,
        typer.Option(
            "--stale-after",
            metavar="DAYS",
            parser=options.number(int, 0, 36500, "days"),
            help="Warn about documents that are older.",
        ),
    ] = 7,
    problems: Annotated[
        bool,
        typer.Option("--problems", help="Hide the machines that are in order (text only)."),
    ] = False,
    output: options.Output = "text",
    strict: options.Strict = False,
) -> int:
    """Report on many machines from their status documents.

    Exits with 5 if a machine misses a stage or its document cannot be read, with 2 if no document
    can be read.
    """
    import os
    from datetime import timedelta

    from secboot.cli.output_file import OutputFile
    from secboot.cli.printing import print_report
    from secboot.errors import ExitCode
    from secboot.report.fleet import fleet_document, fleet_text, in_order
    from secboot.report.fleet_page import fleet_page
    from secboot.report.made import made
    from secboot.report.reported import Counted, Standing
    from secboot.status.stages import Stage

    only_looks(html)
    last = Stage(stage)
    now = made(os.environ)
    counted = Counted(last, now.moment(), timedelta(days=stale_after))
    machines = in_order(_machines(files, counted))
    if html is not None:
        with OutputFile(html, "the page", 0o644) as page:
            page.commit(fleet_page(machines, last, now).encode())
    print_report(
        output,
        lambda: fleet_document(machines, last),
        lambda style: fleet_text(
            machines, style, problems_only=problems, page=None if html is None else str(html)
        ),
    )
    standings = {machine.standing for machine in machines}
    if standings == {Standing.UNREADABLE}:
        return ExitCode.USAGE
    accepted = {Standing.MET} if strict else {Standing.MET, Standing.WARNING}
    return ExitCode.OK if standings <= accepted else ExitCode.DIFFERENCE


def _machines(named: Sequence[Path], counted: Counted) -> Iterator[ReportedMachine]:
    from secboot.report.reported import read_machine, unreadable

    found = tuple(dict.fromkeys(_documents(named)))
    names = _names(found)
    for path in found:
        host, file = names[path], str(path)
        try:
            content = _content(path)
        except OSError as error:
            yield unreadable(host, file, error.strerror or str(error))
            continue
        if len(content) > _LARGEST:
            yield unreadable(host, file, "not a JSON document: the file is too large")
        else:
            yield read_machine(host, file, content, counted)


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise FileNotFoundError(None, f"no {_SUFFIX} file of a machine found in this directory")
    with path.open("rb") as stream:
        return stream.read(_LARGEST + 1)


def _documents(named: Iterable[Path]) -> Iterator[Path]:
    """The documents. A directory without any is yielded itself, so that it is reported.

    The records of checkpoints in a directory are not reports on a machine: it may contain trees.
    """
    for path in named:
        found = path.rglob(f"*{_SUFFIX}") if path.is_dir() else ()
        below = sorted(each for each in found if each.is_file() and not _is_checkpoint(each))
        yield from below or [path]


def _is_checkpoint(path: Path) -> bool:
    """Whether a file is the record of a checkpoint, by its name and its schema, which comes first."""
    if path.name != _RECORD:
        return False
    try:
        with path.open("rb") as stream:
            return _OF_CHECKPOINT in stream.read(_START)
    except OSError:
        return False


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """The machines' names: the name of the file, or its path if the name is not unique."""
    short = {path: path.name.removesuffix(_SUFFIX) or str(path) for path in paths}
    uses = Counter(short.values())
    return {
        path: name if uses[name] == 1 else str(path).removesuffix(_SUFFIX)
        for path, name in short.items()
    }
