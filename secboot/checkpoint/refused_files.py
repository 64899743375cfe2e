"""The boot files that zipl refused last, kept in the state directory for troubleshooting.

secboot never uses them. The next refusal replaces them.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.system.directory import PrivateDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.checkpoint.state_directory import StateDirectory

_FILES = "refused"
_ENTRIES = "entries"


class RefusedFiles(NamedTuple):
    """Where they are written: single files, and boot entries.

    `shown` is the path of their directory as the user sees it. `in_root` says that a program that runs
    inside the root finds both directories by their paths.
    """

    files: PrivateDirectory
    entries: PrivateDirectory
    shown: str
    in_root: bool


@contextmanager
def refused_files(directory: StateDirectory) -> Iterator[RefusedFiles]:
    """Open the directory for refused files, emptied; the lock is held. Raises FileError."""
    state = directory.create()
    with ExitStack() as opened:
        opened.callback(state.close)
        places = []
        for path in (f"/{_FILES}", f"/{_FILES}/{_ENTRIES}"):
            state.make_directories(path, 0o700)
            place = opened.enter_context(state.open_directory(path))
            for name in state.list_directory(path):
                if name != _ENTRIES:
                    place.discard(name)
            places.append(PrivateDirectory(f"{directory.path.rstrip('/')}{path}", place))
        files, entries = places
        shown = state.shown(f"/{_FILES}")
        yield RefusedFiles(files, entries, shown, directory.is_in_root)
