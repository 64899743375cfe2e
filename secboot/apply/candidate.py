"""Show the new boot files to zipl before they take the place of the old ones.

zipl takes the configuration file and the directory of BLS entries from its command line, so the
candidates go to private directories that are removed afterwards. A parmfile is named inside
zipl.conf: there the candidate's path is put in for the check.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.formats.zipl_parameters import ZIPLENV
from secboot.machine.discovery import BLS_DIRECTORY
from secboot.progress import UNWATCHED, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.apply.zipl import Zipl
    from secboot.machine.discovery import Machine
    from secboot.progress import Progress
    from secboot.system.directory import PrivateDirectory
    from secboot.system.root import Root


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
    with ExitStack() as directories:
        directory = directories.enter_context(root.private_directory())
        bls = None
        if any(entry.path in new_contents for entry in machine.configuration.bls):
            copies = directories.enter_context(root.private_directory())
            _write_entries(copies, machine, new_contents, progress)
            bls = copies.path
        conf = _write_conf(directory, machine, new_contents)
        directories.callback(progress.report, Phase.TIDYING)
        zipl.check(conf, bls, _write_environment(directory, new_contents))


def _write_entries(
    copies: PrivateDirectory,
    machine: Machine,
    new_contents: Mapping[str, bytes],
    progress: Progress,
) -> None:
    """Copy all entries, with the new contents of those that have one."""
    contents = {file.path: file.data for file in machine.files} | dict(new_contents)
    entries = [entry.path for entry in machine.configuration.bls]
    for number, path in enumerate(entries, start=1):
        copies.write(path.removeprefix(f"{BLS_DIRECTORY}/"), contents[path])
        progress.report(Phase.COPYING, number, len(entries))


def _write_environment(
    directory: PrivateDirectory, new_contents: Mapping[str, bytes]
) -> str | None:
    if ZIPLENV not in new_contents:
        return None
    return directory.write("ziplenv", new_contents[ZIPLENV])


def _write_conf(
    directory: PrivateDirectory, machine: Machine, new_contents: Mapping[str, bytes]
) -> str:
    conf = machine.configuration.conf
    if machine.conf_path in new_contents:
        text = new_contents[machine.conf_path].decode("utf-8", "surrogateescape")
        conf = ZiplConf.parse(text, machine.conf_path)
    parmfiles = [path for path in machine.parmfiles if path in new_contents]
    candidates = {
        path: directory.write(f"parmfile-{number}", new_contents[path])
        for number, path in enumerate(parmfiles)
    }
    conf = _with_parmfiles(conf, candidates)
    return directory.write("zipl.conf", conf.render().encode("utf-8", "surrogateescape"))


def _with_parmfiles(conf: ZiplConf, candidates: Mapping[str, str]) -> ZiplConf:
    """Return the configuration with other parmfiles; a load address behind a name stays."""
    values = {
        section.name: candidate + value.removeprefix(path)
        for section in conf.sections
        if (value := section.value(Keyword.PARMFILE)) is not None
        for path, candidate in candidates.items()
        if value == path or value.startswith(f"{path},")
    }
    return conf.with_values(Keyword.PARMFILE, values)
