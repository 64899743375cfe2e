"""Machines where zipl has run, and whose boot files were changed afterwards, step by step.

A machine is data: entries, and kernels and ramdisks by the path that entries name. So the line and
the contents of each program that zipl installed are known, whatever the files contain now.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from hypothesis import strategies as st

from tests.s390x.real_zipl import kernel_stub

STYLES: Final = ("section", "automatic", "menu", "bls")
"""How the files define what to install: one section, all sections, a menu, BLS entries."""

_NAMES: Final = ("linux", "old", "rescue", "debug", "spare")
_LINES: Final = (
    "root=/dev/vda1 quiet",
    "root=/dev/vda1 quiet swiotlb=262144",
    "root=/dev/vda1 quiet  swiotlb=262144",
    'root=/dev/vda1 prot_virt=1 name=a"b',
    "root=/dev/vda1 ${SWIOTLB}",
    " ".join(f"rd.zfcp=0.0.19{n:02x},0x500507630b1050{n:02x}" for n in range(12)),
    "",
    None,
)
_KERNELS: Final = ("boot/vmlinuz-1", "boot/vmlinuz-2", "boot/vmlinuz-3")
_RAMDISKS: Final = ("boot/initrd-1", "boot/initrd-2", None)


@dataclass(frozen=True)
class Content:
    """The content of a kernel or ramdisk; its size depends on the build, not on the edition."""

    is_kernel: bool
    build: int
    edition: int = 0

    @property
    def data(self) -> bytes:
        """The whole content."""
        body = bytes([self.build, self.edition]) * (4000 + self.build * 1000)
        return kernel_stub() + body if self.is_kernel else body


@dataclass(frozen=True)
class Entry:
    """One boot entry; `kernel` and `ramdisk` are paths without the leading slash."""

    name: str
    line: str | None
    kernel: str
    ramdisk: str | None


@dataclass(frozen=True)
class BootFiles:
    """A machine: its entries in file order, the name of the default, all file contents."""

    style: str
    entries: tuple[Entry, ...]
    default: str
    contents: Mapping[str, Content]

    def texts(self) -> dict[str, bytes]:
        """All files of the machine, by path."""
        made = {path: content.data for path, content in self.contents.items()}
        conf = "[defaultboot]\n"
        if self.style == "bls":
            conf += f"defaultauto\nprompt=1\ntimeout=3\ntarget=/boot\ndefault={self.default}\n"
            for number, entry in enumerate(self.entries):
                # zipl sorts the highest version first.
                version = f"version 6.1.{len(self.entries) - number}\n"
                made[f"boot/loader/entries/{entry.name}.conf"] = (_bls(entry) + version).encode()
        else:
            conf += {
                "section": f"default={self.default}\n",
                "automatic": f"defaultauto\ntarget=/boot\ndefault={self.default}\n",
                "menu": "defaultmenu=all\n",
            }[self.style]
            conf += "".join(map(_section, self.entries))
            conf += self._menu() if self.style == "menu" else ""
        return made | {"etc/zipl.conf": conf.encode()}

    def _menu(self) -> str:
        numbers = {entry.name: 3 * n for n, entry in enumerate(self.entries, 1)}
        rows = "".join(f"{number}={name}\n" for name, number in numbers.items())
        return f":all\ntarget=/boot\n{rows}default={numbers.get(self.default, 1)}\n"

    @property
    def names(self) -> list[str]:
        """The names of the entries."""
        return [entry.name for entry in self.entries]

    def with_entry(self, name: str, **changes: str | None) -> "BootFiles":
        """The machine with one entry changed."""
        entries = tuple(
            replace(each, **changes) if each.name == name else each  # type: ignore[arg-type]  # no bytes
            for each in self.entries
        )
        return replace(self, entries=entries)


def _section(entry: Entry) -> str:
    text = f"[{entry.name}]\ntarget=/boot\nimage=/{entry.kernel}\n"
    text += f"ramdisk=/{entry.ramdisk}\n" if entry.ramdisk else ""
    return text if entry.line is None else f"{text}parameters='{entry.line}'\n"


def _bls(entry: Entry) -> str:
    text = f"title {entry.name}\nlinux /{entry.kernel}\n"
    text += f"initrd /{entry.ramdisk}\n" if entry.ramdisk else ""
    return text if not entry.line else f"{text}options {entry.line}\n"


def _content(draw: st.DrawFn, path: str) -> Content:
    return Content("vmlinuz" in path, draw(st.integers(1, 20)))


def _entry(draw: st.DrawFn, name: str) -> Entry:
    return Entry(
        name,
        draw(st.sampled_from(_LINES)),
        draw(st.sampled_from(_KERNELS)),
        draw(st.sampled_from(_RAMDISKS)),
    )


@st.composite
def machines(draw: st.DrawFn) -> BootFiles:
    """A machine that zipl accepts."""
    names = draw(st.permutations(_NAMES))[: draw(st.integers(1, 4))]
    paths = [path for path in (*_KERNELS, *_RAMDISKS) if path is not None]
    return BootFiles(
        draw(st.sampled_from(STYLES)),
        tuple(_entry(draw, name) for name in names),
        draw(st.sampled_from(names)),
        {path: _content(draw, path) for path in paths},
    )


Change = Callable[[st.DrawFn, BootFiles], BootFiles]


def _added(draw: st.DrawFn, files: BootFiles) -> BootFiles:
    """A new entry, often with its own kernel, as after an update."""
    free = [name for name in _NAMES if name not in files.names]
    if not free:
        return files
    entry = _entry(draw, free[0])
    contents = dict(files.contents)
    if draw(st.booleans()):
        entry = replace(entry, kernel=f"boot/vmlinuz-{free[0]}")
        contents[entry.kernel] = _content(draw, entry.kernel)
    place = draw(st.integers(0, len(files.entries)))
    entries = (*files.entries[:place], entry, *files.entries[place:])
    return replace(files, entries=entries, contents=contents)


def _removed(draw: st.DrawFn, files: BootFiles) -> BootFiles:
    gone = draw(st.sampled_from(files.names))
    left = tuple(each for each in files.entries if each.name != gone)
    if not left:
        return files
    default = left[0].name if files.default == gone else files.default
    return replace(files, entries=left, default=default)


def _replaced(draw: st.DrawFn, files: BootFiles) -> BootFiles:
    """A different kernel or ramdisk under the same name, as from a rebuilt package."""
    path = draw(st.sampled_from(sorted(files.contents)))
    return replace(files, contents={**files.contents, path: _content(draw, path)})


def _rebuilt(draw: st.DrawFn, files: BootFiles) -> BootFiles:
    """A file with the size of the old one: only its time differs."""
    path = draw(st.sampled_from(sorted(files.contents)))
    content = files.contents[path]
    rebuilt = replace(content, edition=content.edition + 1)
    return replace(files, contents={**files.contents, path: rebuilt})


def _deleted(draw: st.DrawFn, files: BootFiles) -> BootFiles:
    path = draw(st.sampled_from(sorted(files.contents)))
    return replace(files, contents={p: c for p, c in files.contents.items() if p != path})


def _edited(draw: st.DrawFn, files: BootFiles) -> BootFiles:
    name, line = draw(st.sampled_from(files.names)), draw(st.sampled_from(_LINES))
    return files.with_entry(name, line=line)


def _pointed_elsewhere(draw: st.DrawFn, files: BootFiles) -> BootFiles:
    name = draw(st.sampled_from(files.names))
    return files.with_entry(
        name, kernel=draw(st.sampled_from(_KERNELS)), ramdisk=draw(st.sampled_from(_RAMDISKS))
    )


def _other_default(draw: st.DrawFn, files: BootFiles) -> BootFiles:
    return replace(files, default=draw(st.sampled_from(files.names)))


def _other_order(draw: st.DrawFn, files: BootFiles) -> BootFiles:
    return replace(files, entries=tuple(draw(st.permutations(files.entries))))


CHANGES: Final[tuple[Change, ...]] = (
    _added,
    _removed,
    _replaced,
    _rebuilt,
    _deleted,
    _edited,
    _pointed_elsewhere,
    _other_default,
    _other_order,
)


@st.composite
def changed_machines(draw: st.DrawFn) -> tuple[BootFiles, BootFiles]:
    """A machine as zipl read it, and as it is now."""
    before = after = draw(machines())
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=4)):
        after = change(draw, after)
    return before, after
