"""How zipl would read the planned boot files, before any of them is written."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.text import decoded
from secboot.formats.zipl_line import Keyword
from secboot.zipl.configuration import ConfFile, interpret
from secboot.zipl.file_facts import FileFacts, PathKind
from secboot.zipl.order import BlsFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from secboot.formats.zipl_conf import ZiplConf
    from secboot.machine.discovery import Machine
    from secboot.system.files import FileChange
    from secboot.zipl.configuration import BootConfiguration

_ADMINISTRATED = "/etc/"


def require_own(machine: Machine) -> None:
    """Raise RefusedError for a zipl.conf that a package owns, or that is rewritten at each boot."""
    if not machine.conf_path.startswith(_ADMINISTRATED):
        message = f"{machine.conf_path} is not meant to be edited; copy it to /etc/zipl.conf first"
        raise RefusedError(message)


def configuration_with(
    machine: Machine,
    conf: ZiplConf,
    files: Sequence[FileChange],
    added: tuple[str, str] | None = None,
    facts: Mapping[str, FileFacts] = MappingProxyType({}),
) -> BootConfiguration:
    """Return how zipl would read the files with these changes, this zipl.conf and one more BLS entry.

    `added` is the entry's path and text. `facts` are about files that were not examined before.
    """
    contents = {each.path: each.after for each in files}
    contents |= {each.real_path: each.after for each in files}
    bls = [
        BlsFile(each.path, _text(contents.get(each.path)) or each.render())
        for each in machine.configuration.bls
        if contents.get(each.path, b"") is not None
    ]
    if added is not None:
        bls.append(BlsFile(*added))
    return interpret(
        ConfFile(machine.conf_path, conf.render()),
        bls,
        _Known(machine, facts, contents),
        machine.zipl_version,
        None,
    )


def _text(data: bytes | None) -> str | None:
    return None if data is None else decoded(data)


class _Known:
    """The files that zipl would find, as far as they were examined (`FileLookup`)."""

    def __init__(
        self,
        machine: Machine,
        facts: Mapping[str, FileFacts],
        contents: Mapping[str, bytes | None],
    ) -> None:
        self._parmfiles = {path: file.text for path, file in machine.parmfiles.items()}
        self._parmfiles |= {
            path: _text(contents[file.real_path]) or ""
            for path, file in machine.parmfiles.items()
            if file.real_path in contents
        }
        self._facts = {**machine.facts, **facts}
        conf = machine.configuration.conf
        self._targets = {block.value(Keyword.TARGET) for block in conf.blocks}

    def look(self, path: str) -> FileFacts:
        """See `FileLookup.look`."""
        if path in self._facts:
            return self._facts[path]
        if path in self._parmfiles:
            return FileFacts(PathKind.REGULAR, len(self._parmfiles[path]))
        there = path in self._targets or path == "/boot"
        return FileFacts(PathKind.DIRECTORY if there else PathKind.MISSING)

    def read_text(self, path: str) -> str:
        """See `FileLookup.read_text`."""
        return self._parmfiles[path]
