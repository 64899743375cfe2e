"""What the re-IPL settings select, and how they change a line."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.errors import Location
from secboot.finding import Severity
from secboot.formats.zipl_parameters import ZiplEnvironment
from secboot.ipl.next_ipl import Choice
from secboot.ipl.reboot import Chooses, Reboot, at_reboot
from secboot.ipl.reboot_advice import Surroundings, clearing_command, reboot_findings
from secboot.profile.prot_virt import Hosting, ProtVirtRequirement
from secboot.running.firmware import IplSource
from secboot.running.system import Level, RebootSettings
from secboot.zipl.version import ZiplVersion

LINE = "root=/dev/dasda1 prot_virt=1"
choice = partial(Choice, location=Location("/boot/bootmap"))
MENU = (
    choice("new", LINE, is_default=True, loadparm="1"),
    choice("old", "root=/dev/dasda1", loadparm="2"),
)
SINGLE = (choice("linux", LINE, is_default=True),)
GRUB = (
    choice("grub2", LINE, is_default=True, loadparm="1"),
    choice("recovery", "root=/dev/dasda1 single", loadparm="1g2"),
    choice("skip-grub2", "root=/dev/dasda1", loadparm="2"),
)
HOST = ProtVirtRequirement("prot_virt", Location("host.yaml"), Hosting.ON)
FCP = {"wwpn": "0x500507630a000001", "lun": "0x4000400000000000"}


def ccw(loadparm: str = "", parm: str | None = None) -> IplSource:
    return IplSource("ccw", "0.0.0120", loadparm, parm)


def reboot(
    source: IplSource, choices: tuple[Choice, ...] = MENU, *, secure_guest: bool = False
) -> Reboot:
    return at_reboot(RebootSettings(source, secure_guest=secure_guest), choices)


@pytest.mark.parametrize(
    ("choices", "loadparm", "chooses", "entry"),
    [
        (MENU, "", Chooses.DEFAULT, "new"),
        (MENU, "0", Chooses.DEFAULT, "new"),
        (MENU, "1", Chooses.DEFAULT, "new"),
        (MENU, "2", Chooses.ENTRY, "old"),
        (MENU, "02", Chooses.ENTRY, "old"),
        (MENU, "2 S1", Chooses.ENTRY, "old"),
        (MENU, "2S1", Chooses.ENTRY, "old"),
        (MENU, "S1", Chooses.DEFAULT, "new"),
        (MENU, "SS", Chooses.DEFAULT, "new"),
        (MENU, "9", Chooses.NOTHING, None),
        (MENU, "99999999", Chooses.NOTHING, None),
        (MENU, "PROMPT", Chooses.MENU, None),
        (MENU, "prompt", Chooses.UNKNOWN, None),
        (MENU, "N", Chooses.UNKNOWN, None),
        (MENU, " 2", Chooses.UNKNOWN, None),
        (MENU, "2x", Chooses.UNKNOWN, None),
        (MENU, "\u0662", Chooses.UNKNOWN, None),
        (MENU, "\udc82", Chooses.UNKNOWN, None),
        # zipl's loader uses the digits, whatever follows.
        (MENU, "2g1", Chooses.ENTRY, "old"),
        (GRUB, "1g2", Chooses.ENTRY, "recovery"),
        (GRUB, "1G2", Chooses.ENTRY, "recovery"),
        (GRUB, "1g7", Chooses.UNKNOWN, None),
        (GRUB, "1", Chooses.DEFAULT, "grub2"),
        (GRUB, "2", Chooses.ENTRY, "skip-grub2"),
        (SINGLE, "", Chooses.DEFAULT, "linux"),
        (SINGLE, "1", Chooses.NOTHING, None),
        ((), "", Chooses.DEFAULT, None),
        ((), "2", Chooses.UNKNOWN, None),
    ],
)
def test_what_loadparm_chooses(
    choices: tuple[Choice, ...], loadparm: str, chooses: Chooses, entry: str | None
) -> None:
    found = reboot(ccw(loadparm), choices)

    assert (found.chooses, found.entry) == (chooses, entry)


@pytest.mark.parametrize(
    ("bootprog", "chooses", "entry"),
    [
        ("", Chooses.DEFAULT, "new"),
        ("0", Chooses.DEFAULT, "new"),
        ("2", Chooses.ENTRY, "old"),
        ("30", Chooses.NOTHING, None),
        ("-1", Chooses.UNKNOWN, None),
        ("0x1", Chooses.UNKNOWN, None),
    ],
)
@pytest.mark.parametrize("kind", ["fcp", "nvme", "eckd"])
def test_where_the_machine_loads_the_boot_program_chooses_and_not_loadparm(
    kind: str, bootprog: str, chooses: Chooses, entry: str | None
) -> None:
    found = reboot(IplSource(kind, "0.0.1700", "2", None, bootprog))

    assert (found.chooses, found.entry) == (chooses, entry)


def test_on_suse_loadparm_selects_after_the_boot_program() -> None:
    found = reboot(IplSource("fcp", "0.0.1700", "g2", None, "1"), GRUB)

    assert (found.chooses, found.entry) == (Chooses.ENTRY, "recovery")


@pytest.mark.parametrize(
    ("kind", "chooses"), [("nss", Chooses.ELSEWHERE), ("unknown", Chooses.UNKNOWN)]
)
def test_other_kinds(kind: str, chooses: Chooses) -> None:
    assert reboot(IplSource(kind, None, "", None)).chooses is chooses


@pytest.mark.parametrize(
    ("kind", "text", "line"),
    [
        ("ccw", None, LINE),
        ("ccw", "quiet", f"{LINE} quiet"),
        ("ccw", "QUIET SINGLE", f"{LINE} quiet single"),
        ("ccw", "Quiet", f"{LINE} Quiet"),
        ("ccw", "=root=/dev/b", "root=/dev/b"),
        ("ccw", "=ROOT=/DEV/B", "root=/dev/b"),
        ("ccw", " =root=/dev/b", f"{LINE}  =root=/dev/b"),
        ("ccw", "qu\udcfcet", None),
        ("fcp", "qu\udcfcet", LINE),
        ("fcp", "=root=/dev/b \udcff", LINE),
        ("fcp", "quiet\0rest", f"{LINE} quiet"),
    ],
)
def test_the_line_as_the_kernel_makes_it(kind: str, text: str | None, line: str | None) -> None:
    assert reboot(IplSource(kind, "0.0.0120", "", text)).line == line


def test_the_record_of_another_disk_is_not_known() -> None:
    for source, chooses in ((ccw("9"), Chooses.UNKNOWN), (ccw(), Chooses.DEFAULT)):
        found = at_reboot(RebootSettings(source, elsewhere=True), MENU)

        assert (found.chooses, found.entry, found.line) == (chooses, None, None)


@pytest.mark.parametrize(
    ("on_reboot", "chooses"),
    [
        *((None, Chooses.NOTHING), ("reipl", Chooses.NOTHING), ("dump_reipl", Chooses.NOTHING)),
        *(("stop", Chooses.OTHER), ("vmcmd", Chooses.OTHER)),
        # Anything but an action of chshut is ignored.
        *(("", Chooses.NOTHING), ("\udcff", Chooses.NOTHING)),
    ],
)
def test_a_reboot_without_a_re_ipl_does_not_use_the_settings(
    on_reboot: str | None, chooses: Chooses
) -> None:
    found = at_reboot(RebootSettings(ccw("9", "=a"), on_reboot=on_reboot), MENU)

    assert found.chooses is chooses
    assert bool(reboot_findings(found, (HOST,), Surroundings())) is (chooses is Chooses.NOTHING)


def test_a_secure_guest_reads_no_text() -> None:
    found = reboot(ccw(parm="=root=/dev/b"), SINGLE, secure_guest=True)

    assert (found.text, found.line) == ("", LINE)
    assert "IPL PARM is not read: '=root=/dev/b'" in found.describe()
    assert reboot_findings(found, (HOST,), Surroundings()) == ()


@pytest.mark.parametrize(
    ("loadparm", "line"),
    [("", "root=/dev/a"), ("S1", "root=/dev/b"), ("S2", "root=/dev/a"), ("SS", None)],
)
def test_variables_are_those_of_the_site_that_loadparm_names(
    loadparm: str, line: str | None
) -> None:
    environment = ZiplEnvironment((("DISK", "/dev/a"), ("1DISK", "/dev/b")))
    start = choice("x", "root=${DISK}", is_default=True, environment=environment)

    assert reboot(ccw(loadparm), (start,)).line == line


@pytest.mark.parametrize(
    ("source", "codes", "severity"),
    [
        (ccw(), [], None),
        (ccw("S1"), [], None),
        (ccw(parm="quiet"), [], None),
        (ccw(parm="prot_virt=0"), ["reipl-text"], Severity.WARNING),
        (ccw(parm="=root=/dev/a prot_virt=1"), ["reipl-text"], Severity.WARNING),
        (ccw(parm="=root=/dev/a"), ["reipl-text"], Severity.ERROR),
        (ccw("2"), ["reipl-entry"], Severity.ERROR),
        (ccw("9"), ["reipl-no-entry"], Severity.ERROR),
        (ccw("PROMPT"), ["reipl-menu"], Severity.WARNING),
        (ccw("N"), ["reipl-unknown"], Severity.WARNING),
        (ccw("2", "=a"), ["reipl-entry", "reipl-text"], Severity.ERROR),
        (IplSource("nss", None, "", None), ["reipl-elsewhere"], Severity.WARNING),
        (IplSource("unknown", None, "", None), [], None),
    ],
)
def test_warnings_before_a_reboot(
    source: IplSource, codes: list[str], severity: Severity | None
) -> None:
    found = reboot_findings(reboot(source), (HOST,), Surroundings())

    assert [each.code for each in found] == codes
    assert (found[0].severity if found else None) is severity


def test_a_line_that_takes_the_place_of_one_that_is_not_known_is_judged() -> None:
    settings = RebootSettings(ccw(parm="=root=/dev/a"), elsewhere=True)

    (found,) = reboot_findings(at_reboot(settings, MENU), (HOST,), Surroundings())

    assert (found.code, found.severity) == ("reipl-text", Severity.ERROR)
    assert found.message.endswith("; prot_virt is not set (off by default)")


def test_another_entry_that_meets_the_profile_is_a_warning() -> None:
    choices = (MENU[0], MENU[1]._replace(line=LINE))

    (found,) = reboot_findings(reboot(ccw("2"), choices), (HOST,), Surroundings())

    assert (found.code, found.severity) == ("reipl-entry", Severity.WARNING)


def test_a_text_that_is_not_about_the_profile_is_only_shown() -> None:
    found = reboot(ccw(parm="prot_virt=0"))

    assert reboot_findings(found, (), Surroundings()) == ()
    assert found.describe() == "from ccw 0.0.0120, the default 'new', IPL PARM adds 'prot_virt=0'"


@pytest.mark.parametrize(
    ("source", "text", "choice", "release", "command"),
    [
        (ccw("2", "a b"), True, False, None, "chreipl ccw -d 0.0.0120 -L 2 -p ''"),
        (ccw("2", "a b"), False, True, None, "chreipl ccw -d 0.0.0120 -L '' -p 'a b'"),
        (ccw("2", "a b"), True, True, None, "chreipl ccw -d 0.0.0120 -L '' -p ''"),
        (ccw("9"), False, True, None, "chreipl ccw -d 0.0.0120 -L ''"),
        (
            IplSource("fcp", "0.0.1700", "", "=a", "2", FCP),
            *(True, False, None),
            f"chreipl fcp -d 0.0.1700 -w {FCP['wwpn']} -l {FCP['lun']} -b 2 -p ''",
        ),
        (
            IplSource("fcp", "0.0.1700", "", None, "2"),
            *(False, True, None),
            "chreipl node /boot/zipl -b 0",
        ),
        (ccw("2S1"), False, True, None, "chreipl ccw -d 0.0.0120 -L S1"),
        (
            IplSource("fcp", "0.0.1700", "S1", None, "2"),
            *(False, True, None),
            "chreipl node /boot/zipl -L S1 -b 0",
        ),
        (
            IplSource("fcp", "0.0.1700", "1g2", None, "2"),
            *(False, True, None),
            "chreipl node /boot/zipl -L '' -b 2",
        ),
        (
            IplSource("nvme", "0x13", "", "=a", "0", {"fid": "0x13", "nsid": "1"}),
            *(True, False, None),
            "chreipl nvme -i 0x13 -s 1 -p ''",
        ),
        (
            IplSource("eckd", "0.0.0120", "", "=a"),
            *(True, False, ZiplVersion(2, 41)),
            "chreipl eckd -d 0.0.0120 -p ''",
        ),
        (
            IplSource("eckd", "0.0.0120", "", "=a", "3"),
            *(True, True, ZiplVersion(2, 40)),
            (
                "echo > /sys/firmware/reipl/eckd/scp_data"
                " && echo 0 > /sys/firmware/reipl/eckd/bootprog"
            ),
        ),
        (
            IplSource("eckd", "0.0.0120", "", None, "3"),
            *(False, True, ZiplVersion(2, 40)),
            "chreipl eckd -d 0.0.0120 -b 0",
        ),
        (IplSource("nss", None, "", None), False, True, None, "chreipl node /boot/zipl"),
    ],
)
def test_the_command_takes_away_what_is_meant_and_leaves_the_rest(
    source: IplSource, text: bool, choice: bool, release: ZiplVersion | None, command: str
) -> None:
    surroundings = Surroundings(Level.UNKNOWN, release, "/boot/zipl")

    assert clearing_command(source, text=text, choice=choice, surroundings=surroundings) == command


@pytest.mark.parametrize(
    ("runs_in", "word"),
    [(Level.LPAR, "HMC"), (Level.ZVM, "CP SET LOADDEV"), (Level.KVM, "libvirt")],
)
def test_the_advice_names_who_else_sets_it(runs_in: Level, word: str) -> None:
    (found,) = reboot_findings(reboot(ccw("9")), (), Surroundings(runs_in))

    assert found.hint is not None
    assert found.hint.startswith("chreipl ccw -d 0.0.0120 -L ''  # ")
    assert word in found.hint


@given(
    st.sampled_from(["ccw", "fcp", "nvme", "eckd", "nss", "odd"]),
    st.text(max_size=8),
    st.none() | st.text(max_size=20),
    st.text(max_size=4),
)
def test_any_settings_can_be_described(
    kind: str, loadparm: str, parm: str | None, prog: str
) -> None:
    found = reboot(IplSource(kind, "0.0.0120", loadparm, parm, prog))

    assert found.describe().isprintable()
    for each in reboot_findings(found, (HOST,), Surroundings()):
        assert each.message.isprintable()


@pytest.mark.parametrize(
    ("release", "runs_in", "said"),
    [
        (39, Level.LPAR, True),
        (16, Level.ZVM, True),
        (40, Level.LPAR, False),
        (39, Level.KVM, False),
        (None, Level.LPAR, False),
    ],
)
def test_a_loader_that_may_ignore_loadparm_is_named(
    release: int | None, runs_in: Level, said: bool
) -> None:
    version = None if release is None else ZiplVersion(2, release)
    surroundings = Surroundings(runs_in, version)

    (chosen,) = reboot_findings(reboot(ccw("2")), (), surroundings)
    (text,) = reboot_findings(reboot(ccw(parm="=a")), (HOST,), surroundings)

    assert ("before 2.40 ignores LOADPARM" in (chosen.hint or "")) is said
    assert "ignores" not in (text.hint or "")
