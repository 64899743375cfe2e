"""The parameter line of a Secure Execution image: which words would open the guest to its host.

The image protects the guest from its host. But the host controls the guest's console: it gets a root
shell if a word on the line opens one, and it can read and change a root file system that is not
encrypted. These words are read after the kernel has started, by dracut (dracut.cmdline(7);
`getargbool` treats 0, no and off as no), by initramfs-tools(7), and by systemd
(kernel-command-line(7), systemd(1); src/basic/proc-cmdline.c and src/core/main.c). All of them read
the whole of /proc/cmdline, including what follows ``--``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.formats.kernel_cmdline import CommandLine, Parameter

_NO = frozenset({"0", "no", "off", "n", "f", "false"})
"""What dracut and systemd read as no; systemd ignores upper and lower case."""
_INITS = frozenset({"/init", "/sbin/init", "/lib/systemd/systemd", "/usr/lib/systemd/systemd"})
_RESCUE_WORDS = frozenset({"emergency", "-b", "rescue", "single", "-s", "s", "S", "1"})
"""Words without a value (`runlevel_to_target`); with the prefix ``rd.`` in the initial RAM disk."""
_RESCUE_UNITS = re.compile(r"(?:rescue|emergency|runlevel1|debug-shell)(?:\.target|\.service)?")
_ENCRYPTED = re.compile(
    r"(?:rd\.)?luks\.(?:uuid|name|data|key|options)|rd\.luks\.(?:partuuid|serial)"
    r"|cryptdevice|cryptopts|cryptroot|roothash|systemd\.verity_root_(?:data|hash)"
)
"""Parameters that name an encrypted device, or one whose integrity is checked (dm-verity)."""
_MAPPED = re.compile(r"/dev/(?:mapper/|dm-)\S+")
_BY_NAME = re.compile(
    r"(?:(?:block:)?(?:PART)?(?:LABEL|UUID)=|/dev/disk/|/dev/[^/]+/[^/]+$|ZFS=|zfs:|gpt-auto|dissect)",
    re.IGNORECASE,
)
"""Names that do not show whether the device is encrypted: of file systems and logical volumes."""
_WITHOUT = "remove it from the parameter line of the image"


def unfit(line: CommandLine) -> tuple[Finding, ...]:
    """Return what should not be on the line of a Secure Execution image, in line order.

    Each is a warning with a code ``image-line.RULE``; the one exception is a note if nothing
    disables the shells that open when the root file system cannot be mounted. None has a location:
    the caller knows which file the line is in.
    """
    found = [finding for each in line.parameters for finding in _of_word(line, each)]
    return (*found, *_root(line), *_shell_by_default(line))


def _of_word(line: CommandLine, word: Parameter) -> Iterator[Finding]:
    """Yield what a word does: first in dracut, initramfs-tools and the kernel, then in systemd."""
    name, value = word.name.replace("_", "-"), (word.value or "").strip()
    if name in {"rd.shell", "rdshell"} and word == line.named(word.name)[-1]:
        if not _is_off(word):
            yield _shell("rd-shell", word, "on the console when something fails", "rd.shell=0")
    elif name in {"rd.break", "rdbreak", "break"}:
        yield _shell("rd-break", word, "while the guest starts")
    elif name == "rd.cmdline" and value == "ask":
        yield _warning("rd-cmdline", f"{word.text} asks the console for more parameters", _WITHOUT)
    elif name in {"init", "rdinit", "rd.init"} and value not in _INITS:
        yield _warning("init", f"{word.text} replaces the system's init", _WITHOUT)
    else:
        yield from _of_systemd(word, name.removeprefix("rd."), value)


def _of_systemd(word: Parameter, name: str, value: str) -> Iterator[Finding]:
    if name in {"systemd.debug-shell", "systemd.crash-shell"}:
        if not _is_off(word):
            yield _shell("debug-shell", word, "on a console")
    elif name in {"systemd.unit", "systemd.wants"}:
        if _RESCUE_UNITS.fullmatch(value):
            yield _shell("rescue", word, "instead of starting the system")
    elif word.value is None and name in _RESCUE_WORDS:
        yield _shell("rescue", word, "instead of starting the system")


def _is_off(word: Parameter) -> bool:
    return word.value is not None and word.value.strip().lower() in _NO


def _root(line: CommandLine) -> Iterator[Finding]:
    roots = line.named("root")
    value = (roots[-1].value or "").strip() if roots else ""
    encrypted = any(_ENCRYPTED.fullmatch(each.name) for each in line.parameters)
    off = any(each.name in {"rd.luks", "luks"} and _is_off(each) for each in line.parameters)
    if not value or _MAPPED.fullmatch(value) or (encrypted and not off):
        return
    if _BY_NAME.match(value):
        yield _warning(
            "root-unknown",
            f"root={value} does not show whether it is on an encrypted device",
            "name it as /dev/mapper/NAME, or add rd.luks.uuid=UUID: the host can read and change"
            " anything that is not encrypted",
        )
        return
    yield _warning(
        "root",
        f"root={value} is not on an encrypted device: the host can read and change it",
        "encrypt the root file system and name it as root=/dev/mapper/NAME",
    )


def _shell_by_default(line: CommandLine) -> Iterator[Finding]:
    """By default dracut opens a shell, and initramfs-tools does so unless panic= is set."""
    given = {each.name for each in line.parameters}
    if not given & {"rd.shell", "rdshell", "panic"}:
        yield Finding(
            "image-line.shell-by-default",
            Severity.NOTE,
            "without rd.shell=0 (dracut) or panic=0 (initramfs-tools), a failed boot opens a root"
            " shell",
            hint="the profile guest-secure sets both",
        )


def _shell(rule: str, word: Parameter, when: str, instead: str = "") -> Finding:
    hint = f"write {instead}" if instead else _WITHOUT
    return _warning(rule, f"{word.text} opens a root shell {when}", hint)


def _warning(rule: str, message: str, hint: str) -> Finding:
    return Finding(f"image-line.{rule}", Severity.WARNING, message, hint=hint)
