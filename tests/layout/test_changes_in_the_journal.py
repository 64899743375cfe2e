"""Each change of the running system is one entry with fields in a real journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.checkpoint.log import MESSAGE_ID
from tests.layout.test_hook_reports import on_the_running_system
from tests.trees import make_sample_tree

pytestmark = pytest.mark.usefixtures("as_root")

FAILING_ZIPL = """\
#!/bin/sh
[ "$1" != --version ] || { echo 'zipl: zSeries bootloader version 2.40.0'; exit 0; }
for word in "$@"; do case $word in --dry-run) exit 0 ;; esac; done
[ -e /run/always ] || [ ! -e /run/failed ] || exit 0
touch /run/failed
echo 'made to fail' >&2
exit 1
"""
"""It fails once, or always."""
CHANGES = """\
mount -t tmpfs tmpfs /usr/local/sbin
install -m 755 "$1" /usr/local/sbin/zipl
secboot plan guest
secboot apply guest --no-zipl
secboot apply guest --no-zipl
secboot rollback --no-zipl
secboot apply host --zipl && exit 1
secboot apply gest && exit 1
touch /run/always
secboot apply host --zipl && exit 1
exit 0
"""


def test_apply_rollback_and_failure(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make_sample_tree("rhel9", root)
    (root / "var").mkdir(exist_ok=True)
    zipl = tmp_path / "zipl"
    zipl.write_text(FAILING_ZIPL)

    said, entries = on_the_running_system(
        root, tmp_path, "sh", "-c", CHANGES, "sh", zipl, message_id=MESSAGE_ID
    )

    # Neither a plan, nor an apply that changes nothing, nor one that is refused is a change.
    assert [
        (each["SECBOOT_ACTION"], each["SECBOOT_OUTCOME"], each["PRIORITY"]) for each in entries
    ] == [
        ("apply", "done", "5"),
        ("rollback", "done", "5"),
        ("apply", "rolled back", "4"),
        ("apply", "stuck", "3"),
    ], said
    applied, undone, failed, _ = entries
    assert (applied["SECBOOT_PROFILE"], failed["SECBOOT_PROFILE"]) == ("guest", "host")
    assert (applied["SECBOOT_CHECKPOINT"], undone["SECBOOT_UNDOES"]) == ("1", "1")
    assert "/boot/loader/entries/ibm.conf" in applied["SECBOOT_FILE"]
    assert applied["SECBOOT_FILE"] == undone["SECBOOT_FILE"]
