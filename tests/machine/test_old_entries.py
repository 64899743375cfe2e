"""Boot entries that pvics has disabled."""

from __future__ import annotations

from pathlib import Path

from secboot.machine.old_entries import OldEntry, old_entries
from secboot.system.root import Root

ENTRY = "title Linux {0}\nlinux {1}/vmlinuz-{0}\ninitrd {1}/initramfs-{0}.img\noptions ro {0}\n"


def test_those_with_a_kernel_the_newest_first(tmp_path: Path) -> None:
    """If /boot is a separate partition, the names in them are relative to it."""
    boot, entries = tmp_path / "boot", tmp_path / "entries"
    boot.mkdir()
    entries.mkdir()
    for release in ("5.14.0-9", "5.14.0-10", "0-rescue-ab12"):
        (boot / f"vmlinuz-{release}").touch()
        (entries / f"m-{release}.conf.old").write_text(ENTRY.format(release, ""))
    (boot / "initramfs-5.14.0-10.img").touch()
    (entries / "gone-5.14.0-11.conf.old").write_text(ENTRY.format("5.14.0-11", "/boot"))
    (entries / "m-5.14.0-12.conf").write_text(ENTRY.format("5.14.0-9", "/boot"))
    (entries / "no-kernel.conf.old").write_text("title nothing\n")
    (entries / "directory.conf.old").mkdir()

    with Root(tmp_path) as root:
        found = old_entries(root, "/entries")

    assert found == (
        OldEntry(
            "/entries/m-5.14.0-10.conf.old",
            "ro 5.14.0-10",
            "/boot/vmlinuz-5.14.0-10",
            "/boot/initramfs-5.14.0-10.img",
            "5.14.0-10",
        ),
        OldEntry(
            "/entries/m-5.14.0-9.conf.old",
            "ro 5.14.0-9",
            "/boot/vmlinuz-5.14.0-9",
            None,
            "5.14.0-9",
        ),
    )
