"""Stand-ins for the files that zipl would check."""

from __future__ import annotations

from dataclasses import dataclass, field

from secboot.zipl.file_facts import FileFacts, PathKind

DIRECTORY = FileFacts(PathKind.DIRECTORY)
KERNEL = FileFacts(PathKind.REGULAR, size=0x12000, max_parm_size=4096)
LEGACY_KERNEL = FileFacts(PathKind.REGULAR, size=0x12000, max_parm_size=0)
SMALL = FileFacts(PathKind.REGULAR, size=5000)


@dataclass(frozen=True)
class FakeFiles:
    """Files by path; every other path is missing."""

    facts: dict[str, FileFacts] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def look(self, path: str) -> FileFacts:
        if path in self.texts:
            return FileFacts(PathKind.REGULAR, size=len(self.texts[path].encode()))
        return self.facts.get(path, FileFacts(PathKind.MISSING))

    def read_text(self, path: str) -> str:
        return self.texts[path]


@dataclass(frozen=True)
class AgreeableFiles:
    """The given directories and devices; every other path is a kernel image."""

    directories: frozenset[str]
    devices: frozenset[str]

    def look(self, path: str) -> FileFacts:
        if path in self.devices:
            return FileFacts(PathKind.OTHER)
        return DIRECTORY if path in self.directories else KERNEL

    def read_text(self, path: str) -> str:
        return f"from {path}\n"


BOOT = FakeFiles(
    {
        "/boot": DIRECTORY,
        "/boot/vmlinuz": KERNEL,
        "/boot/vmlinuz.old": KERNEL,
        "/boot/legacy": LEGACY_KERNEL,
        "/boot/initrd.img": SMALL,
    },
    {"/boot/parmfile": "from=parmfile\n\nsecond\n"},
)
"""A machine with a usual /boot."""
