"""A guest gets a Secure Execution image, a new line in it, and then a plain kernel image above it.

The emulator has no ultravisor: an image that a stand-in for genprotimg built is never started here,
and prot_virt_guest is not available. Everything else is real: the recipe is run as the plan prints
it, zipl writes what the next IPL starts, and everything but the image is IPLed.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import secure_images
from tests.profile.profile_files import IMAGE_PROFILE
from tests.s390x.emulator import IplResult
from tests.s390x.guest_disk import ROOT
from tests.s390x.scenarios import BLS, Installed

pytestmark = pytest.mark.ipl

LARGE = "swiotlb=524288"
UPDATED = f"{ROOT} quiet mark=updated {LARGE}"
KERNEL_ENTRY = f"title Linux 9.1\nversion 9.1\nlinux /boot/vmlinuz-9.1\ninitrd /boot/initrd\noptions {UPDATED}\n"
RECIPE = """\
import json, sys
(step,) = [s for s in json.load(sys.stdin)["steps"] if "genprotimg" in s["lines"][0]]
print("\\n".join(step["lines"][: step["lines"].index("reboot")]))
"""
"""The commands of the plan up to the reboot, which the emulator does not support."""
FILES = {
    "genprotimg": '#!/bin/sh\nexec python3 /root/secure_images.py "$@"\n',
    "secure_images.py": Path(secure_images.__file__).read_text(),
    "recipe.py": RECIPE,
    "z-9.1.conf": KERNEL_ENTRY,
    "inside.yaml": IMAGE_PROFILE,
    "inside-large.yaml": IMAGE_PROFILE.replace("extends: guest", "extends: guest-large"),
}
BUILDER = """\
cp secure_images.py /root/
cp genprotimg /usr/bin/
mkdir -p /etc/se-hostkeys /etc/secboot/profiles
echo document > /etc/se-hostkeys/ibm-z-hostkey-1.crt
cp inside.yaml inside-large.yaml /etc/secboot/profiles/
build() { (set -e; . /root/recipe); }
"""
"""The files that a build needs: the program and a host key."""
UPDATE = """\
{ cat /boot/vmlinuz; head -c 8192 /dev/urandom; } > /boot/vmlinuz-9.1
cp z-9.1.conf /boot/loader/entries/
sed -i 's/^default=.*/default=Linux 9.1/' /etc/zipl.conf
"""
"""A kernel update, with the files as left by kernel-install (with UPDATEDEFAULT=yes)."""


def build(name: str, profile: str) -> str:
    """Script: run the commands that the plan prints for the image."""
    return (
        f"secboot plan {profile} --output json | python3 recipe.py > /root/recipe\n"
        f"run {name} build\n"
    )


def verify(name: str, profile: str = "inside-large") -> str:
    """Script: whether everything is in order, up to the boot record."""
    return f"run {name} secboot verify {profile} --stage installed\n"


def show(name: str) -> str:
    """Script: what secboot reports that the next IPL starts."""
    return f"run {name}-show secboot show --output json\n"


def default(result: IplResult, name: str) -> tuple[bool, str, str | None]:
    """Whether the default starts in Secure Execution, its kernel, and the known line."""
    found: dict[str, Any] = json.loads(result.output(f"{name}-show"))
    (choice,) = [each for each in found["choices"] if each["default"]]
    return choice["secure"], choice["kernel"], choice["parameters"]


def test_from_an_ordinary_guest_to_the_image_and_out_of_it_by_a_kernel_update(
    installed: Installed, tmp_path: Path
) -> None:
    guest = installed.guest(BLS, tmp_path)

    first = guest.run(
        BUILDER
        + "run apply secboot apply inside\n"
        + verify("before", "inside")
        + show("before")
        + build("built", "inside")
        + verify("inside", "inside")
        + show("inside")
        + "run large secboot apply inside-large\n"
        + "run parmfile cat /etc/secboot/guest.parm\n"
        + build("rebuilt", "inside-large")
        + verify("large-inside")
        + UPDATE
        + verify("updated")
        + "run refused secboot apply guest-large\n"
        + show("refused")
        + "run zipl zipl\n"
        + verify("left")
        + show("left"),
        FILES,
        limit=400,
    )
    second = guest.run(
        "run again secboot apply inside-large\n"
        + verify("back")
        + show("back")
        + "run rollback secboot rollback\n"
        + verify("rolled-back")
        + show("rolled-back"),
        FILES,
        limit=400,
    )
    third = guest.run("")

    image, updated = (True, "/boot/secure-linux", None), (False, "/boot/vmlinuz-9.1", UPDATED)
    assert [first.status(name) for name in ("apply", "built", "large", "rebuilt")] == [0] * 4, (
        first.output("built") + first.output("rebuilt")
    )

    # The parmfile is applied, and the image has yet to be built: nothing starts it.
    assert default(first, "before") == (False, "/boot/vmlinuz", BLS.after)
    assert "unsealed" not in first.output("before")

    # The printed commands end with an apply, which adds the boot entry and runs zipl.
    assert first.status("inside") == 0, first.output("inside")
    assert "WARN machine.unsealed-entry" in first.output("inside")
    assert default(first, "inside") == image
    assert first.output("parmfile").strip() == f"{ROOT} quiet mark=new {LARGE}"
    assert first.status("large-inside") == 0, first.output("large-inside")

    # The kernel update: the image still boots, until somebody runs zipl.
    assert first.status("updated") == 5
    assert "machine.unsealed-after-zipl" in first.output("updated")
    assert "machine.image-outdated" in first.output("updated")
    assert first.status("refused") == 1
    assert "the next IPL would leave Secure Execution" in first.output("refused")
    assert default(first, "refused") == image
    assert (first.status("zipl"), first.status("left")) == (0, 5)
    assert "FAIL machine.unsealed-default: the next IPL starts 'Linux 9.1'" in first.output("left")
    assert default(first, "left") == updated

    assert second.command_line == UPDATED, "what was reported as next has booted"
    assert second.status("again") == 0, second.output("again")
    assert default(second, "back") == image
    assert second.status("back") == 0, second.output("back")
    assert (second.status("rollback"), second.status("rolled-back")) == (0, 5)
    assert default(second, "rolled-back") == updated
    assert third.command_line == UPDATED, "and so it is after a rollback to it"
