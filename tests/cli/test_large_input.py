"""Any file of 2 MB takes a few seconds at most, or is refused with the limit.

Each text once took a minute or more, or would have: anything quadratic shows up here.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from secboot.demo import kernel_stub, write_sample
from tests.command import secboot

SIZE = 2_000_000
SECONDS = 30.0
"""Far above what any of them takes, and far below what it once took."""
ENTRY = "boot/loader/entries/a.conf"
HEAD = "title A\nversion 1\nlinux /boot/vmlinuz\n"
CONF = "[defaultboot]\ndefaultauto\ntarget=/boot\n[l]\nimage=/boot/vmlinuz\n"
TEXTS = {
    "open variables": (ENTRY, f"{HEAD}options ", "${", 1_000_000),
    "open named variables": (ENTRY, f"{HEAD}options ", "${a", 600_000),
    "quotes": (ENTRY, f"{HEAD}options ", '"', SIZE),
    "one digit after the other": (ENTRY, f"{HEAD}options swiotlb=", "9", SIZE),
    "the same parameter": (ENTRY, f"{HEAD}options ", "swiotlb=1 ", 20_000),
    "titles": (ENTRY, HEAD, "title A\n", 9_000),
    "too many titles": (ENTRY, HEAD, "title A\n", 125_000),
    "fields without a value": (ENTRY, HEAD, "x\n", 9_000),
    "fields above a title": (ENTRY, f"version 1\n{HEAD}", "x\n", 9_000),
    "unknown fields": (ENTRY, HEAD, "x y\n", 9_000),
    "too many unknown fields": (ENTRY, HEAD, "x y\n", 500_000),
    "empty lines": (ENTRY, HEAD, "\n", 9_000),
    "sections": ("etc/zipl.conf", CONF, "[a]\n", 20_000),
    "too many sections": ("etc/zipl.conf", CONF, "[a]\n", 500_000),
    "menus": ("etc/zipl.conf", CONF, ":m\n", 20_000),
    "no keywords": ("etc/zipl.conf", CONF, "x\n", 20_000),
    "a long value": ("etc/zipl.conf", f"{CONF}parameters=", "${", 900_000),
    "parameters of new kernels": ("etc/kernel/cmdline", "", "swiotlb=1 ", 60_000),
    "parameters that sed splits": ("etc/kernel/cmdline", "", "a#b ", 400_000),
    "variables of zipl": ("etc/ziplenv", "", "A=${\n", 40_000),
}


@pytest.mark.repeating
@pytest.mark.parametrize("name", TEXTS)
def test_no_text_takes_long(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "root"
    write_sample(root)
    (root / "boot/vmlinuz").write_bytes(kernel_stub(4096))
    path, head, unit, count = TEXTS[name]
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(head + unit * count + "\n")

    for words in (["check"], ["plan", "guest"], ["status", "guest"]):
        begun = time.monotonic()
        said = secboot(capsys, *words, "--root", root)

        assert said.code in {0, 1, 2, 5}, said.err[:300]
        assert time.monotonic() - begun < SECONDS
        assert ("far more than a file of this kind has" in said.err) == ("too many" in name)
