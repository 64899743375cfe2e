"""``secboot export``: export a profile to another tool's format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks
from secboot.export.names import ExportFormat

if TYPE_CHECKING:
    from secboot.export.request import ProfileSource
    from secboot.profile.profile import Profile


def export(
    profile: options.Profile,
    form: Annotated[
        ExportFormat,
        typer.Option(
            *("--format", "-f"),
            **options.one_of(*ExportFormat, metavar="FORMAT"),
            help=f"Target format: {', '.join(ExportFormat)}.",
            show_default=False,
        ),
    ],
    line: Annotated[
        str | None,
        typer.Option(
            "--line",
            metavar="TEXT",
            help="Parameter line to start from, for kiwi, mkosi and pvimg, which hold a whole line.",
            show_default=False,
        ),
    ] = None,
    root: options.Root = options.HERE,
) -> int:
    """Export a profile to another tool's format.

    What the format cannot express is reported or refused.
    """
    import re

    from secboot.cli.apply import PLAN_SUFFIXES
    from secboot.cli.printing import print_findings, print_text
    from secboot.errors import RefusedError, UsageError
    from secboot.export.formats import WRITERS
    from secboot.export.request import ExportRequest
    from secboot.machine.profile_files import read_profile
    from secboot.profile.fields import PROFILE_NAME_PATTERN
    from secboot.profile.profile import EntryScope
    from secboot.system.root import Root

    only_looks()
    writer = WRITERS[form]
    if line is not None and not writer.takes_line:
        takers = ", ".join(name for name, each in WRITERS.items() if each.takes_line)
        raise UsageError(
            f"--line cannot be used with {form}, which appends to an existing command line",
            hint=f"use it with {takers}",
        )
    with Root(root) as tree:
        found = read_profile(profile, tree)
        is_plan = found.name.endswith(PLAN_SUFFIXES)  # to `secboot apply`
        if is_plan or not re.fullmatch(PROFILE_NAME_PATTERN, found.name):
            raise RefusedError(
                f"'{found.name}' cannot be the name of a profile on another machine",
                hint="rename the file; use letters, digits, '.', '_' and '-', without"
                f" {' or '.join(PLAN_SUFFIXES)} at the end",
            )
        if found.entries.scope is EntryScope.NONE and writer.for_entries:
            raise RefusedError(
                f"the profile selects no boot entries, only the image that it names, but {form} is"
                " for boot entries",
                hint="--format pvimg writes the parmfile of an image",
            )
        sources = _sources(found, profile)
    exported = writer.write(ExportRequest(found, sources, line or ""))
    print_text(exported.text)
    print_findings((*exported.notes, *found.warnings))
    return 0


def _sources(profile: Profile, reference: str) -> tuple[ProfileSource, ...]:
    """Return the profile's files that are not part of secboot, with their paths on a machine."""
    from secboot.errors import RefusedError
    from secboot.export.request import ProfileSource
    from secboot.profile.search import SEARCH_PATH, SHIPPED, SUFFIX, shipped_path

    shipped = {shipped_path(name) for name in SHIPPED}
    sources: dict[str, str] = {}
    for _, path, text in profile.sources:
        if path in shipped:
            continue
        directory, _, name = path.rpartition("/")
        target = path if directory in SEARCH_PATH else f"{SEARCH_PATH[0]}/{name}"
        if path == reference:
            target = f"{SEARCH_PATH[0]}/{profile.name}{SUFFIX}"
        if target in sources:
            raise RefusedError(
                f"the profile and one that it extends would both be {target} on a machine",
                hint="rename one of them",
            )
        sources[target] = text if text.endswith("\n") else f"{text}\n"
    return tuple(ProfileSource(path, text) for path, text in sources.items())
