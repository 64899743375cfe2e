"""The commands that rebuild a Secure Execution image: each file in ``recipes/`` is one situation.

It names the installed release of s390-tools, the files, and the old image. The part below
``---`` has the resulting commands and findings. ``root: /`` is the running system; any other root is
a mounted tree. ``pytest --update`` rewrites the expected part.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from secboot.demo import kernel_stub
from secboot.finding import Severity
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import discover
from secboot.machine.profile_files import read_profile
from secboot.plan.plan import ParmfileRequest, Plan
from secboot.plan.planner import make_plan
from secboot.system.root import Root
from tests.command import secboot
from tests.rights import as_nobody
from tests.secure_images import build_image
from tests.situations import make_situation
from tests.trees import sealed_image

CHECKOUT = Path(__file__).parents[2]
RECIPES = sorted((Path(__file__).parent / "recipes").glob("*.txt"))
CONF = """\
[defaultboot]
default=secure
[secure]
target=/boot
image=/boot/secure-linux
"""
PLAIN = """\
[linux]
target=/boot
image=/boot/vmlinuz-6.8.0-31
ramdisk=/boot/initrd.img-6.8.0-31
parameters="root=/dev/mapper/luks panic=0"
"""
ELSEWHERE = {"image-outdated", "zipl-version"}
"""The codes of findings that are not about the build, or that depend on the time of the test."""

SINCE = {
    "-i": (2, 13),
    "-r": (2, 13),
    "-p": (2, 13),
    "-k": (2, 13),
    "-o": (2, 13),
    "-C": (2, 16),
    "--crl": (2, 16),
    "--disable-pckmo": (2, 17),
    "--enable-dump": (2, 21),
    "--comm-key": (2, 21),
    "--enable-pckmo-hmac": (2, 36),
    "--enable-backup-keys": (2, 36),
    "--key-hashes": (2, 36),
    "--cck": (2, 37),
    "--disable-image-encryption": (2, 37),
    "--enable-cck-update": (2, 38),
}
"""The first release with each option (CHANGELOG.md and the manual pages of s390-tools)."""


def scene(text: str) -> dict[str, str]:
    """The part above ``---``: ``key: value``, where a key may occur more than once."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(": ")
        if colon and not line.startswith("#"):
            found[key] = f"{found[key]} {value}" if key in found else value
    return found


def build(given: dict[str, str], root: Path) -> None:
    files = {"/etc/zipl.conf": CONF + (PLAIN if given.get("kernel") != "none" else "")}
    files |= dict.fromkeys(given.get("files", "").split(), "x")
    for path, content in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    boot = root / "boot"
    boot.mkdir(exist_ok=True)
    (root / "root").mkdir(exist_ok=True)
    flags = int(given.get("flags", "0xe0"), 16)
    image = sealed_image(flags=flags, encrypted=not flags & 1 << 28)
    (boot / "secure-linux").write_bytes(image)
    if given.get("kernel") != "none":
        (boot / "vmlinuz-6.8.0-31").write_bytes(kernel_stub(4096))
        (boot / "initrd.img-6.8.0-31").write_text("ramdisk")
    if "release" in given:
        sbin = root / "usr/sbin"
        sbin.mkdir(parents=True)
        (sbin / "zipl").write_bytes(b"\x7fELF\0" + given["release"].encode() + b".0-build-1\0")
    for name in given.get("builders", "").split():
        (root / "usr/bin").mkdir(parents=True, exist_ok=True)
        (root / "usr/bin" / name).write_text("")


def plan_of(
    given: dict[str, str],
    path: Path,
    rights: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Plan:
    running = given.get("root") == "/"
    with Root(path) as root, rights():
        layout = detect_layout(root)
        machine = discover(root, layout.sources, {} if running else None)
        request = None
        if "parmfile" in given:
            request = ParmfileRequest(given["parmfile"].replace("ROOT", str(path)), None)
        profile = read_profile("guest", root)
        machine = machine._replace(root="/" if running else str(path))
        return make_plan(profile, machine, layout, with_zipl=False, parmfile=request)


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_recipe(file: Path, tmp_path: Path, update: bool) -> None:
    head, _, expected = file.read_text().partition("---\n")
    given = scene(head)
    root = tmp_path / "root"
    build(given, root)

    plan = plan_of(given, root)

    lines = [line for step in plan.steps if "rebuild" in step.title for line in step.lines]
    found = [w for w in plan.warnings if w.code not in ELSEWHERE and "image-line" not in w.code]
    lines += ["", *(f"{w.severity} {w.code}: {w.message}" for w in found)]
    said = "\n".join(lines).replace(str(root), "ROOT") + "\n"
    if update:
        file.write_text(f"{head}---\n{said}")
        return
    assert said == expected
    require_sound(given, lines, root)


def require_sound(given: dict[str, str], lines: list[str], root: Path) -> None:
    """Rules that every recipe must meet."""
    commands = [shlex.split(line, comments=True) for line in lines[: lines.index("")]]
    release = tuple(map(int, given.get("release", "2.13").split(".")))
    build = next(words for words in commands if "-o" in words)
    output = build[build.index("-o") + 1]
    late = " ".join(line for line in lines if "image-builder-old" in line)
    for word in (w for words in commands if "-k" in words for w in words if w.startswith("-")):
        assert SINCE[word] <= release or word in late or "release" not in given, word
    # The old image keeps its name until the new one exists, and no command touches this machine.
    assert output.endswith(("/boot/secure-linux.new", "/boot/secure-linux.new2"))
    assert not (root / output.removeprefix(str(root)).lstrip("/")).exists()
    if given.get("root") != "/":
        for words in commands:
            inside = words[0] == "chroot"
            paths = [word for word in words if word.startswith("/") and word != str(root)]
            assert inside or all(
                p.startswith(str(root)) or p == given.get("parmfile") for p in paths
            )
        assert ["reboot"] not in commands


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    build({"files": "/etc/se-hostkeys/ibm-z-hostkey-1.crt", "release": "2.31"}, root)
    return root


def test_the_commands_do_what_they_say(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A shell runs all of them except zipl, with a builder that writes the layout of a real image."""
    (tree / "etc/se-hostkeys/ibm-z-host-key-signing.crt").write_text("x")
    (tree / "etc/se-hostkeys/DigiCertCA.crt").write_text("x")
    tools = tree.parent / "tools"
    tools.mkdir()
    for name, module in (("genprotimg", "tests.secure_images"), ("secboot", "secboot")):
        script = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {module} "$@"\n'
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    old = (tree / "boot/secure-linux").read_bytes()
    document = json.loads(secboot(capsys, "plan", "guest", "--root", tree, "-o", "json").out)
    (lines,) = (step["lines"] for step in document["steps"])
    (zipl,) = (line for line in lines if line.endswith("zipl"))
    assert zipl == f"chroot {tree} zipl"

    for line in lines[: lines.index(zipl)]:
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
        subprocess.run(
            ["sh", "-euc", line], check=True, capture_output=True, env=environment, cwd=CHECKOUT
        )

    assert (tree / "boot/secure-linux.old").read_bytes() == old
    parmfile = (tree / "root/secure-linux.parmfile").read_bytes()
    assert parmfile == b"root=/dev/mapper/luks panic=0 swiotlb=262144\n"
    kernel, ramdisk = (tree / "boot" / name for name in ("vmlinuz-6.8.0-31", "initrd.img-6.8.0-31"))
    image = build_image(kernel.read_bytes(), ramdisk.read_bytes(), parmfile)
    assert (tree / "boot/secure-linux").read_bytes() == image
    assert not (tree / "boot/secure-linux.new").exists()


def test_an_unreadable_key_directory_is_reported_and_changes_nothing_else(tree: Path) -> None:
    keys = tree / "etc/se-hostkeys"
    (keys / "DigiCertCA.crt").write_text("x")
    keys.chmod(0)
    plan = plan_of({}, tree, as_nobody)
    keys.chmod(0o755)

    (lines,) = (step.lines for step in plan.steps)
    assert "-k HOST-KEY-DOCUMENT.crt" in lines[1]
    (found,) = (w for w in plan.warnings if w.code.startswith(("host-key", "no-host-key")))
    assert (found.code, found.severity) == ("host-keys-unreadable", Severity.WARNING)
    assert found.message.startswith("/etc/se-hostkeys can't be read (permission denied)")
    assert plan == plan_of({}, tree)._replace(steps=plan.steps, warnings=plan.warnings)


def test_files_of_a_tree_are_named_without_links_that_lead_out_of_it(tree: Path) -> None:
    """With an absolute link, a program outside would use a file of its own machine."""
    boot, keys = tree / "boot", tree / "etc/se-hostkeys"
    (tree / "etc/zipl.conf").write_text(CONF + PLAIN.replace("vmlinuz-6.8.0-31", "vmlinuz"))
    (boot / "vmlinuz").symlink_to("/boot/vmlinuz-6.8.0-31")
    (tree / "srv").mkdir()
    (tree / "srv/key").write_text("x")
    (keys / "HKD-3931-0275D38.crt").symlink_to("/srv/key")

    (lines,) = (step.lines for step in plan_of({}, tree).steps)

    assert f"-i {boot}/vmlinuz-6.8.0-31 " in lines[1]
    assert f"-k {tree}/srv/key -k {keys}/ibm-z-hostkey-1.crt " in lines[1]


def test_an_image_with_the_name_of_a_kernel_is_not_a_kernel_to_build_from(tree: Path) -> None:
    (tree / "etc/zipl.conf").write_text(CONF)
    (tree / "boot/vmlinuz-6.8.0-31.pv").write_bytes(sealed_image())
    (tree / "boot/initrd.img-6.8.0-31.pv").write_text("ramdisk")

    (lines,) = (step.lines for step in plan_of({}, tree).steps)

    assert f"-i {tree}/boot/vmlinuz-6.8.0-31 -r {tree}/boot/initrd.img-6.8.0-31 " in lines[1]


def test_two_entries_of_one_image_need_one_build(tree: Path) -> None:
    again = "[again]\ntarget=/boot\nimage=/boot/secure-linux\n"
    (tree / "etc/zipl.conf").write_text(CONF + PLAIN + again)

    assert [step.title for step in plan_of({}, tree).steps] == [
        "to rebuild the Secure Execution image of 'secure'"
    ]


OPTIONS = "root=LABEL=root ro swiotlb=65536"


@pytest.mark.parametrize(
    ("flags", "options", "line"),
    [
        # Only the name shows that it is for early boot customization.
        (
            0,
            "--disable-image-encryption --enable-cck-update --enable-pckmo-hmac ",
            "rd.sel-ebc root=LABEL=root ro swiotlb=262144\n",
        ),
        # An encrypted image is not (`no-ebc: true`).
        (0xE0, "", "root=LABEL=root ro swiotlb=262144\n"),
        (0xF0, "--enable-pckmo-hmac ", "root=LABEL=root ro swiotlb=262144\n"),
    ],
)
def test_the_line_comes_from_what_pvics_has_set_aside(
    flags: int, options: str, line: str, tmp_path: Path
) -> None:
    root = make_situation("pvics-guest", tmp_path / "root")
    (root / "boot/sel-ebc.img").write_bytes(sealed_image(flags=flags))

    plan = plan_of({}, root)

    assert plan.parmfile == line
    (lines,) = (step.lines for step in plan.steps)
    assert lines[1].startswith(
        f"genprotimg -i {root}/boot/vmlinuz-5.14 -r {root}/boot/initramfs-5.14.img "
    )
    assert lines[1].endswith(f" -C DIGICERT-CA.crt {options}-o {root}/boot/sel-ebc.img.new")
    codes = {w.code for w in plan.warnings}
    assert "parmfile-put-aside" in codes
    assert ("image-early-boot" in codes) == ("image-secrets" in codes) == ("rd.sel-ebc" in line)


def test_the_line_of_an_image_that_is_not_encrypted_shows_what_it_is(tmp_path: Path) -> None:
    root = make_situation("pvics-guest", tmp_path / "root")
    image = build_image(
        b"kernel", b"ramdisk", f"rd.sel-ebc {OPTIONS} audit=0\n\0".encode(), encrypted=False
    )
    (root / "boot/sel-ebc.img").write_bytes(image)

    plan = plan_of({}, root)

    assert plan.parmfile == "rd.sel-ebc root=LABEL=root ro swiotlb=262144 audit=0\n"
    (lines,) = (step.lines for step in plan.steps)
    assert " --disable-image-encryption --enable-cck-update -o " in lines[1]
    codes = {w.code for w in plan.warnings}
    assert codes >= {"image-secrets"}
    assert not codes & {"image-early-boot", "parmfile-put-aside"}


def test_a_header_of_a_later_version_does_not_show_its_options(tree: Path) -> None:
    image = bytearray(sealed_image())
    image[0x14008:0x1400C] = (0x200).to_bytes(4, "big")
    (tree / "boot/secure-linux").write_bytes(image)

    plan = plan_of({}, tree)

    (found,) = (w for w in plan.warnings if w.code == "image-options")
    assert found.message.endswith("its header has an unknown version, 0x200")


def test_if_zipl_would_leave_secure_execution_the_recipe_does_not_run_it(
    tmp_path: Path,
) -> None:
    root = make_situation("sealed-then-kernel-update", tmp_path / "root")

    plan = plan_of({}, root)

    lines = plan.steps[-1].lines
    assert f"-i {root}/boot/vmlinuz-5.14.0-570.el9.s390x " in lines[1]
    assert lines[-1].startswith("# before running zipl, make its boot entry the default")
    assert not any("zipl" in shlex.split(line, comments=True) for line in lines)


def test_a_line_that_is_too_long_for_the_kernel_is_reported(tree: Path) -> None:
    """Including its newline and the NUL that the builder adds."""
    (tree / "boot/vmlinuz-6.8.0-31").write_bytes(kernel_stub(896))
    for length, codes in ((895, []), (896, ["parmfile-size"])):
        line = "root=/dev/mapper/luks panic=0 swiotlb=262144 a=".ljust(length - 1, "x")
        image = build_image(b"", b"", line.encode() + b"\0", encrypted=False)
        (tree / "boot/secure-linux").write_bytes(image)

        plan = plan_of({"parmfile": "/parmfile"}, tree)

        assert plan.parmfile == f"{line}\n"
        assert [w.code for w in plan.warnings if w.code == "parmfile-size"] == codes
