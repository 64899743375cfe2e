"""SUSE's grub2-mkconfig and grub2-zipl-setup, limited to parameters, for a tree.

The rules are those of openSUSE's grub2: util/s390x/zipl2grub.pl.in reads /etc/default/grub line by
line and fills the template; 10_linux puts GRUB_CMDLINE_LINUX and GRUB_CMDLINE_LINUX_DEFAULT into
the normal entries of grub.cfg, and GRUB_CMDLINE_LINUX_RECOVERY into the others.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from secboot.demo import kernel_stub
from secboot.system.programs import SystemRunner
from tests.trees import SAMPLES

PYTHON = sys.executable
CHECKOUT = Path(__file__).parents[2]
_ASSIGNMENT = re.compile(r"^([^\s=]+)=(?:\"([^\"]*)\"|'([^']*)'|(\S*))\s*(?:#.*)?$")
OS_RELEASE = 'NAME="SLES"\nID="sles"\nID_LIKE="suse"\nVERSION_ID="15.6"\n'
VERSION = "6.4.0-150600.21-default"


def variables(root: Path) -> dict[str, str]:
    found = {"GRUB_DEVICE": "UUID=c3f2", "zipldir": "/boot/zipl"}
    for line in (root / "etc/default/grub").read_text().splitlines():
        match = _ASSIGNMENT.match(line)
        if match is not None and not line.lstrip().startswith("#"):
            found[match[1]] = next((g for g in match.groups()[1:] if g is not None), "")
    return found


def mkconfig(root: Path, version: str = VERSION) -> None:
    """Write grub.cfg."""
    held = variables(root)
    plain, default = held.get("GRUB_CMDLINE_LINUX", ""), held["GRUB_CMDLINE_LINUX_DEFAULT"]
    entry = "menuentry '{}' {{\n\tlinux\t/boot/image-{} root=UUID=c3f2 {}\n}}\n"
    text = entry.format("SLES", version, f"{plain} {default}")
    text += entry.format("SLES (recovery)", version, f"{plain} single")
    target = root / "boot/grub2/grub.cfg"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def zipl_setup(root: Path) -> None:
    """Write /boot/zipl/config from the template; zipl itself is not run."""
    held = variables(root)
    template = (root / "etc/default/zipl2grub.conf.in").read_text()
    text = re.sub(r"@([^@\s]+)@", lambda match: held.get(match[1], ""), template)
    target = root / "boot/zipl/config"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def make_suse(root: Path, template: str = "zipl2grub.conf.in") -> Path:
    """A SLES machine whose files are generated."""
    (root / "etc/default").mkdir(parents=True)
    (root / "etc/os-release").write_text(OS_RELEASE)
    for name, sample in (("grub", "etc-default-grub"), ("zipl2grub.conf.in", template)):
        (root / f"etc/default/{name}").write_bytes((SAMPLES / "sles" / sample).read_bytes())
    mkconfig(root)
    zipl_setup(root)
    for path in ("boot/zipl/image", f"boot/image-{VERSION}"):
        (root / path).write_bytes(kernel_stub(4096))
    (root / "boot/zipl/initrd").write_bytes(b"initrd")
    return root


def suse_runner(directory: Path, root: Path, setup: str = "") -> SystemRunner:
    """A runner that finds the two programs, which work on the tree; `calls` records each call.

    `setup` is shell code at the start of grub2-zipl-setup.
    """
    directory.mkdir()
    for name, function, shell in (
        ("grub2-mkconfig", "mkconfig", ""),
        ("grub2-zipl-setup", "zipl_setup", setup),
    ):
        program = directory / name
        program.write_text(
            f"#!/bin/sh\necho {name} \"$@\" >> '{directory}/calls'\n{shell}\n"
            f"cd '{CHECKOUT}' && exec '{PYTHON}' -c 'import sys; from pathlib import Path;"
            f" from tests.layout.suse_programs import {function} as run;"
            f" run(Path(sys.argv[1]))' '{root}'\n"
        )
        program.chmod(0o755)
    return SystemRunner((str(directory), "/usr/bin", "/bin"))
