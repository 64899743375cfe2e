"""The first configuration of Debian and Ubuntu: sections for the links that follow new kernels.

On Debian this is the menu that its installer writes (zipl-installer), on Ubuntu the single section
of its installer (curtin, curthooks.py). On any distribution, such a section is also used for a
kernel that an image builder stored under a name without its release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.layout.first import (
    USUAL_TARGET,
    FirstAsked,
    FirstFiles,
    first_line,
    inside,
    material,
    require_kernel,
)
from secboot.machine.bare_tree import ZIPL_CONF
from secboot.machine.kernel_files import release_of

if TYPE_CHECKING:
    from secboot.machine.discovery import Machine

_MENU = """\
[defaultboot]
defaultmenu = menu

:menu
target = {target}
1 = {name}
2 = old
default = 1
prompt = 1
timeout = 10

"""
_SECTION = """\
[{name}]
target = {target}
image = {image}
ramdisk = {ramdisk}
"""
_RAMDISKS = ("/boot/initrd.img", "/boot/initramfs.img", "/boot/initrd")
_OLD = "optional = 1\n"
"""zipl continues if the previous kernel does not exist."""


def first_menu(machine: Machine, asked: FirstAsked, system: str) -> FirstFiles:
    """Return Debian's zipl.conf, or Ubuntu's; `system` is the distribution's name."""
    image, ramdisk = _linked_names(machine, system)
    line, origin = first_line(machine, asked, "", "")
    fields = _fields(asked, system, image, ramdisk)
    if system == "ubuntu":
        return _files(_alone(fields), (system,), line, origin)
    old = fields | {"name": "old", "image": f"{image}.old", "ramdisk": f"{ramdisk}.old"}
    text = f"{_MENU.format(**fields)}{_SECTION.format(**fields)}\n{_SECTION.format(**old)}{_OLD}"
    return _files(text, (system, "old"), line, origin)


def first_section(
    machine: Machine, asked: FirstAsked, system: str, kept: tuple[str, str]
) -> FirstFiles | None:
    """Return a zipl.conf for /boot/vmlinuz; None without that file. `kept` is a line and its file."""
    image, names = "/boot/vmlinuz", material(machine).boot_names
    if image not in names:
        return None
    require_kernel(image, names[image])
    ramdisk = next((path for path in _RAMDISKS if path in names), None)
    if ramdisk is None:
        raise RefusedError(
            f"{image} has no ramdisk: none of {', '.join(_RAMDISKS)} exists",
            hint=inside(machine, "dracut", _RAMDISKS[1], "RELEASE"),
        )
    line, origin = first_line(machine, asked, *kept)
    text = _alone(_fields(asked, system, image, ramdisk))
    return _files(text, (system,), line, origin)


def _fields(asked: FirstAsked, system: str, image: str, ramdisk: str) -> dict[str, str]:
    target = asked.target or USUAL_TARGET
    return {"name": system, "target": target, "image": image, "ramdisk": ramdisk}


def _alone(fields: dict[str, str]) -> str:
    return f"[defaultboot]\ndefault = {fields['name']}\n\n{_SECTION.format(**fields)}"


def _files(text: str, names: tuple[str, ...], line: str, origin: str) -> FirstFiles:
    conf = ZiplConf.parse(text, ZIPL_CONF)
    conf = conf.with_values(Keyword.PARAMETERS, dict.fromkeys(names, line))
    return FirstFiles(((ZIPL_CONF, conf.render()),), line, origin)


def _linked_names(machine: Machine, system: str) -> tuple[str, str]:
    """Return the links to kernel and ramdisk that kernel packages update (linux-update-symlinks)."""
    found = material(machine)
    kernels = sorted(
        path
        for path in found.boot_names
        if path.startswith("/boot/vmlinuz-") and release_of(path) is not None
    )
    for directory in ("/boot/", "/"):
        image, ramdisk = f"{directory}vmlinuz", f"{directory}initrd.img"
        if image not in found.boot_names:
            continue
        require_kernel(image, found.boot_names[image])
        release = release_of(found.boot_names[image].target)
        if ramdisk not in found.boot_names:
            raise RefusedError(
                f"{image} has no ramdisk: {ramdisk} "
                + ("is a dangling link" if ramdisk in found.dangling else "is missing"),
                hint=inside(machine, "update-initramfs", "-c", "-k", release or "all"),
            )
        other = release_of(found.boot_names[ramdisk].target)
        if release != other:
            raise RefusedError(
                f"{image} points to kernel {release}, but {ramdisk} to the ramdisk of {other}",
                hint=_linked(machine, release) if release else "make both point to the same kernel",
            )
        return image, ramdisk
    if kernels:
        require_kernel(kernels[-1], found.boot_names[kernels[-1]])
        raise RefusedError(
            "no link /boot/vmlinuz or /vmlinuz to a kernel found; future kernels are booted through"
            " this link",
            hint=_linked(machine, release_of(kernels[-1]) or ""),
        )
    package = "linux-image-generic" if system == "ubuntu" else "linux-image-s390x"
    dangling = next((path for path in found.dangling if path.endswith("/vmlinuz")), None)
    why = "no /boot/vmlinuz-RELEASE" if dangling is None else f"{dangling} is a dangling link"
    raise RefusedError(
        f"no kernel found in {machine.root}: {why}",
        hint=inside(machine, "apt-get", "install", package),
    )


def _linked(machine: Machine, release: str) -> str:
    return inside(machine, "linux-update-symlinks", "install", release, f"/boot/vmlinuz-{release}")
