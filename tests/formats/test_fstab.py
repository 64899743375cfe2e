"""/etc/fstab: the parameters for the root file system, or none if they would be a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.formats.fstab import Fstab

UUID = "UUID=11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        (f"{UUID} / xfs defaults 0 0\n", f"root={UUID}"),
        (f'# / is\n\n{UUID.replace("=", "=" + chr(34))}" / ext4\n', f"root={UUID}"),
        (f"LABEL=root\t/\text4\n{UUID} /boot ext4\n", "root=LABEL=root"),
        ("/dev/mapper/rhel-root / xfs\n", "root=/dev/mapper/rhel-root"),
        ("/dev/disk/by-path/ccw-0.0.0120-part1 /", "root=/dev/disk/by-path/ccw-0.0.0120-part1"),
        (f"{UUID} / btrfs subvol=root,ro 0 0", f"root={UUID} rootflags=subvol=root"),
        (f"{UUID} / btrfs defaults 0 0", f"root={UUID}"),
        (f"{UUID} / xfs subvol=root 0 0", f"root={UUID}"),
        ("", None),
        ("# UNCONFIGURED FSTAB FOR BASE SYSTEM\n", None),
        (f"#{UUID} / xfs\n", None),
        (f"{UUID} /boot xfs\n", None),
        (f"{UUID} / xfs\nLABEL=other / xfs\n", None),
        ("/dev/loop0p1 / xfs\n", None),
        ("/dev/root / ext4\n", None),
        ("server:/export / nfs\n", None),
        ("overlay / overlay\n", None),
        ("tmpfs / tmpfs\n", None),
        ("LABEL=my\\040root / xfs\n", None),
        ("UUID= / xfs\n", None),
        (f"{UUID} / btrfs subvol=my\\040root 0 0", None),
    ],
)
def test_root_parameters(text: str, parameters: str | None) -> None:
    assert Fstab.parse(text).root_parameters() == parameters


@given(st.text(alphabet='UID=/ \t\n#"\\0a-', max_size=60))
def test_any_text_gives_words_or_none(text: str) -> None:
    found = Fstab.parse(text).root_parameters()
    assert found is None or (found.startswith("root=") and not set('"\\#\n') & set(found))
