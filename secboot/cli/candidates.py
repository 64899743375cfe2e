"""The completions that a shell offers for each kind of value."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import typer

    from secboot.checkpoint.record import Checkpoint
    from secboot.checkpoint.store import Damage

_CHECKPOINTS = 50
"""How many checkpoints are offered, newest first."""
_PROFILES = (".yaml", ".yml")
_PLANS = (".plan", ".json")

Candidates = list[tuple[str, str]]
"""Values, each with a description that may be empty."""


def profiles(context: typer.Context, incomplete: str) -> Candidates:
    """The names of profiles in the root that the command line names, and paths of profiles."""
    from secboot.machine.profile_files import RootProfileFiles
    from secboot.profile.search import available_profiles
    from secboot.system.root import Root

    with Root(_root(context)) as tree:
        found = available_profiles(RootProfileFiles(tree))
    names = {each.name: "" for each in found if each.name.startswith(incomplete)}
    return [*names.items(), *_paths(incomplete, _PROFILES)]


def profiles_and_plans(context: typer.Context, incomplete: str) -> Candidates:
    """Profiles and saved plans."""
    return [*profiles(context, incomplete), *_paths(incomplete, _PLANS, directories=False)]


def layouts(_: typer.Context, incomplete: str) -> Candidates:
    """The names of layouts."""
    from secboot.layout.detect import NAMES

    return [(name, "") for name in NAMES if name.startswith(incomplete)]


def checkpoints(context: typer.Context, incomplete: str) -> Candidates:
    """The ids of the newest checkpoints, to show or to undo."""
    from secboot.checkpoint.state_directory import StateDirectory
    from secboot.checkpoint.store import CheckpointStore
    from secboot.system.root import Root

    with Root(_root(context)) as tree:
        directory = StateDirectory(tree, context.params.get("state_dir"))
        store = CheckpointStore.existing(directory)
        if store is None:
            return []
        with store:
            found = [_described(each) for each in islice(store.newest_first(), _CHECKPOINTS)]
    return [each for each in found if each[0].startswith(incomplete)]


def findings(_: typer.Context, incomplete: str) -> Candidates:
    """The codes that ``secboot explain`` accepts."""
    from secboot.report.explain import groups

    every = [each for group in groups() for each in group.explanations]
    return [(e.code, e.summary.replace("`", "")) for e in every if e.code.startswith(incomplete)]


def parameters(_: typer.Context, incomplete: str) -> Candidates:
    """Return the parameters that ``secboot set`` knows to have one value, or several."""
    from secboot.kernel.command_line import LAST_WINS_NAMES, MULTI_VALUED_NAMES
    from secboot.profile.parameters import KNOWN

    names = sorted({*KNOWN, *LAST_WINS_NAMES, *MULTI_VALUED_NAMES})
    return [(f"{name}=", "") for name in names if name.startswith(incomplete)]


def directories(_: typer.Context, incomplete: str) -> Candidates:
    """Directories, each with a trailing slash, so that a subdirectory can be chosen."""
    return list(_paths(incomplete, ()))


def files(_: typer.Context, incomplete: str) -> Candidates:
    """Any files."""
    return list(_paths(incomplete, ("",)))


def documents(_: typer.Context, incomplete: str) -> Candidates:
    """JSON documents, and directories of them."""
    return list(_paths(incomplete, (".json",)))


def domains(_: typer.Context, incomplete: str) -> Candidates:
    """XML files of libvirt domains."""
    return list(_paths(incomplete, (".xml",)))


def _root(context: typer.Context) -> Path:
    """The root that the command line names before the word to complete."""
    root = context.params.get("root")
    return Path(root) if root else Path("/")


def _described(found: Checkpoint | Damage) -> tuple[str, str]:
    from secboot.checkpoint.record import Checkpoint

    if not isinstance(found, Checkpoint):
        return found.id, "damaged"
    audit = found.record.audit
    return found.id, f"{audit.what}, {audit.started}"


def _paths(
    incomplete: str, suffixes: tuple[str, ...], *, directories: bool = True
) -> Iterator[tuple[str, str]]:
    """Paths that begin with `incomplete`: files with one of the suffixes, and directories."""
    head, slash, start = incomplete.rpartition("/")
    place = Path(head + slash).expanduser() if slash else Path()
    try:
        found = sorted(os.scandir(place), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in found:
        hidden = entry.name.startswith(".") and not start.startswith(".")
        if hidden or not entry.name.startswith(start):
            continue
        if entry.is_dir():
            if directories:
                yield f"{head}{slash}{entry.name}/", ""
        elif entry.name.endswith(suffixes):
            yield f"{head}{slash}{entry.name}", ""
