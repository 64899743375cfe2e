"""Boot set-ups of the guest that secboot is to change, each with what the guest then boots."""

from dataclasses import dataclass

from tests.s390x.guest import Guest
from tests.s390x.guest_disk import ROOT

SWIOTLB = "swiotlb=262144"
"""What the shipped profile "guest" asks for, as the kernel is to see it."""


def _section(name: str, parameters: str) -> str:
    return f"""\
[{name}]
target=/boot
image=/boot/vmlinuz
ramdisk=/boot/initrd
parameters={parameters}
"""


def _entry(title: str, version: str, options: str) -> str:
    return f"""\
title {title}
version {version}
linux /boot/vmlinuz
initrd /boot/initrd
options {options}
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Boot files by path below /, the command line they boot, and after ``apply guest``.

    ``loadparm`` chooses a menu entry that is not the default, with the same two lines for it.
    """

    name: str
    files: dict[str, str]
    before: str
    after: str
    loadparm: str = ""

    def install(self, guest: Guest) -> None:
        """Put the files on the guest's disk and run its own zipl, booting it once."""
        names = {path.replace("/", "_"): (path, text) for path, text in self.files.items()}
        script = "".join(f"cp {name} /{path}\n" for name, (path, _) in names.items())
        script += "run zipl zipl -V\n"
        files = {name: text for name, (_, text) in names.items()}
        result = guest.run(script, files, direct=ROOT)
        assert result.status("zipl") == 0, result.output("zipl")


SECTION = Scenario(
    "section",
    {
        "etc/zipl.conf": "# by hand\n[defaultboot]\ndefault = linux\n"
        + _section("linux", f"'{ROOT} quiet name=\"a b\" swiotlb=512M'  ")
    },
    f'{ROOT} quiet name="a b" swiotlb=512M',
    f'{ROOT} quiet name="a b" {SWIOTLB}',
)

MENU = Scenario(
    "menu",
    {
        "etc/zipl.conf": "[defaultboot]\ndefaultmenu=menu\n"
        + _section("first", f'"{ROOT} quiet mark=first"')
        + _section("second", f'"{ROOT} quiet mark=second"')
        + ":menu\ntarget=/boot\n1=first\n2=second\ndefault=1\nprompt=0\n"
    },
    f"{ROOT} quiet mark=second",
    f"{ROOT} quiet mark=second {SWIOTLB}",
    loadparm="2",
)

BLS = Scenario(
    "bls",
    {
        "etc/zipl.conf": "[defaultboot]\ndefaultauto\nprompt=0\ntimeout=0\ntarget=/boot\n",
        "boot/loader/entries/a-6.1.conf": _entry("Linux 6.1", "6.1.0-9", f"{ROOT} quiet mark=old"),
        "boot/loader/entries/b-6.1.conf": _entry("Linux", "6.1.0-13", f"{ROOT} quiet mark=new"),
    },
    f"{ROOT} quiet mark=new",
    f"{ROOT} quiet mark=new {SWIOTLB}",
)

SCENARIOS = {scenario.name: scenario for scenario in (SECTION, MENU, BLS)}
