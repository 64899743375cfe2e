"""A guest gets a Secure Execution image, a new line in it, and then an ordinary kernel above it.

The emulator has no ultravisor: an image that a stand-in for genprotimg built is never started here, and
prot_virt_guest is not to be had. All else is real: the recipe is typed as the plan prints it, zipl writes
what the next IPL starts, and whatever is not the image is IPLed.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import secure_images
from tests.s390x.emulator import IplResult
from tests.s390x.guest_disk import ROOT
from tests.s390x.scenarios import BLS, Installed

pytestmark = pytest.mark.ipl

INSIDE = f"{ROOT} quiet mark=inside"
LARGE = "swiotlb=524288"
UPDATED = f"{ROOT} quiet mark=updated {LARGE}"
IMAGE_ENTRY = "title Secure\nversion 9.0\nlinux /boot/secure-linux\n"
KERNEL_ENTRY = f"title Linux 9.1\nversion 9.1\nlinux /boot/vmlinuz-9.1\ninitrd /boot/initrd\noptions {UPDATED}\n"
RECIPE = """\
import json, sys
(step,) = [s for s in json.load(sys.stdin)["steps"] if "rebuild" in s["title"]]
print("\\n".join(step["lines"][: step["lines"].index("reboot")]))
"""
"""The steps of the rebuild up to the reboot, which the emulator can't do."""
FILES = {
    "genprotimg": '#!/bin/sh\nexec python3 /root/secure_images.py "$@"\n',
    "secure_images.py": Path(secure_images.__file__).read_text(),
    "recipe.py": RECIPE,
    "s-9.0.conf": IMAGE_ENTRY,
    "z-9.1.conf": KERNEL_ENTRY,
}
BUILDER = """\
cp secure_images.py /root/
cp genprotimg /usr/bin/
mkdir -p /etc/se-hostkeys
echo document > /etc/se-hostkeys/ibm-z-hostkey-1.crt
"""
"""What a build needs: the program, and a host key."""
FIRST_IMAGE = f"""\
secboot export guest --format pvimg --line '{INSIDE}' > /root/parmfile
run build genprotimg -i /boot/vmlinuz -r /boot/initrd -p /root/parmfile -o /boot/secure-linux
cp s-9.0.conf /boot/loader/entries/
"""
REBUILD = """\
secboot plan guest-large --output json | python3 recipe.py > /root/recipe
rebuild() { (set -e; . /root/recipe); }
run rebuild rebuild
"""
UPDATE = """\
{ cat /boot/vmlinuz; head -c 8192 /dev/urandom; } > /boot/vmlinuz-9.1
cp z-9.1.conf /boot/loader/entries/
"""
"""A kernel update, as kernel-install leaves the files."""


def verify(name: str, profile: str = "guest-large") -> str:
    """Script: whether all is as it should be, up to the boot record."""
    return f"run {name} secboot verify {profile} --stage installed\n"


def show(name: str) -> str:
    """Script: what secboot says that the next IPL starts."""
    return f"run {name}-show secboot show --output json\n"


def default(result: IplResult, name: str) -> tuple[bool, str, str | None]:
    """Whether the default starts in Secure Execution, its kernel, and the line that is known."""
    found: dict[str, Any] = json.loads(result.output(f"{name}-show"))
    (choice,) = [each for each in found["choices"] if each["default"]]
    return choice["secure"], choice["kernel"], choice["parameters"]


def test_from_an_ordinary_guest_to_the_image_and_out_of_it_by_a_kernel_update(
    installed: Installed, tmp_path: Path
) -> None:
    guest = installed.guest(BLS, tmp_path)

    first = guest.run(
        BUILDER
        + "run apply secboot apply guest\n"
        + FIRST_IMAGE
        + verify("built", "guest")
        + show("built")
        + "run commit secboot apply guest\n"
        + verify("inside", "guest")
        + show("inside")
        + "run large secboot apply guest-large\n"
        + REBUILD
        + "run parmfile cat /root/secure-linux.parmfile\n"
        + verify("rebuilt")
        + UPDATE
        + verify("updated")
        + "run refused secboot apply guest-large\n"
        + show("refused")
        + "run keep secboot keep\n"
        + "run zipl zipl\n"
        + verify("left")
        + show("left"),
        FILES,
        limit=400,
    )
    second = guest.run(
        "rm /boot/loader/entries/z-9.1.conf\n"
        "run again secboot apply guest-large\n"
        + verify("back")
        + "run rollback secboot rollback\n"
        + verify("rolled-back", "guest")
        + show("rolled-back"),
        FILES,
        limit=400,
    )
    third = guest.run("", loadparm="2")

    image = (True, "/boot/secure-linux", None)
    assert [first.status(name) for name in ("apply", "build", "commit", "large")] == [0, 0, 0, 0]

    # An image that is built and not recorded starts nothing.
    assert first.status("built") == 5
    assert "FAIL machine.unsealed-default: the next IPL starts 'Linux'" in first.output("built")
    assert default(first, "built") == (False, "/boot/vmlinuz", BLS.after)
    assert first.status("inside") == 0, first.output("inside")
    assert "WARN machine.unsealed-entry" in first.output("inside")
    assert default(first, "inside") == image

    assert "Changed only by a rebuild of the Secure Execution image: 'Secure'" in first.output(
        "large"
    )
    assert first.status("rebuild") == 0, first.output("rebuild")
    assert first.output("parmfile").strip() == f"{ROOT} quiet mark=new {LARGE}"
    assert first.status("rebuilt") == 0, first.output("rebuilt")

    # The kernel update: what boots is still the image, until somebody runs zipl.
    assert first.status("updated") == 5
    assert "machine.unsealed-after-zipl" in first.output("updated")
    assert "machine.image-outdated" in first.output("updated")
    for name in ("refused", "keep"):
        assert first.status(name) == 1
        assert "the next IPL would leave Secure Execution" in first.output(name)
    assert default(first, "refused") == image
    assert first.status("zipl") == 0
    assert first.status("left") == 5
    assert "FAIL machine.unsealed-default: the next IPL starts 'Linux 9.1'" in first.output("left")
    assert default(first, "left") == (False, "/boot/vmlinuz-9.1", UPDATED)

    assert second.command_line == UPDATED, "what was said to boot next has booted"
    assert [second.status(name) for name in ("again", "back", "rollback", "rolled-back")] == [0] * 4
    assert default(second, "rolled-back") == image
    assert third.command_line == BLS.after, "of what was rolled back, all but the image boots"
