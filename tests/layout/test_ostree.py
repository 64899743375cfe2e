"""ostree and bootc: nothing is edited, and the steps use the system's own programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from secboot.invocation import Invocation
from secboot.layout.detect import detect_layout
from secboot.lines.changes import Step
from secboot.lines.stores import stores_of
from secboot.machine.discovery import discover
from secboot.machine.profile_files import read_profile
from secboot.status.stages import Stage
from secboot.system.root import Root
from tests.command import Said, act_on_running_system, secboot
from tests.situations import make_situation
from tests.status.scenes import Scene, add_system, log, only, verdicts
from tests.trees import snapshot

NAMES = {
    "guest": "guest",
    "Big_Guest.v2": "big-guest-v2",
    "___": "profile",
}
"""Profiles, and the names that Kubernetes allows for the objects."""


def make(root: Path, *programs: str, options: str = "", source: str | None = None) -> Path:
    noted = "" if source is None else f"x-options-source-secboot {source}\n"
    for path, text in {
        "ostree/repo/config": "",
        "etc/zipl.conf": "[defaultboot]\ndefaultauto\nprompt=0\ntimeout=0\n",
        "boot/loader/entries/ostree-1.conf": (
            "title A\nversion 1\nlinux /boot/vmlinuz\n"
            f"options ostree=/ostree/boot.1/x {options}\n{noted}"
        ),
        **{f"usr/bin/{program}": "" for program in programs},
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def steps_for(root: Path, profile: str, *, running: bool = True) -> tuple[Step, ...]:
    with Root(root) as tree:
        layout = detect_layout(tree)
        machine = discover(tree, layout.sources, {} if running else None)
        return layout.steps(read_profile(profile, tree), machine, stores_of(machine))


def first_lines(root: Path, profile: str) -> list[str]:
    return [step.lines[0] for step in steps_for(root, profile)]


def uncommented(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_and_an_export_make_the_same_objects(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / f"{name}.yaml"
    profile.write_text("version: 1\nextends: guest\n")
    root = make(tmp_path / "root")

    plan = json.loads(secboot(capsys, "plan", profile, "--root", root, "-o", "json").out)
    config = secboot(capsys, "export", profile, "--format", "machineconfig").out
    kargs = secboot(capsys, "export", profile, "--format", "bootc").out

    _, in_image, in_cluster = plan["steps"]
    assert f"  name: 99-secboot-{NAMES[name]}" in in_cluster["lines"]
    assert uncommented(config) == in_cluster["lines"]
    assert uncommented(kargs) == in_image["lines"]
    (path,) = re.findall(r"/usr/lib/bootc/\S+\.toml", kargs)
    assert path == f"/usr/lib/bootc/kargs.d/50-secboot-{NAMES[name]}.toml"
    assert in_image["title"].endswith(path)


BOOTC = "bootc loader-entries set-options-for-source --source secboot --options"
KARGS = 'kargs = ["swiotlb=262144"]'
CONFIG = "apiVersion: machineconfiguration.openshift.io/v1"


@pytest.mark.parametrize(
    ("programs", "steps"),
    [
        ((), ["rpm-ostree kargs --append-if-missing=swiotlb=262144", KARGS, CONFIG]),
        (("rpm-ostree",), ["rpm-ostree kargs --append-if-missing=swiotlb=262144", KARGS, CONFIG]),
        (("bootc",), [f"{BOOTC} swiotlb=262144", KARGS, CONFIG]),
        (
            ("bootc", "rpm-ostree"),
            [
                f"{BOOTC} swiotlb=262144",
                KARGS,
                "rpm-ostree kargs --append-if-missing=swiotlb=262144",
                CONFIG,
            ],
        ),
    ],
)
def test_the_ways_of_bootc_come_first_where_it_is_there(
    programs: tuple[str, ...], steps: list[str], tmp_path: Path
) -> None:
    assert first_lines(make(tmp_path, *programs), "guest") == steps


@pytest.mark.parametrize(
    ("options", "source", "profile", "step"),
    [
        # The last value applies, so nothing must be removed.
        ("swiotlb=512M", None, "guest", f"{BOOTC} swiotlb=262144"),
        ("swiotlb=512M", "swiotlb=512M", "guest", f"{BOOTC} swiotlb=262144"),
        ("a=1 swiotlb=512M b", "a=1 swiotlb=512M", "guest", f"{BOOTC} 'a=1 swiotlb=262144'"),
        ('x="a b"', 'x="a b"', "guest", f"{BOOTC} 'x=\"a b\" swiotlb=262144'"),
        ("prot_virt=1 quiet", "prot_virt=1 quiet", "host-off", f"{BOOTC} quiet"),
        ("prot_virt=1", "prot_virt=1", "host-off", BOOTC.removesuffix(" --options")),
    ],
)
def test_bootc_gets_all_words_that_it_got_before(
    options: str, source: str | None, profile: str, step: str, tmp_path: Path
) -> None:
    root = make(tmp_path, "bootc", options=options, source=source)

    assert first_lines(root, profile)[0] == step


def test_bootc_has_no_command_for_words_that_it_did_not_add(tmp_path: Path) -> None:
    (step,) = steps_for(make(tmp_path, "bootc", options="prot_virt=1"), "host-off")

    assert "kargs.d" in step.title
    assert (step.lines, step.argv) == (("prot_virt=1",), ())


def test_rpm_ostree_has_one_for_them(tmp_path: Path) -> None:
    root = make(tmp_path, "bootc", "rpm-ostree", options="prot_virt=1")

    assert first_lines(root, "host-off") == ["rpm-ostree kargs --delete=prot_virt=1"]


@pytest.mark.parametrize("situation", ["ostree-deployment-root", "rhcos-sealed"])
@pytest.mark.parametrize("profile", ["guest", "host"])
def test_no_hint_says_to_edit_entries_or_to_run_zipl(
    situation: str, profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation(situation, tmp_path / "root")
    before = snapshot(root)

    plan = json.loads(secboot(capsys, "plan", profile, "--root", root, "-o", "json").out)
    secboot(capsys, "apply", profile, "--root", root)
    said = [
        secboot(capsys, verb, profile, "--root", root, *more)
        for verb in ("plan", "status", "verify")
        for more in ((), ("-o", "json"))
    ]

    assert (plan["files"], plan["commands"]) == ([], [])
    assert snapshot(root) == before
    for each in said:
        assert "run zipl" not in each.out.replace("do not run zipl by hand", "")
        assert "run: zipl" not in each.out
        assert "secboot apply" not in each.out


def test_what_is_next_is_the_first_step_of_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "root")

    said = secboot(capsys, "verify", "guest", "--root", root, "--stage", "inherited")

    assert f": secboot plan guest --root {root}" in said.out


SEALED_LINE = "ostree=/ostree/boot.1/rhcos/x/0 root=UUID=1 swiotlb=262144"


@pytest.fixture
def secure_guest(tmp_path: Path) -> Scene:
    scene = Scene(make_situation("rhcos-sealed", tmp_path / "root"))
    add_system(scene, "z16-se-guest", SEALED_LINE, "guest")
    return scene


def test_in_a_secure_guest_the_options_of_the_newest_deployment_are_in_the_image(
    secure_guest: Scene,
) -> None:
    older = "title older\nversion 0\nlinux /boot/vmlinuz\noptions ostree=/ostree/boot.0/x\n"
    secure_guest.write("boot/loader/entries/ostree-0.conf", older)
    mapped = log("software IO TLB: mapped [mem 0x5a5fe000-0x7a5fe000] (512MB)")

    status = secure_guest.status("guest", mapped)

    newest, last = status.entries
    assert [r.verdict for r in (*newest.configured, *newest.installed)] == ["met", "met"]
    assert last.installed[0].verdict == "not-applicable"
    assert verdicts(status)[1:] == "++++"
    assert status.next_ipl.default is not None
    assert status.next_ipl.default.line == SEALED_LINE
    assert status.next_ipl.default.secure
    assert status.origin is not None
    assert "in /sysroot/se/sdboot" in status.origin.description
    assert {notice.code for notice in status.notices} == {"boot-record-unreadable"}


def test_in_a_secure_guest_no_hint_says_to_run_zipl(secure_guest: Scene) -> None:
    (secure_guest.tree / "usr/bin").mkdir(parents=True)
    (secure_guest.tree / "usr/bin/rpm-ostree").touch()

    status = secure_guest.status("guest-large", log(), Invocation("guest-large"))

    stages = only(status).stages.values()
    hints = [cause.hint or "" for result in stages for cause in result.causes]
    hints += [notice.hint or "" for notice in status.notices]
    assert any(hint.startswith("rpm-ostree kargs --delete=swiotlb=262144 ") for hint in hints)
    assert not [hint for hint in hints if "zipl" in hint or "secboot apply" in hint]


def test_what_a_secure_guest_boots_is_shown(
    secure_guest: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An image of the newest deployment; nobody has to rebuild it for a new kernel."""
    act_on_running_system(monkeypatch)

    shown = secboot(capsys, "show", "--root", secure_guest.tree)
    kept = secboot(capsys, "keep", "--root", secure_guest.tree)
    plan = secboot(capsys, "plan", "guest-large", "--root", secure_guest.tree)

    assert (
        "(ostree:0)  (default, Secure Execution)\n    kernel      /sysroot/se/sdboot" in shown.out
    )
    assert kept == Said(0, "No active profile.\n", "")
    assert "rpm-ostree kargs --delete=swiotlb=262144" in plan.out
    for said in (shown, kept, plan):
        assert not [w for w in ("unsealed", "genprotimg", "pvimg", "run: zipl") if w in said.out]


def test_a_tree_with_host_keys_and_without_a_record_is_that_of_a_secure_guest(
    tmp_path: Path,
) -> None:
    root = make_situation("rhcos-sealed", tmp_path / "root")
    assert verdicts(Scene(root).status("guest")) == "++-.."

    (root / "etc/se-hostkeys").mkdir()
    (root / "etc/se-hostkeys/ibm-z-hostkey-1.crt").touch()

    assert verdicts(Scene(root).status("guest")) == "+++.."


def test_a_staged_deployment_is_what_comes_next(tmp_path: Path) -> None:
    """Its parameters are not in a boot entry yet, so nothing is promised for it."""
    scene = Scene(make_situation("rhcos-sealed", tmp_path / "root"))
    before = verdicts(scene.status("guest"))
    scene.write("run/ostree/staged-deployment", b"\0")

    status = scene.status("guest")

    assert (before[1], verdicts(status)[1]) == ("+", "?")
    assert "a deployment is staged" in only(status).stages[Stage.INHERITED].reason


def test_the_plan_warns_of_a_staged_deployment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "root")
    assert "a deployment is staged" not in secboot(capsys, "plan", "guest", "--root", root).out
    (root / "run/ostree").mkdir(parents=True)
    (root / "run/ostree/staged-deployment").touch()

    assert "warning: a deployment is staged" in secboot(capsys, "plan", "guest", "--root", root).out


@pytest.mark.parametrize(
    ("asked", "options", "words"),
    [
        ("{includes: [ttyS1], excludes: [ttyS0]}", "console=ttyS0 console=tty0",
         "--delete=console=ttyS0 --append-if-missing=console=ttyS1"),
        ("{excludes: [ttyS0]}", "console=ttyS0 console=tty0", "--delete=console=ttyS0"),
        ("{exactly: [tty0, ttyS1]}", "console=tty0 a", "--append-if-missing=console=ttyS1"),
        # rpm-ostree adds at the end, so words that must come later are added again.
        ("{exactly: [ttyS1, tty0]}", "console=tty0 a",
         "--delete=console=tty0 --append-if-missing=console=ttyS1 --append-if-missing=console=tty0"),
        ("{exactly: [a, b, a]}", "",
         "--append=console=a --append-if-missing=console=b --append=console=a"),
    ],
)  # fmt: skip
def test_rpm_ostree_gets_single_values(
    tmp_path: Path, asked: str, options: str, words: str
) -> None:
    root = make(tmp_path, "rpm-ostree", options=options)
    profiles = root / "etc/secboot/profiles"
    profiles.mkdir(parents=True)
    (profiles / "p.yaml").write_text(f"version: 1\nparameters: {{console: {asked}}}\n")

    assert first_lines(root, "p")[0] == f"rpm-ostree kargs {words}"
