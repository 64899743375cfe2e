"""Show the new boot files to zipl before they take the place of the old ones.

zipl takes the configuration file and the directory of BLS entries from its command line, so the
candidates go to a private directory that is removed afterwards. A parmfile is named inside
zipl.conf: there the candidate's path is put in for the check.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.machine.discovery import ZIPLENV
from secboot.machine.layout.bls import BLS_DIRECTORY
from secboot.progress import UNWATCHED, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secboot.apply.zipl import Zipl
    from secboot.machine.discovery import Machine
    from secboot.machine.root import Root
    from secboot.progress import Progress

_PLACES = ("/run", "/tmp", "/var/tmp", "/boot")  # noqa: S108 - the directory made there is private
_PRIVATE = 0o700


def check_candidates(
    root: Root,
    zipl: Zipl,
    machine: Machine,
    new_contents: Mapping[str, bytes],
    progress: Progress = UNWATCHED,
) -> None:
    """Have zipl check the machine's files with the new contents, which are given by path.

    Raises ZiplFailedError when it refuses them; nothing of the machine has changed then.
    """
    with _private_directory(root, progress) as directory:
        bls = _write_entries(root, directory, machine, new_contents, progress)
        conf = _write_conf(root, directory, machine, new_contents)
        zipl.check(conf, bls, _write_environment(root, directory, new_contents))


def _write_entries(
    root: Root,
    directory: str,
    machine: Machine,
    new_contents: Mapping[str, bytes],
    progress: Progress,
) -> str | None:
    """Return the directory of entries to check: a copy with the new contents, if any is new."""
    entries = [document.path for document in machine.configuration.bls]
    if not any(path in new_contents for path in entries):
        return None
    contents = {file.path: file.data for file in machine.files}
    copies = f"{directory}/entries"
    root.make_directories(copies, _PRIVATE)
    for number, path in enumerate(entries, start=1):
        name = path.removeprefix(f"{BLS_DIRECTORY}/")
        root.write_new(f"{copies}/{name}", new_contents.get(path, contents[path]), 0o600)
        progress.step(Step.COPYING, number, len(entries))
    return copies


def _write_environment(root: Root, directory: str, new_contents: Mapping[str, bytes]) -> str | None:
    if ZIPLENV not in new_contents:
        return None
    candidate = f"{directory}/ziplenv"
    root.write_new(candidate, new_contents[ZIPLENV], 0o600)
    return candidate


def _write_conf(
    root: Root, directory: str, machine: Machine, new_contents: Mapping[str, bytes]
) -> str:
    conf = machine.configuration.conf
    if machine.conf_path in new_contents:
        text = new_contents[machine.conf_path].decode("utf-8", "surrogateescape")
        conf = ZiplConf.parse(text, machine.conf_path)
    parmfiles = [path for path in machine.parmfiles if path in new_contents]
    for number, path in enumerate(parmfiles):
        candidate = f"{directory}/parmfile-{number}"
        root.write_new(candidate, new_contents[path], 0o600)
        conf = _with_parmfile(conf, path, candidate)
    candidate = f"{directory}/zipl.conf"
    root.write_new(candidate, conf.render().encode("utf-8", "surrogateescape"), 0o600)
    return candidate


def _with_parmfile(conf: ZiplConf, path: str, candidate: str) -> ZiplConf:
    """Return the configuration with another parmfile; a load address behind its name stays."""
    for section in conf.sections:
        value = section.value(Keyword.PARMFILE)
        if value is not None and (value == path or value.startswith(f"{path},")):
            new = candidate + value.removeprefix(path)
            conf = conf.set_value(section.name, Keyword.PARMFILE, new)
    return conf


@contextmanager
def _private_directory(root: Root, progress: Progress) -> Iterator[str]:
    place = next(path for path in (*_PLACES, "") if path == "" or root.exists(path))
    directory = f"{place}/secboot-{os.urandom(8).hex()}"
    root.make_directories(directory, _PRIVATE)
    try:
        yield directory
    finally:
        progress.step(Step.TIDYING)
        _remove_tree(root, directory)


def _remove_tree(root: Root, directory: str) -> None:
    inner = f"{directory}/entries"
    for folder in (inner, directory):
        if not root.exists(folder):
            continue
        for name in root.list_directory(folder):
            path = f"{folder}/{name}"
            if path != inner:
                root.remove(path)
        parent, name = root.open_parent(folder)
        try:
            parent.discard_directory(name)
        finally:
            parent.close()
