"""Corner cases of zipl's verdict: empty files, odd values of optional=, relative paths, dump lists.

Each is compared with every available release of zipl, by verdict, message, entries and lines.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.available import not_here
from tests.s390x.oracle import MACHINE, compare, compare_cell
from tests.s390x.real_zipl import Cell
from tests.s390x.sample_machines import AUTOMATIC, ENTRIES

pytestmark = pytest.mark.oracle

ONE = "[defaultboot]\ndefault=l\n"
SECTION = "[l]\ntarget=/boot\nimage=/boot/vmlinuz\nramdisk=/boot/initrd.img\nparameters=a\n"
OTHER = "[o]\ntarget=/boot\nimage={image}\nparameters=b\n{more}\n"
AUTO = AUTOMATIC.decode()


def conf(*parts: str) -> dict[str, bytes]:
    return {"etc/zipl.conf": "".join(parts).encode()}


def bls(**fields: str) -> dict[str, bytes]:
    text = "".join(f"{key} {value}\n" for key, value in fields.items())
    return conf(AUTO) | {f"{ENTRIES}/a.conf": text.encode()}


def mvdump(targets: bytes) -> dict[str, bytes]:
    return conf("[defaultboot]\ndefault=d\n[d]\nmvdump=/etc/list\n") | {"etc/list": targets}


def optional(value: str, image: str = "/boot/none") -> dict[str, bytes]:
    return conf(AUTO, SECTION, OTHER.format(image=image, more=f"optional={value}"))


MENU = "[defaultboot]\ndefaultmenu=m\n:m\ntarget=/boot\n"
CORNERS: Mapping[str, dict[str, bytes]] = {
    **{
        f"empty-{name}-{kind}": conf(head, SECTION.replace(path, "/boot/empty"))
        for name, path in (("ramdisk", "/boot/initrd.img"), ("image", "/boot/vmlinuz"))
        for kind, head in (("alone", ONE), ("menu", AUTO))
    },
    "empty-ramdisk-of-another-entry": conf(AUTO, SECTION, OTHER.format(image="/boot/vmlinuz", more="ramdisk=/boot/empty")),
    "empty-ramdisk-optional": conf(AUTO, SECTION, OTHER.format(image="/boot/vmlinuz", more="ramdisk=/boot/empty\noptional=1")),
    "empty-ramdisk-bls": bls(title="a", linux="/boot/vmlinuz", initrd="/boot/empty"),
    "empty-image-bls": bls(title="a", linux="/boot/empty"),
    "empty-parmfile": conf(ONE, SECTION, "parmfile=/boot/empty\n"),
    "small-image": {"boot/small": b"x" * 0x10437} | conf(ONE, SECTION.replace("vmlinuz", "small")),
    "smallest-image": {"boot/small": b"x" * 0x10438} | conf(ONE, SECTION.replace("vmlinuz", "small")),
    "image-of-one-byte": {"boot/small": b"x"} | conf(AUTO, SECTION.replace("vmlinuz", "small")),
    "menu-with-defaultboot": conf(MENU, "1=l\n2=defaultboot\n", SECTION),
    "menu-with-defaultboot-first": conf(MENU, "1=defaultboot\n2=l\n", SECTION),
    "menu-with-a-dump": conf(MENU, "1=l\n2=d\n", SECTION, "[d]\ndumpto=/dev/none\n"),
    "menu-with-a-segment": conf(MENU, "1=l\n2=d\n", SECTION, "[d]\nsegment=/boot/initrd.img,0x1000000\ntarget=/boot\n"),
    "menu-with-a-missing-image": conf(MENU, "1=l\n2=o\n", SECTION, OTHER.format(image="/boot/none", more="")),
    "optional-default-missing-ramdisk": conf(ONE, SECTION.replace("/boot/initrd.img", "/boot/none"), "optional=1\n"),
    "optional-default-missing-image": conf(ONE, SECTION.replace("/boot/vmlinuz", "/boot/none"), "optional=1\n"),
    "optional-menu-missing-ramdisk": conf(AUTO, SECTION, OTHER.format(image="/boot/vmlinuz", more="ramdisk=/boot/none\noptional=1")),
    **{f"optional={value}": optional(value) for value in (
        "1", "0", "yes", "2", "-1", " 1", "01", "1x", "true", "", "+1", "0x1", "1.5", "'1'", "4294967297", "99999999999999999999",
    )},
    **{f"optional={value}-with-its-image": optional(value, "/boot/vmlinuz") for value in ("0", "yes", "")},
    **{f"optional={value}-first": conf(AUTO, OTHER.format(image="/boot/none", more=f"optional={value}"), SECTION) for value in ("0", "yes", "1")},
    "relative-image": conf(ONE, SECTION.replace("/boot/vmlinuz", "boot/vmlinuz")),
    "relative-ramdisk": conf(ONE, SECTION.replace("/boot/initrd.img", "boot/initrd.img")),
    "relative-parmfile": conf(ONE, SECTION, "parmfile=boot/parmfile\n"),
    "relative-target": conf(AUTO.replace("/boot", "boot"), SECTION),
    "relative-target-of-a-section": conf(ONE, SECTION.replace("target=/boot", "target=boot")),
    "relative-dots": conf(ONE, SECTION.replace("/boot/vmlinuz", "./boot/../boot/vmlinuz")),
    "relative-missing": conf(ONE, SECTION.replace("/boot/vmlinuz", "vmlinuz-none")),
    "relative-image-at-the-top": conf(ONE, SECTION.replace("/boot/vmlinuz", "vmlinuz")),
    "relative-bls": bls(title="a", linux="boot/vmlinuz", initrd="boot/initrd.img"),
    "relative-bls-below-the-target": bls(title="a", linux="vmlinuz", initrd="initrd.img"),
    "empty-path": conf(ONE, SECTION.replace("/boot/vmlinuz", "")),
    "mvdump-list": mvdump(b"/dev/none\n"),
    "mvdump-empty-list": mvdump(b""),
    "mvdump-comment": mvdump(b"# nothing\n\n"),
    "mvdump-regular-file": mvdump(b"/boot/vmlinuz\n"),
    "mvdump-directory": mvdump(b"/boot\n"),
    "mvdump-many": mvdump(b"/dev/none\n" * 40),
    "mvdump-blank-line": mvdump(b"\n"),
    "mvdump-blank-line-first": mvdump(b"\n/dev/none\n"),
    "mvdump-32": mvdump(b"/dev/none\n" * 32),
    "mvdump-33": mvdump(b"/dev/none\n" * 33),
    "mvdump-32-and-a-half": mvdump(b"/dev/none\n" * 32 + b"x"),
    "mvdump-nul": mvdump(b"/dev/no\0ne\n"),
    "mvdump-long": mvdump(b"/dev/" + b"x" * 200 + b"\n"),
    "mvdump-blanks": mvdump(b"  /dev/none  \n"),
    "mvdump-no-newline": mvdump(b"/dev/none"),
    "ziplenv-name": {"etc/ziplenv": b"1A=1\n"} | conf(ONE, SECTION),
    "ziplenv-site": {"etc/ziplenv": b"[site 11]\n"} | conf(ONE, SECTION),
    "ziplenv-big": {"etc/ziplenv": b"A=" + b"x" * 4080 + b"\n"} | conf(ONE, SECTION),
    "ziplenv-directory": {"etc/ziplenv/x": b""} | conf(ONE, SECTION),
    "timeout-long": conf(MENU, "1=l\ntimeout=", "9" * 4400, "\n", SECTION),
    "timeout-negative-long": conf(MENU, "1=l\ntimeout=-", "9" * 4400, "\n", SECTION),
    "default-long": conf(MENU, "1=l\ndefault=", "9" * 4400, "\n", SECTION),
    "prompt-long": conf(MENU, "1=l\nprompt=", "0" * 4400, "1\n", SECTION),
    "optional-long": optional("9" * 4400),
    "number-long": conf(MENU, "9" * 4400, "=l\n", SECTION),
}  # fmt: skip


NEVER_ENDS = {"mvdump-blank-line", "mvdump-no-newline"}


@pytest.mark.parametrize("name", CORNERS)
def test_a_corner_is_read_alike(cell: Cell, name: str) -> None:
    if name in NEVER_ENDS and cell.version == "2.16.0":
        not_here("zipl 2.16.0 runs on this list until it is killed")
    compare(cell, {**MACHINE, **CORNERS[name]})


NO_FILES: Mapping[str, Callable[[Path], None]] = {
    "directory": Path.mkdir,
    "dangling-link": lambda path: path.symlink_to("nowhere"),
    "link-to-a-directory": lambda path: path.symlink_to("/etc"),
    "empty-file": Path.touch,
}


@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize("kind", NO_FILES)
def test_entries_that_are_not_files(cell: Cell, kind: str, other: bool) -> None:
    entry = {f"{ENTRIES}/b.conf": b"title b\nversion 1\nlinux /boot/vmlinuz\n"} if other else {}
    cell.fill_with({**MACHINE, **conf(AUTO, SECTION), f"{ENTRIES}/.keep": b"", **entry})
    NO_FILES[kind](cell.directory / ENTRIES / "a.conf")

    compare_cell(cell)
