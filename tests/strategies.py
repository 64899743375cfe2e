"""Hypothesis strategies: boot configurations as people and installers write them, and damaged ones.

They are grammar-aware. About half of the set-ups are careful: they vary everything that zipl
allows and are nearly always accepted. The other half are careless: they break the rules that zipl
checks late (files, targets, menus, lengths), and some of them are damaged in one or two places,
which zipl's scanner refuses. The caller provides the paths, so the same strategies serve pure
tests and tests with the real zipl.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[str]], str]


@dataclass(frozen=True)
class Values:
    """Values of one keyword: the valid ones, with the usual one first, and invalid ones."""

    right: tuple[str, ...]
    wrong: tuple[str, ...] = ()


KINDS_OF_WRITERS = ("careful", "careless", "careful", "careless", "careless")
SECTION_NAMES = ("linux", "old", "rescue", "a", "b,c", "6.1.0-13", "dump")
TITLES = ("linux", "A", "Debian GNU/Linux 12", "B (b) [c]", "old", "rescue 0-rescue-1")
VERSIONS = ("6.1.9", "6.1.10", "6.1.0~rc1", "6.1.0-1", "0-rescue-12ab", "8", "", "7 b", "\t9")
FILE_NAMES = ("a.conf", "b-6.1.9.conf", "b-6.1.10.conf", ".d.conf", "m-0-rescue.conf", "c.conf~")
PARAMETERS = (
    "",
    "root=/dev/dasda1 prot_virt=1",
    "root=/dev/sda swiotlb=262144",
    "prot_virt=0 swiotlb=512,force quiet",
    'dyndbg="file a +p" ro',
    "don't",
    'a"b',
    "# not a comment",
    "x # y",
    " outer ",
    "a  b",
    "$kernelopts",
    "${SITE} a",
    "ä",
    "root=LABEL=x -- prot_virt=on",
)
LONG_PARAMETERS = Values(
    right=tuple("x" * length for length in (882, 891, 895, 896)),
    wrong=tuple("x" * length for length in (896, 897, 4090, 4096, 4097)),
)
TARGET_DETAILS = {
    "targetbase": Values(("/dev/loop0",), ("dasda",)),
    "targettype": Values(("SCSI", "FBA"), ("scsi", "CDL", "ldl", "XYZ")),
    "targetgeometry": Values(("1,2,3", "1, 2, 3"), ("0,1,1", "1,2", "1,2,3x")),
    "targetblocksize": Values(("512", "4096", " 1024 "), ("100", "x")),
    "targetoffset": Values(("0",), ("-1", "5x", "")),
}
IPL_OPTIONS = {
    "optional": Values(("1", "0"), ("yes", "", "2", "0x1", "1x")),
    "secure": Values(("auto", "0"), ("1", "2")),
    "kdump": Values(("auto",), ("1",)),
}
MENU_OPTIONS = {
    "default": Values(("1", " 1 "), ("2", "0", "x", "63")),
    "prompt": Values(("1", "0"), ("3", "x")),
    "timeout": Values(("10", "0"), ("-3", "1x")),
}
AUTOMATIC_MENU_OPTIONS = {
    "prompt": Values(("0", "1"), ("2",)),
    "timeout": Values(("5", "0"), ("-1", "x")),
}


@dataclass(frozen=True)
class Paths:
    """Paths to write into configurations; the valid ones exist on the caller's machine."""

    targets: Values = Values(("/boot", "/boot/zipl"), ("/nowhere", "/boot/none", "", "boot"))
    images: Values = Values(
        ("/boot/vmlinuz", "/boot/vmlinuz.old", "/vmlinuz"),
        ("/boot/none", "/boot/empty", "boot/vmlinuz", "/boot"),
    )
    ramdisks: Values = Values(
        ("/boot/initrd.img", "/initrd.img"),
        ("/boot/none", "/boot/empty", "boot/initrd.img", "/boot"),
    )
    parmfiles: Values = Values(("/boot/parmfile",), ("/boot/none", "/boot/empty", "boot/parmfile"))
    devices: tuple[str, ...] = ("/dev/none",)
    image_addresses: Values = Values(("", ",0x10000"), (",0x2000000", ",0x1000", ",b"))
    other_addresses: Values = Values(("", ",0x2000000"), (",0x10000", ",0x1000", ",b"))


@dataclass(frozen=True)
class Setup:
    """A zipl.conf, and the files in a BLS directory by name."""

    conf: str
    bls: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Writer:
    """The writer of one set-up, choice by choice; a careful one makes no mistakes."""

    draw: Draw
    paths: Paths
    careful: bool

    @classmethod
    def of_any_kind(cls, draw: Draw, paths: Paths) -> Writer:
        """Draw the kind first: it has the largest effect on zipl's verdict."""
        return cls(draw, paths, _some(draw, *KINDS_OF_WRITERS) == "careful")

    def some(self, *choices: str) -> str:
        """One of the choices; the first is the simplest to Hypothesis."""
        return _some(self.draw, *choices)

    def maybe(self, one_in: int) -> bool:
        """Whether to do something that one in this many people does."""
        return self.some(*["no"] * (one_in - 1), "yes") == "yes"

    def slips(self, one_in: int) -> bool:
        """Whether to make a mistake that one in this many careless people makes."""
        return not self.careful and self.maybe(one_in)

    def value(self, values: Values) -> str:
        """A value: mostly the usual one, an invalid one only by mistake."""
        if values.wrong and self.slips(20):
            return self.some(*values.wrong)
        return self.some(*[values.right[0]] * 4, *values.right)

    def shuffled(self, lines: Sequence[str], one_in: int = 2) -> list[str]:
        """The lines, in a different order in one of this many cases."""
        if not self.maybe(one_in):
            return list(lines)
        order = self.draw(st.permutations(range(len(lines))))  # type: ignore[arg-type]  # Draw is for text
        return [lines[int(index)] for index in order]

    def assignment(self, keyword: str, value: str) -> str:
        """A line of zipl.conf."""
        indent = self.some("", "", "  ", "\t")
        equals = self.some("=", "=", " = ", "= ", "\t=")
        return f"{indent}{keyword}{equals}{self._quoted(value)}\n"

    def assignments(self, options: dict[str, Values], one_in: int) -> list[str]:
        """Some of these options, each in one of this many cases."""
        return [
            self.assignment(keyword, self.value(values))
            for keyword, values in options.items()
            if self.maybe(one_in)
        ]

    def _quoted(self, text: str) -> str:
        quotes = [quote for quote in ('"', "'") if quote not in text]
        if text == text.strip(" \t") and not text.startswith(('"', "'")):
            quotes.append("")
        quote = self.some(*(quotes or [""]))
        blanks = self.some("", "", " ", "\t")
        return f"{quote}{text}{quote}{blanks}"


def _some(draw: Draw, *choices: str) -> str:
    return draw(st.sampled_from(choices))


def _target(writer: Writer) -> list[str]:
    lines = [writer.assignment("target", writer.value(writer.paths.targets))]
    if writer.maybe(30):
        lines += [
            writer.assignment(keyword, writer.value(values))
            for keyword, values in TARGET_DETAILS.items()
            if not writer.slips(3)
        ]
    return lines


def _parameters(writer: Writer) -> str:
    if not writer.maybe(15):
        return writer.some(*PARAMETERS)
    wrong = not writer.careful and writer.maybe(2)
    return writer.some(*(LONG_PARAMETERS.wrong if wrong else LONG_PARAMETERS.right))


def _ipl_body(writer: Writer, *, target: bool) -> list[str]:
    paths = writer.paths
    image = writer.value(paths.images) + writer.value(paths.image_addresses)
    lines = [writer.assignment("image", image)]
    if target:
        lines += _target(writer)
    if writer.maybe(2):
        ramdisk = writer.value(paths.ramdisks) + writer.value(paths.other_addresses)
        lines.append(writer.assignment("ramdisk", ramdisk))
    if not writer.maybe(6):
        lines.append(writer.assignment("parameters", _parameters(writer)))
    if writer.maybe(5):
        address = writer.value(paths.other_addresses) if not writer.careful else ""
        parmfile = writer.value(paths.parmfiles) + address
        lines.append(writer.assignment("parmfile", parmfile))
    return lines + writer.assignments(IPL_OPTIONS, 6)


def _other_body(writer: Writer) -> list[str]:
    target = _target(writer)[:1]
    image, device = writer.value(writer.paths.images), writer.some(*writer.paths.devices)
    address = "" if writer.slips(3) else ",0x1000"
    bodies = {
        "segment": [writer.assignment("segment", image + address), *target],
        "dumpto": [writer.assignment("dumpto", device + writer.some("", ",1G"))],
        "mvdump": [writer.assignment("mvdump", image)],
        "tape": [writer.assignment("tape", device), writer.assignment("image", image)],
    }
    if writer.slips(3):
        bodies = {"dumptofs": [writer.assignment("dumptofs", device), *target], "nothing": target}
    return bodies[writer.some(*bodies)]


def _defaultboot(writer: Writer, names: list[str], mode: str) -> list[str]:
    name = writer.some("missing", "defaultboot") if writer.slips(8) else writer.some(*names)
    lines = []
    if mode in {"auto", "odd"}:
        lines.append(writer.some("defaultauto\n", " defaultauto \n"))
    if mode in {"auto", "target"} or (mode == "odd" and writer.maybe(2)):
        lines += _target(writer)
        if mode == "auto" and writer.maybe(2):
            lines.append(writer.assignment("default", name))
        lines += writer.assignments(AUTOMATIC_MENU_OPTIONS, 3)
    if mode in {"default", "odd"} or (mode == "target" and not writer.slips(4)):
        lines.append(writer.assignment("default", name))
    if mode == "menu" or (mode == "odd" and writer.maybe(2)):
        lines.append(writer.assignment("defaultmenu", writer.value(Values(("m",), ("n",)))))
    if writer.slips(8):
        lines.append(writer.assignment("secure", writer.some("0", "1", "auto", "no")))
    return ["[defaultboot]\n", *writer.shuffled(lines)]


def _menu(writer: Writer, names: list[str], name: str) -> list[str]:
    lines = _target(writer)
    count = 0 if writer.slips(20) else int(writer.some(*"1122223"))
    for number in range(1, 1 + count):
        position = writer.some("31", "62", "63", "0", "1") if writer.slips(15) else str(number)
        member = "missing" if writer.slips(20) else writer.some(*names)
        lines.append(writer.assignment(position, member))
    lines += writer.assignments(MENU_OPTIONS, 3)
    return [f":{name}\n", *writer.shuffled(lines)]


def _noise(writer: Writer) -> list[str]:
    if not writer.maybe(4):
        return []
    return [writer.some("\n", "# comment = x\n", "  # indented\n", " \t\n")]


def _mode(writer: Writer, titles: list[str]) -> str:
    """How [defaultboot] selects: a BLS entry needs the target of an automatic menu."""
    if titles and not writer.slips(3):
        return writer.some("auto", "auto", "target")
    modes = ["auto", "auto", "target", "default", "default", "menu", "menu"]
    return writer.some(*modes) if writer.careful else writer.some(*modes, "odd")


def _section_names(writer: Writer, titles: list[str]) -> list[str]:
    free = [name for name in SECTION_NAMES if name not in titles or writer.slips(10)]
    count = int(writer.some(*("01" if titles else "1"), *"1122233"))
    names = [writer.some(*free[index::3]) for index in range(0 if writer.slips(8) else count)]
    return [*names, *(names[:1] if writer.slips(20) else [])]


def _conf_lines(writer: Writer, titles: list[str]) -> list[str]:
    mode = _mode(writer, titles)
    inherits = mode in {"auto", "target"} and writer.maybe(2)
    sections: list[list[str]] = []
    bootable = [*titles]
    names = _section_names(writer, titles)
    for number, name in enumerate(names):
        # A section that can't be booted is an additional one, or a careless writer's only one.
        other = writer.maybe(8) if number else writer.slips(12)
        if not other or writer.slips(3):
            bootable.append(name)
        target = not inherits and not writer.slips(25)
        body = _other_body(writer) if other else _ipl_body(writer, target=target)
        sections.append([f"[{name}]\n", *writer.shuffled(body)])
    bootable = bootable or ["missing"]
    blocks = [] if writer.slips(25) else [_defaultboot(writer, bootable, mode)]
    menus = ["m"] if mode == "menu" or writer.maybe(10) else []
    if writer.slips(12):
        menus.append(writer.some("m", "n"))
    blocks += [*sections, *(_menu(writer, bootable, name) for name in menus)]
    order = writer.shuffled([str(index) for index in range(len(blocks))])
    return [line for index in order for line in (*_noise(writer), *blocks[int(index)])]


def _bls_lines(writer: Writer, title: str) -> list[str]:
    def line(key: str, value: str) -> str:
        end = writer.some("\n", " \n", "\r\n") if writer.slips(6) else "\n"
        blank = writer.some(" ", " ", "\t", "  ")
        return f"{key}{blank}{value}{end}"

    lines = []
    if not writer.maybe(4):
        lines.append(line("version", writer.some(*VERSIONS)))
    lines.append(line("linux", writer.value(writer.paths.images)))
    if writer.maybe(2):
        lines.append(line("initrd", writer.value(writer.paths.ramdisks)))
    if not writer.maybe(6):
        key = writer.value(Values(("options",), ("opt", "o")))
        lines.append(line(key, _parameters(writer)))
    if writer.maybe(3):
        lines.append(writer.some("id x\n", "grub_users $grub_users\n", "# c\n", "\n"))
    if writer.slips(10):
        lines.append("x\n")
    lines = writer.shuffled(lines, one_in=4)
    # zipl misreads a file whose title is not on the first line.
    first = [line("title", title)]
    return writer.shuffled([*first, *lines]) if writer.slips(6) else [*first, *lines]


def _damaged(draw: Draw, text: str, one_in: int) -> str:
    """Change one or two places in one of `one_in` texts."""
    # To Hypothesis, the first choice is the simplest, so it should be the usual one.
    if _some(draw, *["no"] * (one_in - 1), "yes") == "no":
        return text
    for _ in range(int(_some(draw, "1", "1", "2"))):
        text = _damage(draw, text)
    return text


def _damage(draw: Draw, text: str) -> str:
    place = int(draw(st.integers(0, max(len(text), 1)).map(str)))
    kind = _some(draw, "insert", "insert", "delete", "repeat line", "drop line", "crlf", "cut")
    lines = text.splitlines(keepends=True) or [""]
    row = place % len(lines)
    match kind:
        case "insert":
            pieces = st.sampled_from(["#", '"', "'", "=", " ", "\t", "\n", "\r", "\0", "[", "]"])
            words = st.sampled_from([":", "1", "x", "default", "title ", "target", "ÿ", "\udcff"])
            return text[:place] + draw(st.one_of(pieces, words)) + text[place:]
        case "delete":
            return text[:place] + text[place + 1 :]
        case "repeat line":
            return "".join([*lines[: row + 1], *lines[row:]])
        case "drop line":
            return "".join([*lines[:row], *lines[row + 1 :]])
        case "crlf":
            return text.replace("\n", "\r\n")
        case _:
            return text[:place]


@st.composite
def bls_texts(draw: st.DrawFn, paths: Paths = Paths()) -> str:
    """Return one BLS entry, sometimes damaged."""
    writer = Writer.of_any_kind(draw, paths)
    return _damaged(draw, "".join(_bls_lines(writer, draw(st.sampled_from(TITLES)))), 3)


@st.composite
def conf_texts(draw: st.DrawFn, paths: Paths = Paths()) -> str:
    """Return one zipl.conf, sometimes damaged."""
    return _damaged(draw, "".join(_conf_lines(Writer.of_any_kind(draw, paths), [])), 3)


@st.composite
def setups(draw: st.DrawFn, paths: Paths = Paths()) -> Setup:
    """Return a zipl.conf and a BLS directory that belongs to it.

    Those of a careful writer are intact; of the others, about half have a damaged file.
    """
    return _setup(draw, Writer.of_any_kind(draw, paths))


@st.composite
def careful_setups(draw: st.DrawFn, paths: Paths = Paths()) -> Setup:
    """Return a set-up without mistakes, which zipl nearly always accepts."""
    return _setup(draw, Writer(draw, paths, careful=True))


def _setup(draw: st.DrawFn, writer: Writer) -> Setup:
    count = draw(st.sampled_from([0, 0, 1, 2, 3]))
    names = draw(st.permutations(FILE_NAMES))[:count]
    titles = draw(st.permutations(TITLES))[:count]
    entries = {
        name: "".join(_bls_lines(writer, title)) for name, title in zip(names, titles, strict=True)
    }
    # zipl doesn't see an entry whose name ends in anything but .conf.
    seen = [title for name, title in zip(names, titles, strict=True) if name.endswith(".conf")]
    conf = "".join(_conf_lines(writer, seen if writer.careful else list(titles)))
    if writer.careful:
        return Setup(conf, entries)
    entries = {name: _damaged(draw, text, 5) for name, text in entries.items()}
    return Setup(_damaged(draw, conf, 2), entries)
