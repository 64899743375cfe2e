"""Machines where the distribution's programs install and remove kernels, and others edit files.

Red Hat: systemd's kernel-install with our reimplementation of the s390utils plug-ins, and our hook.
Debian: linux-update-symlinks and run-parts with the real zz-zipl, and our hook. For scripts with
fixed paths, /etc and /boot of the machine are bind-mounted in a mount namespace.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.packaging.programs import require
from tests.s390x.real_zipl import Cell, kernel_stub
from tests.trees import MACHINE_ID

CHECKOUT = Path(__file__).parents[2]
ENTRIES = "boot/loader/entries"
_LINE = "root=/dev/mapper/vg-root ro rd.dasd=0.0.0120"
_WORDS = ("debug", "audit=1", "prot_virt=1", "swiotlb=262144", "loglevel=7")
"""What people add to parameter lines and remove from them."""

ZIPL = """\
#!/bin/sh
# The cell's zipl; what a real run said stays in a file, with its exit status.
said={records}/$(date +%s%N)
chroot {cell} /bin/qemu /sbin/zipl -V "$@" >$said.out 2>$said.err
status=$?
cat $said.out
cat $said.err >&2
case " $* " in
*" --dry-run "*) rm $said.out $said.err ;;
*) echo $status >$said.status ;;
esac
exit $status
"""
SECBOOT = """\
#!/bin/sh
cd {checkout} && exec {python} -m tests.s390x.emulated_secboot {programs}/zipl "$@" --root {cell}
"""
HELPER = """\
#!/bin/sh
# As that of the cell, but for the calls that are to fail: the nth from now, and those after it or not.
if read left then_on </failing; then
    echo $((left - 1)) "$then_on" >/failing
    [ "$left" = 0 ] && exit 1
    [ "$left" -lt 0 ] && [ "$then_on" = always ] && exit 1
fi 2>/dev/null
"""
ZIPL_KERNEL = """\
#!/bin/sh
entry=$TREE/boot/loader/entries/$KERNEL_INSTALL_MACHINE_ID-$2.conf
if [ "$1" = remove ]; then
    rm -f "$entry" "$TREE/boot/vmlinuz-$2" "$TREE/boot/initramfs-$2.img"
    exit 0
fi
[ "$1" = add ] || exit 0
cat >"$entry" <<EOF
title Red Hat Enterprise Linux ($2) 9.4 (Plow)
version $2
linux /boot/vmlinuz-$2
initrd /boot/initramfs-$2.img
options $(tr -s '[:space:]' ' ' <"$TREE/etc/kernel/cmdline" | sed 's/ $//')
EOF
"""
ZIPL_LAST = """\
#!/bin/sh
case "$1" in add|remove) [ -f "$TREE/etc/zipl.conf" ] && zipl >/dev/null;; esac
"""


def script(path: Path, text: str) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def replace(path: Path, text: str) -> None:
    """Write a file as editors do: a new file replaces it."""
    new = path.with_name(f"{path.name}~new")
    new.write_text(text)
    new.rename(path)


@dataclass
class Place:
    """A cell for the life of a machine, and the host's programs. `work` is a directory of the host."""

    cell: Cell
    work: Path
    paths: tuple[Path, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.work / "records").mkdir(parents=True)
        names = {
            "cell": self.cell.directory,
            "records": self.work / "records",
            "programs": self.work / "bin",
            "checkout": CHECKOUT,
            "python": sys.executable,
        }
        script(self.work / "bin/zipl", ZIPL.format(**names))
        script(self.work / "bin/secboot", SECBOOT.format(**names))
        helper = self.cell.directory / "usr/lib/s390-tools/zipl_helper.loop"
        answers = [
            line for line in helper.read_text().splitlines() if line.startswith("echo target")
        ]
        script(helper, HELPER + "\n".join(answers) + "\n")

    @property
    def tree(self) -> Path:
        """The machine's root directory."""
        return self.cell.directory

    def run(self, *words: str | Path) -> None:
        """Run a program of the host, which must succeed."""
        path = [self.work / "bin", *self.paths, "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        environment = {"PATH": ":".join(map(str, path)), "TREE": str(self.tree), "LC_ALL": "C"}
        done = subprocess.run(
            [os.fspath(word) for word in words],
            env=environment | self.environment,
            cwd=self.work,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{words}: {said}"
        assert "Traceback" not in said, said
        assert "bug:" not in said, said

    def run_inside(self, command: str, *words: str | Path) -> None:
        """Run a shell command with the machine's /etc and /boot mounted over the host's.

        Its parameters are `words`.
        """
        binds = " && ".join(f"mount --bind {self.tree}/{name} /{name}" for name in ("etc", "boot"))
        unshare = [require("unshare"), "--mount", "--propagation", "private"]
        self.run(*unshare, "sh", "-c", f"{binds} && {command}", "sh", *words)


class Kind(Protocol):
    """A machine of a distribution; `number` identifies a kernel."""

    def files(self, place: Place) -> Mapping[str, bytes]:
        """The files of a machine before its first kernel is installed."""
        ...

    def install(self, place: Place, number: int) -> None:
        """Install a kernel as its package does."""
        ...

    def remove(self, place: Place, number: int) -> None:
        """Remove a kernel."""
        ...

    def others(self, place: Place, chance: random.Random) -> str:
        """Let somebody edit the boot files so that zipl accepts them; return a description."""
        ...


def _kernel(number: int) -> bytes:
    return kernel_stub() + bytes([number % 256]) * (4096 * (1 + number % 5))


def _other_words(line: str, chance: random.Random) -> str:
    """The line with an additional word, or without it if it has it."""
    word = chance.choice(_WORDS)
    words = line.split(" ")
    if word in words:
        return " ".join(each for each in words if each != word)
    return f"{line} {word}"


class RedHat:
    """BLS entries that kernel-install adds and removes."""

    def files(self, place: Place) -> Mapping[str, bytes]:
        plugins = place.work / "install.d"
        script(plugins / "20-zipl-kernel.install", ZIPL_KERNEL)
        ours = CHECKOUT / "hooks/kernel-install/90-secboot.install"
        script(plugins / ours.name, ours.read_text())
        script(plugins / "91-zipl.install", ZIPL_LAST)
        made = {
            "etc/os-release": b"NAME=Linux\n",
            "etc/zipl.conf": b"[defaultboot]\ndefaultauto\nprompt=1\ntimeout=5\ntarget=/boot\n",
            "etc/kernel/cmdline": f"{_LINE}\n".encode(),
        }
        made |= self._kernel_files(0)
        made[f"{ENTRIES}/{self._id(0)}.conf"] = (
            f"title Linux rescue\nversion {self._version(0)}\nlinux /boot/vmlinuz-{self._version(0)}\n"
            f"initrd /boot/initramfs-{self._version(0)}.img\noptions {_LINE}\n"
        ).encode()
        return made

    @staticmethod
    def _version(number: int) -> str:
        return f"5.14.0-{100 + number}.el9.s390x" if number else "0-rescue"

    def _id(self, number: int) -> str:
        return f"{MACHINE_ID}-{self._version(number)}"

    def _kernel_files(self, number: int) -> dict[str, bytes]:
        version = self._version(number)
        return {
            f"boot/vmlinuz-{version}": _kernel(number),
            f"boot/initramfs-{version}.img": b"ramdisk" * (1000 + number),
        }

    def install(self, place: Place, number: int) -> None:
        for path, data in self._kernel_files(number).items():
            (place.tree / path).write_bytes(data)
        self._kernel_install(place, "add", number)

    def remove(self, place: Place, number: int) -> None:
        self._kernel_install(place, "remove", number)

    def _kernel_install(self, place: Place, verb: str, number: int) -> None:
        version = self._version(number)
        place.environment |= {
            "BOOT_ROOT": str(place.tree / "boot"),
            "MACHINE_ID": MACHINE_ID,
            "KERNEL_INSTALL_CONF_ROOT": str(place.tree / "etc/kernel"),
            "KERNEL_INSTALL_PLUGINS": " ".join(
                map(str, sorted((place.work / "install.d").iterdir()))
            ),
        }
        image = [place.tree / f"boot/vmlinuz-{version}"] if verb == "add" else []
        place.run_inside('exec "$@"', require("kernel-install"), verb, version, *image)

    def others(self, place: Place, chance: random.Random) -> str:
        entries = sorted((place.tree / ENTRIES).glob("*.conf"))
        spares = [path for path in entries if path.name.startswith("spare")]
        what = chance.choice(("one", "all", "add", "drop", "default", "timeout", "rebuild"))
        if what == "one":
            self._edit(chance.choice(entries), chance)
        elif what == "all":
            same = chance.getrandbits(32)
            for path in [*entries, place.tree / "etc/kernel/cmdline"]:
                self._edit(path, random.Random(same))  # noqa: S311 - grubby --update-kernel=ALL
        elif what == "add" and len(spares) < 3:
            number = chance.randrange(10**6)
            text = (place.tree / ENTRIES / f"{self._id(0)}.conf").read_text()
            text = re.sub(r"^title .*", f"title Spare {number}", text)
            text = re.sub(r"\nversion .*", f"\nversion 1.{number}", text)
            replace(place.tree / ENTRIES / f"spare-{number}.conf", text)
        elif what == "drop" and spares:
            chance.choice(spares).unlink()
        elif what == "rebuild":
            image = chance.choice(sorted((place.tree / "boot").glob("initramfs-*")))
            image.write_bytes(image.read_bytes() + b"more")
        else:
            conf = place.tree / "etc/zipl.conf"
            replace(
                conf, re.sub(r"timeout=\d+", f"timeout={chance.randrange(60)}", conf.read_text())
            )
        return what

    @staticmethod
    def _edit(path: Path, chance: random.Random) -> None:
        lines = path.read_text().splitlines()
        place = next((n for n, line in enumerate(lines) if line.startswith("options ")), 0)
        lines[place] = _other_words(lines[place], chance)
        replace(path, "\n".join(lines) + "\n")


class Debian:
    """Sections of zipl.conf with links that kernel packages update."""

    def files(self, place: Place) -> Mapping[str, bytes]:
        hooks = place.cell.sysroot / "etc/kernel"
        ours = (CHECKOUT / "hooks/debian/zy-secboot").read_bytes()
        sections = "".join(
            f"\n[{name}]\ntarget = /boot\nimage = /boot/vmlinuz{old}\n"
            f'ramdisk = /boot/initrd.img{old}\nparameters = "{_LINE}"\n'
            for name, old in (("debian", ""), ("old", ".old"))
        )
        conf = (
            "# This machine's own.\n[defaultboot]\ndefaultmenu = menu\n\n:menu\ntarget = /boot\n"
            f"1 = debian\n2 = old\ndefault = 1\nprompt = 1\ntimeout = 10\n{sections}"
        )
        return {
            "etc/os-release": b'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
            "etc/kernel-img.conf": b"do_symlinks = yes\nimage_dest = /boot\n",
            "etc/kernel/postinst.d/zz-zipl": (hooks / "postinst.d/zz-zipl").read_bytes(),
            "etc/kernel/postinst.d/zy-secboot": ours,
            "etc/kernel/postrm.d/zz-zipl": (hooks / "postrm.d/zz-zipl").read_bytes(),
            "etc/zipl.conf": conf.encode(),
            "boot/.keep": b"",
        }

    def install(self, place: Place, number: int) -> None:
        version = f"6.1.0-{number}-s390x"
        image = f"/boot/vmlinuz-{version}"
        (place.tree / image[1:]).write_bytes(_kernel(number))
        (place.tree / f"boot/initrd.img-{version}").write_bytes(b"ramdisk" * (1000 + number))
        for hook in (place.tree / "etc/kernel").glob("post*.d/*"):
            hook.chmod(0o755)
        place.run_inside(
            f"linux-update-symlinks install {version} {image} && run-parts --arg={version}"
            f" --arg={image} /etc/kernel/postinst.d"
        )

    def remove(self, place: Place, number: int) -> None:
        version = f"6.1.0-{number}-s390x"
        image = f"/boot/vmlinuz-{version}"
        place.run_inside(
            f"rm {image} /boot/initrd.img-{version} && linux-update-symlinks remove {version} {image}"
            f" && run-parts --arg={version} --arg={image} /etc/kernel/postrm.d"
        )

    def others(self, place: Place, chance: random.Random) -> str:
        conf = place.tree / "etc/zipl.conf"
        text = conf.read_text()
        lines = list(_parameter_lines(text))
        what = chance.choice(
            ("one", "all", "add", "drop", "default", "timeout", "comment", "rebuild")
        )
        spares = re.findall(r"\n\[spare\d+\]\n(?:.+\n)+", text)
        if what in {"one", "all"}:
            same = chance.getrandbits(32)
            for line in lines if what == "all" else [chance.choice(lines)]:
                text = text.replace(line, _other_words(line, random.Random(same)))  # noqa: S311
        elif what == "add" and len(spares) < 3:
            number = chance.randrange(10**6)
            text += (
                f"\n[spare{number}]\ntarget = /boot\nimage = /boot/vmlinuz\n"
                f'parameters = "{_LINE} spare"\n'
            )
        elif what == "drop" and spares:
            text = text.replace(chance.choice(spares), "")
        elif what == "default":
            text = re.sub(r"\ndefault = \d", f"\ndefault = {chance.choice((1, 2))}", text)
        elif what == "timeout":
            text = re.sub(r"timeout = \d+", f"timeout = {chance.randrange(60)}", text)
        elif what == "rebuild":
            image = chance.choice(sorted((place.tree / "boot").glob("initrd.img-*")))
            image.write_bytes(image.read_bytes() + b"more")
        else:
            text = f"# {chance.randrange(100)}\n{text}"
        replace(conf, text)
        return what


def _parameter_lines(text: str) -> Iterator[str]:
    """The values of ``parameters``, without their quotes."""
    for match in re.finditer(r'^parameters = "?([^"\n]*)"?$', text, re.MULTILINE):
        yield match[1]


KINDS: Mapping[str, Kind] = {"red-hat": RedHat(), "debian": Debian()}
