"""Boot set-ups of the guest that secboot changes, each with what the guest then boots."""

from dataclasses import dataclass
from pathlib import Path

from tests.s390x.boot_texts import bls_entry, menu, section
from tests.s390x.guest import Guest
from tests.s390x.guest_disk import ROOT
from tests.s390x.testbed import TestBed
from tests.workshop import Workshop

SWIOTLB = "swiotlb=262144"
"""What the shipped profile "guest" requires, as the kernel should see it."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Boot files by path below /, the command line they boot, and after ``apply guest``.

    ``loadparm`` selects a menu entry that is not the default, with the same two lines.
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


@dataclass(frozen=True, slots=True)
class Installed:
    """Guests that IPL a scenario: zipl runs once for all processes, and each guest gets a copy."""

    bed: TestBed
    program: Path
    workshop: Workshop

    def image(self, scenario: Scenario) -> Path:
        """The disk of which the guests get copies."""

        def make(directory: Path) -> None:
            scenario.install(Guest.create(self.bed, directory, self.program))

        return self.workshop.directory(f"installed-{scenario.name}", make) / "disk.img"

    def guest(self, scenario: Scenario, directory: Path) -> Guest:
        """A guest in this directory, on a disk of its own."""
        return Guest.create(self.bed, directory, self.program, self.image(scenario))


SECTION = Scenario(
    "section",
    {
        "etc/zipl.conf": "# by hand\n[defaultboot]\ndefault = linux\n"
        + section("linux", f"'{ROOT} quiet name=\"a b\" swiotlb=512M'  ")
    },
    f'{ROOT} quiet name="a b" swiotlb=512M',
    f'{ROOT} quiet name="a b" {SWIOTLB}',
)

MENU = Scenario(
    "menu",
    {
        "etc/zipl.conf": "[defaultboot]\ndefaultmenu=menu\n"
        + section("first", f'"{ROOT} quiet mark=first"')
        + section("second", f'"{ROOT} quiet mark=second"')
        + menu("menu", {1: "first", 2: "second"}, default=1)
    },
    f"{ROOT} quiet mark=second",
    f"{ROOT} quiet mark=second {SWIOTLB}",
    loadparm="2",
)

BLS = Scenario(
    "bls",
    {
        "etc/zipl.conf": "[defaultboot]\ndefaultauto\nprompt=0\ntimeout=0\ntarget=/boot\n",
        "boot/loader/entries/a-6.1.conf": bls_entry(
            "Linux 6.1", "6.1.0-9", f"{ROOT} quiet mark=old"
        ),
        "boot/loader/entries/b-6.1.conf": bls_entry("Linux", "6.1.0-13", f"{ROOT} quiet mark=new"),
    },
    f"{ROOT} quiet mark=new",
    f"{ROOT} quiet mark=new {SWIOTLB}",
)

SCENARIOS = {scenario.name: scenario for scenario in (SECTION, MENU, BLS)}
