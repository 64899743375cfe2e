"""The real grub-mkconfig reads what secboot wrote to /etc/default/grub.

Debian's grub-mkconfig and 10_linux have the rules of SUSE's: GRUB_CMDLINE_LINUX applies to every
entry, GRUB_CMDLINE_LINUX_DEFAULT to those that are not recovery entries. It only works on /, so it
runs in a mount namespace where the machine's two directories are mounted over the system's own.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from secboot.demo import kernel_stub
from secboot.formats.grub_cfg import GrubCfg
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import discover
from secboot.system.root import Root
from tests.available import not_here, require_root
from tests.command import secboot
from tests.layout.suse_programs import make_suse
from tests.packaging.programs import require, run

GRUB_FILES = ("/boot/grub2/grubenv", "/boot/grub2/custom.cfg")
_RUN = """
set -e
mount --bind "$1/etc/default" /etc/default
mount --bind "$1/boot" /boot
exec grub-mkconfig
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    require_root()
    require("grub-mkconfig")
    probe = run(require("grub-probe"), "--target=device", "/")
    if probe.returncode:
        not_here(f"grub-mkconfig does not run where / has no device of its own: {probe.stderr}")
    root = make_suse(tmp_path / "root", "zipl2grub.conf.in")
    (root / "boot/grub").mkdir()  # Debian's name for /boot/grub2
    for version in ("6.4.0-1-default", "6.4.0-2-default"):
        (root / "boot" / f"vmlinuz-{version}").write_bytes(kernel_stub(4096))
    return root


def generated(root: Path) -> str:
    """The grub.cfg that grub-mkconfig generates for the machine."""
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", _RUN, "sh", str(root)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def kernel_lines(root: Path) -> list[str]:
    """The parameters of each entry that grub-mkconfig generates, recovery entries last."""
    menu = GrubCfg.parse(generated(root)).menu(dict.fromkeys(GRUB_FILES))
    assert menu.default is not None, menu.unsure
    lines = [entry.parameters or "" for entry in menu.walk() if entry.kernel is not None]
    assert menu.default.parameters == lines[0]
    return sorted(lines, key=lambda line: "single" in line)


@pytest.mark.parametrize(
    ("profile", "wanted"), [("host", "prot_virt=1"), ("guest", "swiotlb=262144")]
)
def test_what_is_written_arrives_in_every_normal_entry_and_nothing_else_changes(
    profile: str, wanted: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kernel_lines(root)

    applied = secboot(capsys, "apply", profile, "--root", root)
    assert applied.code == 0, applied.err

    after = kernel_lines(root)
    normal = [line for line in before if "single" not in line]
    assert [wanted in line.split() for line in after] == ["single" not in line for line in before]
    assert [" ".join(w for w in line.split() if w != wanted) for line in after] == [
        " ".join(line.split()) for line in before
    ]
    assert len(normal) >= 2

    undone = secboot(capsys, "rollback", "--root", root)
    assert undone.code == 0, undone.err
    assert kernel_lines(root) == before


def test_what_the_variables_give_an_entry_is_what_mkconfig_writes(root: Path) -> None:
    (root / "boot/grub2/grub.cfg").write_text(generated(root))
    with Root(root) as tree:
        layout = detect_layout(tree)
        machine = discover(tree, layout.sources)

    entries = layout.next_ipl_of(machine).entries
    menu = [each for each in entries if each.generated is not None]

    assert len(menu) >= 5
    assert [each.configured for each in menu] == [each.generated for each in menu]
    assert [each.is_rescue for each in menu] == [
        "single" in (each.generated or "") for each in menu
    ]
    assert [each.is_default for each in menu] == [True, *[False] * (len(menu) - 1)]
