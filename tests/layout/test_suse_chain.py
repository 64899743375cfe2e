"""What SUSE's two stages start, and which stages a requirement has reached."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from secboot.formats.grub_cfg import GrubCfg
from secboot.invocation import Invocation
from secboot.ipl.next_ipl import NextIpl
from secboot.ipl.reboot import Chooses, at_reboot
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import Machine, discover
from secboot.running.firmware import IplSource
from secboot.running.system import RebootSettings
from secboot.status.stages import EntryResults, Stage, Status, Verdict
from secboot.system.root import Root
from tests.command import secboot
from tests.rights import as_nobody
from tests.situations import SITUATIONS, make_situation
from tests.status.scenes import Scene, log, only, verdicts
from tests.trees import hide_boot_record

GRUB_CFG = "boot/grub2/grub.cfg"
NORMAL, SKIP = "SLES 15-SP6", "skip-grub2"
BLOCK = "# GRUB Environment Block\n"


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    return make_situation("suse-healthy", tmp_path / "root")


def status(root: Path, profile: str = "host", *, live: bool = False) -> Status:
    invocation = Invocation(root=None if live else "/mnt/tree", profile=profile)
    return Scene(root).status(profile, log() if live else None, invocation)


def judged(found: Status) -> dict[str, str]:
    """For each judged entry: whether it is configured and installed."""
    marks = {Verdict.MET: "+", Verdict.MISSING: "-", Verdict.UNKNOWN: "?"}

    def of(entry: EntryResults) -> str:
        return "".join(marks[each.verdict] for each in (*entry.configured, *entry.installed))

    return {entry.name: of(entry) for entry in found.entries if entry.configured}


def hints(found: Status) -> list[str | None]:
    return [notice.hint for notice in found.notices]


def machine_of(root: Path) -> Machine:
    with Root(root) as tree:
        return discover(tree, detect_layout(tree).sources)


def next_ipl(root: Path, machine: Machine | None = None) -> NextIpl:
    machine = machine or machine_of(root)
    with Root(root) as tree:
        layout = detect_layout(tree)
    return layout.next_ipl_of(machine)


def edit(root: Path, path: str, *changes: tuple[str, str]) -> None:
    """Change a file without making it newer than the boot record."""
    file = root / path
    text, before = file.read_text(), file.stat()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    os.utime(file, (before.st_mtime, before.st_mtime))


def test_what_reached_all_places_is_met_everywhere(healthy: Path) -> None:
    found = status(healthy, live=True)

    assert verdicts(found) == "+++++"
    assert judged(found) == {NORMAL: "++", SKIP: "++"}
    assert found.notices == ()


def test_the_line_of_the_running_system_is_that_of_the_default_menu_entry(healthy: Path) -> None:
    found = status(healthy, live=True)

    assert found.origin is not None
    assert found.origin.description == (
        "it matches 'SLES 15-SP6' in /boot/grub2/grub.cfg, LOADPARM 1g0 (the default)"
    )


def test_an_entry_chosen_in_the_menu_of_grub_is_named(healthy: Path) -> None:
    line = "root=UUID=c3f2a1d4-2f37-4a2b-9f6e-7a5b1d1f0c11 single"
    (healthy / "proc/cmdline").write_text(f"{line}\n")

    found = status(healthy, live=True)

    assert found.origin is not None
    assert "(recovery mode)' in /boot/grub2/grub.cfg, LOADPARM 1g1.0" in found.origin.description


def test_zipls_section_that_skips_grub_is_named(healthy: Path) -> None:
    entry = next(each for each in next_ipl(healthy).choices if each.title == SKIP)
    (healthy / "proc/cmdline").write_text(f"{entry.line}\n")

    found = status(healthy, live=True)

    assert found.origin is not None
    assert "'skip-grub2' in the boot record, menu number 2" in found.origin.description


@pytest.mark.parametrize("live", [False, True])
def test_a_stale_grub_cfg_is_not_installed(live: bool, tmp_path: Path) -> None:
    root = make_situation("suse-stale-grub-cfg", tmp_path / "root")

    found = status(root, live=live)

    assert verdicts(found) == ("++---" if live else "++-..")
    assert judged(found) == {NORMAL: "+-", SKIP: "++"}
    chroot = "" if live else "chroot /mnt/tree "
    command = f"{chroot}grub2-mkconfig -o /boot/grub2/grub.cfg"
    assert [cause.hint for cause in only(found).stages[Stage.INSTALLED].causes] == [command]
    assert hints(found) == [command]
    assert "reboot" not in " ".join(c.hint or "" for c in only(found).stages[Stage.RUNNING].causes)


@pytest.mark.parametrize("live", [False, True])
def test_a_stale_first_stage_leaves_the_default_installed(live: bool, tmp_path: Path) -> None:
    root = make_situation("suse-stale-zipl-config", tmp_path / "root")

    found = status(root, live=live)

    assert verdicts(found) == ("++-++" if live else "++-..")
    assert judged(found) == {NORMAL: "++", SKIP: "+-"}
    assert hints(found) == ["grub2-zipl-setup" if live else "chroot /mnt/tree grub2-zipl-setup"]
    assert only(found).stages[Stage.INSTALLED].causes[0].code == "zipl-due"


def test_a_boot_record_that_is_out_of_date_is_renewed_by_suses_own_program(healthy: Path) -> None:
    older = SITUATIONS / "suse-stale-zipl-config/boot/zipl/bootmap"
    shutil.copy2(older, healthy / "boot/zipl/bootmap")
    os.utime(healthy / "boot/zipl/bootmap", (1_700_000_100, 1_700_000_100))

    found = status(healthy)

    assert judged(found) == {NORMAL: "++", SKIP: "+-"}
    assert set(hints(found)) == {"chroot /mnt/tree grub2-zipl-setup"}


def test_without_a_boot_record_nothing_is_installed(healthy: Path) -> None:
    (healthy / "boot/zipl/bootmap").unlink()

    assert judged(status(healthy)) == {NORMAL: "+-", SKIP: "+-"}
    assert next_ipl(healthy).choices == ()


def test_the_choices_are_menu_entries_after_each_first_stage(healthy: Path) -> None:
    found = next_ipl(healthy)
    assert [(each.loadparm, each.is_default) for each in found.choices] == [
        ("1g0", True),
        ("1g1.0", False),
        ("2", False),
        ("3g0", False),
        ("3g1.0", False),
    ]
    assert found.default is not None
    assert found.default.kernel == "/boot/image-6.4.0-150600.23-default"
    assert str(found.default.location) == "/boot/grub2/grub.cfg:7"


@pytest.mark.parametrize(
    ("kept", "default"),
    [
        ("saved_entry=1>0\n", "(recovery mode)"),
        ("saved_entry=SLES 15-SP6\n", NORMAL),
        ("saved_entry=0\nnext_entry=1>0\n", "(recovery mode)"),
    ],
)
def test_the_default_is_that_of_grubenv(kept: str, default: str, healthy: Path) -> None:
    """The recovery entry is judged if it is the default: its line lacks the parameter."""
    header = (
        "if [ -s $prefix/grubenv ]; then load_env; fi\n"
        'if [ "$next_entry" ]; then set default="$next_entry"; boot_once=true; else default="$saved_entry"; fi\n'
    )
    edit(healthy, GRUB_CFG, ("### BEGIN", f"{header}### BEGIN"))
    (healthy / "boot/grub2/grubenv").write_text(BLOCK + kept)

    found = next_ipl(healthy).default

    assert found is not None
    assert default in found.title
    assert ("grub2-once" in (found.unsure or "")) == ("next_entry" in kept)
    recovery = next(
        name for name in (each.name for each in status(healthy).entries) if "rec" in name
    )
    assert judged(status(healthy)).get(recovery) == (None if default == NORMAL else "--")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("source /boot/other.cfg\n", "continues with a file that was not read"),
        (
            "if sleep 1; then set default=1; fi\n",
            "the result of a condition in /boot/grub2/grub.cfg:1",
        ),
        ("menuentry 'cut off' {\n", "the file is truncated"),
    ],
)
def test_what_grub_cfg_starts_can_be_unknown(text: str, why: str, healthy: Path) -> None:
    file = healthy / GRUB_CFG
    file.write_text(text + file.read_text())

    found = status(healthy)

    result = only(found).stages[Stage.INSTALLED]
    assert result.verdict is Verdict.UNKNOWN
    assert why in result.reason
    assert [entry.name for entry in found.entries if entry.default] == [
        "the default of /boot/grub2/grub.cfg"
    ]


def test_without_grub_cfg_the_first_stage_has_nothing_to_start(
    healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (healthy / GRUB_CFG).unlink()

    found = status(healthy)

    assert judged(found) == {"the default of /boot/grub2/grub.cfg": "+-", SKIP: "++"}
    assert set(hints(found)) == {"chroot /mnt/tree grub2-mkconfig -o /boot/grub2/grub.cfg"}
    planned = secboot(capsys, "plan", "host", "--root", healthy, "--detailed-exitcode")
    assert planned.code == 5
    assert "grub2-mkconfig -o /boot/grub2/grub.cfg: /boot/grub2/grub.cfg not found" in planned.out


def test_words_of_the_template_do_not_make_the_first_stage_stale(
    healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / "quiet.yaml"
    profile.write_text("version: 1\nparameters:\n  quiet: {absent: true}\n")

    planned = secboot(capsys, "plan", profile, "--root", healthy, "--detailed-exitcode")

    assert planned.code == 0, planned.out


def test_a_grub_cfg_that_may_not_be_read_is_not_known_and_no_cause_is_made_up(
    healthy: Path,
) -> None:
    (healthy / GRUB_CFG).chmod(0o600)
    if os.geteuid() != 0:
        (healthy / GRUB_CFG).chmod(0)
    with Root(healthy) as tree:
        layout = detect_layout(tree)
        with as_nobody():
            machine = discover(tree, layout.sources)

    found = next_ipl(healthy, machine)

    assert machine.document("/boot/grub2/grub.cfg", GrubCfg) is None
    assert found.default is not None
    assert found.default.line is None
    assert "permission" in (found.default.unsure or "").lower()


def test_entries_that_others_wrote_are_shown_and_not_judged(
    healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = "### BEGIN /etc/grub.d/40_custom ###\nmenuentry own { linux /boot/own a b; }\n"
    (healthy / GRUB_CFG).write_text((healthy / GRUB_CFG).read_text() + own)
    found = status(healthy)

    notes = {entry.name: entry.note for entry in found.entries}
    assert notes["own"] == "from /etc/grub.d/40_custom, not from /etc/default/grub: change it there"
    assert judged(found) == {NORMAL: "++", SKIP: "++"}

    edit(
        healthy, GRUB_CFG, ("### BEGIN /etc/grub.d/10", "set default=own\n### BEGIN /etc/grub.d/10")
    )

    assert judged(status(healthy)) == {"own": "--", NORMAL: "++", SKIP: "++"}
    planned = secboot(capsys, "plan", "host", "--root", healthy)
    assert "not generated from a file that secboot edits" in planned.out


def test_a_profile_for_the_default_is_for_the_menu_entry(healthy: Path) -> None:
    profiles = healthy / "etc/secboot/profiles"
    profiles.mkdir(parents=True)
    (profiles / "one.yaml").write_text("version: 1\nextends: host\nentries: default\n")

    assert judged(status(healthy, "one")) == {NORMAL: "++"}


@pytest.mark.parametrize(
    ("loadparm", "chooses", "title"),
    [
        ("", Chooses.DEFAULT, NORMAL),
        ("1", Chooses.DEFAULT, NORMAL),
        ("1g0", Chooses.DEFAULT, NORMAL),
        ("0g1.0", Chooses.ENTRY, "recovery"),
        ("1g1.0", Chooses.ENTRY, "recovery"),
        ("1G1.0", Chooses.ENTRY, "recovery"),
        ("2", Chooses.ENTRY, SKIP),
        ("3", Chooses.ENTRY, f"{NORMAL} (grub2-mem1G)"),
        ("7", Chooses.NOTHING, ""),
        ("1g9", Chooses.UNKNOWN, ""),
    ],
)
def test_loadparm_chooses_zipls_entry_and_grubs(
    loadparm: str, chooses: Chooses, title: str, healthy: Path
) -> None:
    settings = RebootSettings(IplSource("ccw", "0.0.0200", loadparm, None))

    found = at_reboot(settings, next_ipl(healthy).choices)

    assert found.chooses is chooses
    assert title in (found.entry or "")


def test_a_value_with_quotes_is_managed_and_its_effect_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation("suse-quoted-value", tmp_path / "root")
    before = (root / "etc/default/grub").read_text()

    applied = secboot(capsys, "apply", "host", "--root", root)

    assert applied.code == 0, applied.err
    assert (root / "etc/default/grub").read_text() == before.replace(
        'nosimplefb=1"', 'nosimplefb=1 prot_virt=1"'
    )
    assert "refuses" in applied.out

    asked = secboot(capsys, "apply", "p", "--root", root)

    assert asked.code == 0, asked.err
    assert r"foo=\"bar  zap\"" in (root / "etc/default/grub").read_text()
    assert "without their quotes" in asked.out
    found = only(status(root, "host")).stages[Stage.INHERITED]
    assert found.verdict is Verdict.MET


def test_a_value_that_its_readers_do_not_read_alike_is_shown_and_not_changed(
    healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(
        healthy,
        "etc/default/grub",
        ('GRUB_CMDLINE_LINUX=""', "GRUB_CMDLINE_LINUX='a \"b c\"'"),
    )
    unchanged = secboot(capsys, "plan", "host", "--root", healthy)
    assert unchanged.code == 0, unchanged.err

    profile = tmp_path / "audit.yaml"
    profile.write_text('version: 1\nparameters:\n  audit: "1"\n')
    other = secboot(capsys, "plan", profile, "--root", healthy)
    assert other.code == 0, other.err
    assert "prot_virt=1 audit=1" in other.out

    edit(healthy, "etc/default/grub", (' prot_virt=1"', '"'), ("'a", "'prot_virt=0"))
    refused = secboot(capsys, "plan", "host", "--root", healthy)
    assert refused.code == 2
    assert "do not read this assignment of" in refused.err


def test_a_plan_names_the_menu_entries_that_are_generated(
    healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = secboot(capsys, "plan", "host", "--root", healthy, "--output", "json")

    entries = {each["name"]: each for each in json.loads(planned.out)["entries"]}
    assert entries[NORMAL]["status"] == "generated"
    assert {each["code"] for each in json.loads(planned.out)["warnings"]} == {"zipl-version"}
    assert entries[NORMAL]["default"] is True
    assert entries["grub2"]["default"] is False
    assert [each["status"] for each in entries.values()].count("not-selected") == 1


@pytest.mark.parametrize("count", [10_000])
def test_ten_thousand_menu_entries_are_no_matter(count: int, healthy: Path) -> None:
    def seconds(number: int) -> float:
        entry = "menuentry 'n{0}' --id gnulinux-{0}-1 {{ linux /boot/image-{0} root=1 a; }}\n"
        (healthy / GRUB_CFG).write_text("".join(entry.format(n) for n in range(number)))
        machine = machine_of(healthy)
        begin = time.process_time()
        found = next_ipl(healthy, machine)
        assert len(found.entries) == number + 3
        assert len(found.choices) == 2 * number + 1
        return time.process_time() - begin

    # Quadratic time would be a hundred times as long in every run; a busy machine is only slow at times.
    assert any(seconds(count) < 20 * seconds(count // 10) + 1 for _ in range(3))


def test_a_first_stage_whose_kernel_was_replaced_starts_nothing_for_sure(healthy: Path) -> None:
    image = healthy / "boot/zipl/image"
    image.write_bytes(image.read_bytes() + bytes(4096))
    os.utime(image, (1_700_000_000, 1_700_000_000))

    found = status(healthy)

    assert judged(found) == {NORMAL: "+-", SKIP: "+-"}
    assert set(hints(found)) == {"chroot /mnt/tree grub2-zipl-setup"}
    assert "record-boots-other" in {notice.code for notice in found.notices}


@pytest.mark.parametrize(("tree", "installed"), [("healthy", "?"), ("stale-grub-cfg", "-")])
def test_what_grub_cfg_lacks_is_known_without_the_record(
    tree: str, installed: str, tmp_path: Path
) -> None:
    root = make_situation(f"suse-{tree}", tmp_path / "root")
    hide_boot_record(root, 1_700_000_100, "boot/zipl")

    assert judged(status(root)) == {NORMAL: f"+{installed}", SKIP: "+?"}


def test_without_its_configuration_the_record_is_where_it_was(healthy: Path) -> None:
    """It was deleted and is generated again: the next IPL does not read it."""
    (healthy / "boot/zipl/config").unlink()

    found = status(healthy)

    assert found.next_ipl.record.path == "/boot/zipl/bootmap"
    assert [choice.loadparm for choice in found.next_ipl.choices] == [
        *("1g0", "1g1.0", "2", "3g0", "3g1.0")
    ]
    assert not {"zipl-refuses", "record-boots-other"} & {notice.code for notice in found.notices}
    assert judged(found)[NORMAL] == "++"


@pytest.mark.parametrize("lacking", ["boot/zipl/config", "boot/zipl/bootmap", GRUB_CFG])
def test_an_image_that_is_being_built_lacks_something(lacking: str, healthy: Path) -> None:
    for path in {"boot/zipl/bootmap", lacking}:
        (healthy / path).unlink()

    found = only(status(healthy)).stages

    assert found[Stage.INSTALLED].verdict is Verdict.MISSING
    assert "zipl has not run yet, or it was removed" in found[Stage.INSTALLED].reason
    assert found[Stage.INHERITED].verdict is Verdict.MET


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "/boot/grub2/grub.cfg is empty"),
        ("menuentry 'cut off' {\n", "GRUB can't read /boot/grub2/grub.cfg"),
        ("<binary>\n", "GRUB can't read /boot/grub2/grub.cfg"),
    ],
)
def test_a_grub_cfg_that_starts_nothing_is_to_be_generated(
    text: str, why: str, healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As left by a full disk: what starts is unknown, but what to do is known."""
    (healthy / GRUB_CFG).write_text(text)

    planned = secboot(capsys, "plan", "host", "--root", healthy, "--detailed-exitcode")
    found = status(healthy)

    assert planned.code == 5
    assert why in planned.out
    assert only(found).stages[Stage.INSTALLED].verdict is Verdict.UNKNOWN
    stale = next(each for each in found.notices if each.code == "generated-file-stale")
    assert stale.hint == "chroot /mnt/tree grub2-mkconfig -o /boot/grub2/grub.cfg"


def test_a_default_of_zipls_menu_that_differs_from_the_record_is_reported(healthy: Path) -> None:
    edit(healthy, "boot/zipl/config", ("    default = 1", "    default = 2"))

    found = {notice.code: notice for notice in status(healthy).notices}

    assert found["record-default"].message == (
        f"the next IPL starts '{NORMAL}' by default, not '{SKIP}', the default in the boot files"
    )
    assert found["record-default"].hint == "chroot /mnt/tree grub2-zipl-setup"


@pytest.mark.parametrize(
    ("named", "link"),
    [("/boot/image-{}", False), ("/image-{}", False), ("/boot/image-{}", True)],
    ids=["boot", "separate-boot", "dangling-link"],
)
def test_a_kernel_that_was_removed_is_not_started(
    named: str, link: bool, healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """grub2-emu reads the file itself; a tree without any kernel is merely incomplete."""
    gone, old = "6.4.0-150600.21-default", "/boot/image-6.4.0-150600.23-default"
    edit(healthy, GRUB_CFG, (f"${{btrfs_subvol}}{old} root", f"{named.format(gone)} root"))
    if link:
        (healthy / f"boot/image-{gone}").symlink_to(f"../usr/lib/modules/{gone}/image")

    found = status(healthy)

    assert judged(found) == {NORMAL: "+-", SKIP: "++"}
    installed = only(found).stages[Stage.INSTALLED]
    assert installed.reason.startswith("its kernel was not found")
    assert [cause.hint for cause in installed.causes] == [
        "chroot /mnt/tree grub2-mkconfig -o /boot/grub2/grub.cfg"
    ]
    default = next_ipl(healthy).default
    assert default is not None
    assert default.unsure == f"{named.format(gone)} does not exist"
    planned = secboot(capsys, "plan", "host", "--root", healthy, "--detailed-exitcode")
    assert planned.code == 5
    assert "grub2-mkconfig -o /boot/grub2/grub.cfg: /boot/grub2/grub.cfg starts" in planned.out

    (healthy / "boot/image-6.4.0-150600.23-default").unlink()

    assert judged(status(healthy)) == {NORMAL: "++", SKIP: "++"}
