"""Hypothesis strategies: boot configurations as people and installers write them, and spoilt.

They are grammar-aware, so most texts get past zipl's scanner and reach its later rules; a
part of them is then damaged in one or two places. The paths that occur are given by the
caller, so the same strategies serve pure tests and tests with the real zipl.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

LONG_PARAMETERS = tuple("x" * length for length in (882, 891, 895, 896, 897, 4090, 4096, 4097))

Draw = Callable[[st.SearchStrategy[str]], str]

SECTION_NAMES = ("linux", "old", "rescue", "a", "b,c", "6.1.0-13", "dump")
TITLES = ("linux", "A", "Debian GNU/Linux 12", "B (b) [c]", "old", "rescue 0-rescue-1")
VERSIONS = ("6.1.9", "6.1.10", "6.1.0~rc1", "6.1.0-1", "0-rescue-12ab", "8", "", "7 b", "\t9")
FILE_NAMES = ("a.conf", "b-6.1.9.conf", "b-6.1.10.conf", ".d.conf", "m-0-rescue.conf", "c.conf~")
PARAMETERS = (
    "",
    "root=/dev/dasda1 prot_virt=1",
    "root=/dev/sda swiotlb=262144",
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
)


@dataclass(frozen=True)
class Paths:
    """Paths to write into configurations: some that exist, some that don't."""

    targets: tuple[str, ...] = ("/boot", "/boot/zipl", "/nowhere", "")
    images: tuple[str, ...] = ("/boot/vmlinuz", "/boot/vmlinuz.old", "/vmlinuz", "/boot/none")
    ramdisks: tuple[str, ...] = ("/boot/initrd.img", "/initrd.img", "/boot/none")
    parmfiles: tuple[str, ...] = ("/boot/parmfile", "/boot/none")
    devices: tuple[str, ...] = ("/dev/none",)
    addresses: tuple[str, ...] = ("", "", "", ",0x10000", ",0x2000000", ",0x1000", ",b")


@dataclass(frozen=True)
class Setup:
    """A zipl.conf and the files of a BLS directory, by name."""

    conf: str
    bls: dict[str, str] = field(default_factory=dict)


def _value(draw: Draw, text: str) -> str:
    quotes = [quote for quote in ('"', "'") if quote not in text]
    if text == text.strip(" \t") and not text.startswith(('"', "'")):
        quotes.append("")
    quote = draw(st.sampled_from(quotes or [""]))
    blanks = draw(st.sampled_from(["", "", " ", "\t"]))
    return f"{quote}{text}{quote}{blanks}"


def _assignment(draw: Draw, keyword: str, value: str) -> str:
    indent = draw(st.sampled_from(["", "", "  ", "\t"]))
    equals = draw(st.sampled_from(["=", "=", " = ", "= ", "\t="]))
    return f"{indent}{keyword}{equals}{_value(draw, value)}\n"


def _some(draw: Draw, *choices: str) -> str:
    return draw(st.sampled_from(choices))


def _maybe(draw: Draw, one_in: int) -> bool:
    # The first choice is the simplest to Hypothesis, and so it should be the usual one.
    return draw(st.sampled_from([*["no"] * (one_in - 1), "yes"])) == "yes"


def _target(draw: Draw, paths: Paths) -> list[str]:
    lines = [_assignment(draw, "target", _usually_first(draw, paths.targets))]
    if _maybe(draw, 8):
        values = {
            "targetbase": _some(draw, "/dev/loop0", "dasda"),
            "targettype": _some(draw, "SCSI", "SCSI", "scsi", "CDL", "ldl", "FBA", "XYZ"),
            "targetgeometry": _some(draw, "1,2,3", "1, 2, 3", "0,1,1", "1,2", "1,2,3x"),
            "targetblocksize": _some(draw, "512", "4096", " 1024 ", "100", "x"),
            "targetoffset": _some(draw, "0", "-1", "5x", ""),
        }
        lines += [_assignment(draw, key, values[key]) for key in values if not _maybe(draw, 3)]
    return lines


def _usually_first(draw: Draw, values: tuple[str, ...]) -> str:
    return draw(st.sampled_from([values[0]] * 20 + list(values)))


def _parameters(draw: Draw) -> str:
    return _some(draw, *(LONG_PARAMETERS if _maybe(draw, 15) else PARAMETERS))


def _ipl_body(draw: Draw, paths: Paths, *, target: bool) -> list[str]:
    image = _usually_first(draw, paths.images) + _usually_first(draw, paths.addresses)
    lines = [_assignment(draw, "image", image)]
    if target:
        lines += _target(draw, paths)
    if _maybe(draw, 2):
        ramdisk = _usually_first(draw, paths.ramdisks) + _usually_first(draw, paths.addresses)
        lines.append(_assignment(draw, "ramdisk", ramdisk))
    if not _maybe(draw, 4):
        lines.append(_assignment(draw, "parameters", _parameters(draw)))
    if _maybe(draw, 5):
        parmfile = _usually_first(draw, paths.parmfiles) + _usually_first(draw, paths.addresses)
        lines.append(_assignment(draw, "parmfile", parmfile))
    extra = {"optional": ("1", "0", "yes"), "secure": ("auto", "1", "2"), "kdump": ("auto", "1")}
    for keyword, values in extra.items():
        if _maybe(draw, 6):
            lines.append(_assignment(draw, keyword, _usually_first(draw, values)))
    return lines


def _other_body(draw: Draw, paths: Paths) -> list[str]:
    target = _target(draw, paths)[:1]
    image, device = _some(draw, *paths.images), _some(draw, *paths.devices)
    bodies = {
        "segment": [_assignment(draw, "segment", image + _some(draw, ",0x1000", "")), *target],
        "dumpto": [_assignment(draw, "dumpto", device + _some(draw, "", ",1G"))],
        "mvdump": [_assignment(draw, "mvdump", image)],
        "dumptofs": [_assignment(draw, "dumptofs", device), *target],
        "tape": [_assignment(draw, "tape", device), _assignment(draw, "image", image)],
        "nothing": target,
    }
    return bodies[_some(draw, *bodies)]


def _shuffled(draw: Draw, lines: list[str]) -> list[str]:
    if _maybe(draw, 2):
        return lines
    order = draw(st.permutations(range(len(lines))))  # type: ignore[arg-type]  # Draw is for text
    return [lines[int(index)] for index in order]


def _defaultboot(draw: Draw, paths: Paths, names: list[str], mode: str) -> list[str]:
    name = _some(draw, *names, *names, *names, *names, "missing", "defaultboot")
    lines = []
    if mode in {"auto", "odd"}:
        lines.append(_some(draw, "defaultauto\n", " defaultauto \n"))
    if mode in {"auto", "target"} or (mode == "odd" and _maybe(draw, 2)):
        lines += _target(draw, paths)
        if _maybe(draw, 2):
            lines.append(_assignment(draw, "default", name))
        for keyword, values in {"prompt": ("0", "1", "2"), "timeout": ("5", "-1", "x")}.items():
            if _maybe(draw, 3):
                lines.append(_assignment(draw, keyword, _usually_first(draw, values)))
    if mode in {"default", "odd"}:
        lines.append(_assignment(draw, "default", name))
    if mode in {"menu", "odd"} and _maybe(draw, 1 if mode == "menu" else 2):
        lines.append(_assignment(draw, "defaultmenu", _usually_first(draw, ("m", "n"))))
    if _maybe(draw, 8):
        lines.append(_assignment(draw, "secure", _some(draw, "0", "1", "auto", "no")))
    return ["[defaultboot]\n", *_shuffled(draw, lines)]


def _menu(draw: Draw, paths: Paths, names: list[str], name: str) -> list[str]:
    lines = _target(draw, paths)
    for number in range(1, 1 + int(_some(draw, *"11112222330"))):
        odd = _maybe(draw, 15)
        position = _some(draw, "31", "62", "63", "0", "1") if odd else str(number)
        member = "missing" if _maybe(draw, 20) else _some(draw, *names)
        lines.append(_assignment(draw, position, member))
    values = {"default": ("1", "2", " 1 ", "0", "x", "63"), "prompt": ("1", "0", "3", "x")}
    for keyword, choices in {**values, "timeout": ("10", "0", "-3", "1x")}.items():
        if _maybe(draw, 3):
            lines.append(_assignment(draw, keyword, _usually_first(draw, choices)))
    return [f":{name}\n", *_shuffled(draw, lines)]


def _noise(draw: Draw) -> list[str]:
    return (
        [_some(draw, "\n", "# comment = x\n", "  # indented\n", " \t\n")] if _maybe(draw, 4) else []
    )


def _conf_lines(draw: Draw, paths: Paths, titles: list[str]) -> list[str]:
    mode = _some(draw, "auto", "auto", "target", "default", "default", "menu", "menu", "odd")
    free = [name for name in SECTION_NAMES if name not in titles or _maybe(draw, 10)]
    names = [_some(draw, *free[index::3]) for index in range(int(_some(draw, *"11122230")))]
    if names and _maybe(draw, 20):
        names.append(names[0])
    known = [*names, *titles] or ["missing"]
    blocks = [] if _maybe(draw, 25) else [_defaultboot(draw, paths, known, mode)]
    inherits = mode in {"auto", "target"} and _maybe(draw, 2)
    for name in names:
        other = _maybe(draw, 12)
        target = not inherits and not _maybe(draw, 25)
        body = _other_body(draw, paths) if other else _ipl_body(draw, paths, target=target)
        blocks.append([f"[{name}]\n", *_shuffled(draw, body)])
    menus = ["m"] if mode == "menu" or _maybe(draw, 10) else []
    if _maybe(draw, 12):
        menus.append(_some(draw, "m", "n"))
    blocks += [_menu(draw, paths, known, name) for name in menus]
    order = _shuffled(draw, [str(index) for index in range(len(blocks))])
    return [line for index in order for line in (*_noise(draw), *blocks[int(index)])]


def _bls_lines(draw: Draw, paths: Paths, title: str) -> list[str]:
    def line(key: str, value: str) -> str:
        end = _some(draw, "\n", "\n", "\n", " \n", "\r\n") if _maybe(draw, 6) else "\n"
        blank = _some(draw, " ", " ", "\t", "  ")
        return f"{key}{blank}{value}{end}"

    lines = [line("title", title)]
    if not _maybe(draw, 4):
        lines.append(line("version", _some(draw, *VERSIONS)))
    image = _usually_first(draw, paths.images) + _usually_first(draw, paths.addresses)
    lines.append(line("linux", image))
    if _maybe(draw, 2):
        lines.append(line("initrd", _usually_first(draw, paths.ramdisks)))
    if not _maybe(draw, 5):
        key = _usually_first(draw, ("options", "opt", "o"))
        lines.append(line(key, _parameters(draw)))
    if _maybe(draw, 3):
        lines.append(_some(draw, "id x\n", "grub_users $grub_users\n", "# c\n", "\n", "x\n"))
    if _maybe(draw, 6):
        return _shuffled(draw, lines)
    return lines


def _damaged(draw: Draw, text: str, one_in: int) -> str:
    """Change one or two places in one of `one_in` texts."""
    if not _maybe(draw, one_in):
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
    title = draw(st.sampled_from(TITLES))
    return _damaged(draw, "".join(_bls_lines(draw, paths, title)), 3)


@st.composite
def conf_texts(draw: st.DrawFn, paths: Paths = Paths()) -> str:
    """Return one zipl.conf, sometimes damaged."""
    return _damaged(draw, "".join(_conf_lines(draw, paths, [])), 3)


@st.composite
def setups(draw: st.DrawFn, paths: Paths = Paths()) -> Setup:
    """Return a zipl.conf and a BLS directory that belongs to it, sometimes damaged."""
    count = draw(st.sampled_from([0, 0, 1, 2, 3]))
    names = draw(st.permutations(FILE_NAMES))[:count]
    titles = draw(st.permutations(TITLES))[:count]
    entries = {
        name: _damaged(draw, "".join(_bls_lines(draw, paths, title)), 10)
        for name, title in zip(names, titles, strict=True)
    }
    conf = _damaged(draw, "".join(_conf_lines(draw, paths, list(titles))), 6)
    return Setup(conf, entries)
