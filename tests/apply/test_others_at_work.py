"""Other programs change boot files during a change: what they can do, at each step, for both kinds of files.

In every case the command ends and says how, no temporary file is left, the boot record matches the files,
and the next command works.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secboot.apply.apply import apply_plan
from secboot.apply.change import ManagedRoot
from secboot.apply.repairing import repair_boot_files
from secboot.apply.rollback import roll_back
from secboot.apply.rollback_plan import Choices
from secboot.apply.zipl import Zipl
from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.store import CheckpointStore
from secboot.errors import RefusedError, RolledBackError, SecbootError, StuckError
from secboot.layout.detect import detect_layout
from secboot.layout.first import FirstAsked
from secboot.machine.discovery import configuration_after
from secboot.machine.profile_files import read_profile
from secboot.plan.confirmation import plan_confirmation
from secboot.plan.first_configuration import plan_first_configuration
from secboot.plan.plan import Confirmation
from secboot.plan.planner import make_plan
from secboot.plan.trial_entry import plan_trial
from secboot.progress import Phase, Progress
from secboot.running.firmware import IplSource
from secboot.running.system import LiveFacts, RebootSettings
from secboot.system.root import Root
from tests.apply.zipl_script import ZiplScript, make_zipl
from tests.available import not_here, require_root, unavailable
from tests.checkpoint.conftest import FAULT_CASES
from tests.checkpoint.scenes import cut_journal, temporaries
from tests.trees import MACHINE_ID, make_sample_tree, plain_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan
    from secboot.profile.profile import Profile

ENTRIES = "boot/loader/entries"
NOTHING = hashlib.sha256(b"").hexdigest()
KINDS = {"BLS": "rhel8", "zipl.conf": "ubuntu-installer"}
RECORD = "boot/record"


def boot_digest(root: Path) -> str:
    """Return what the replacement for zipl writes: a digest of the files that zipl reads."""
    paths = [root / "etc/zipl.conf", *sorted((root / ENTRIES).glob("*.conf"))]
    texts = [path.read_bytes() for path in paths if path.is_file()]
    return hashlib.sha256(b"".join(texts)).hexdigest()


def victim(root: Path) -> Path:
    """Return the file that others change: an entry, or zipl.conf."""
    entries = sorted((root / ENTRIES).glob("*CUSTOM*.conf"))
    return entries[0] if entries else root / "etc/zipl.conf"


def remove(root: Path) -> None:
    victim(root).unlink(missing_ok=True)


def edit(root: Path) -> None:
    """Replace the file, as ``sed -i`` and editors do."""
    path = victim(root)
    if path.exists():
        other = path.with_name("other")
        other.write_bytes(path.read_bytes() + b"# mine\n")
        other.replace(path)


def edit_in_place(root: Path) -> None:
    if victim(root).exists():
        with victim(root).open("ab") as file:
            file.write(b"# mine\n")


def rename(root: Path) -> None:
    path = victim(root)
    if path.exists():
        path.rename(path.with_name("moved.conf.bak"))


def make_directory(root: Path) -> None:
    path = victim(root)
    path.unlink(missing_ok=True)
    path.mkdir(exist_ok=True)


def make_immutable(root: Path) -> None:
    done = subprocess.run(["chattr", "+i", str(victim(root))], check=False, capture_output=True)
    if done.returncode:
        not_here("this file system has no immutable files")


def move_directory(root: Path) -> None:
    place = victim(root).parent
    if place.exists():
        place.rename(place.with_name("moved"))


def remove_directory(root: Path) -> None:
    shutil.rmtree(victim(root).parent, ignore_errors=True)


def add(root: Path) -> None:
    """Add a copy of an entry, as kernel-install does."""
    path = victim(root)
    if path.parent.name == "entries" and path.exists():
        text = path.read_text().replace("title ", "title New ")
        path.with_name(f"new-{path.name}").write_text(text)


ACTIONS: tuple[Callable[[Path], None], ...] = (
    remove,
    edit,
    edit_in_place,
    rename,
    make_directory,
    make_immutable,
    move_directory,
    remove_directory,
    add,
)
OFTEN = (remove, edit, add)
"""What is also tried in a normal run."""
STEPS = (
    (Phase.READING, 1),
    (Phase.READING_AGAIN, 1),
    (Phase.SAVING, 1),
    (Phase.WRITING, 1),
    (Phase.WRITING, 2),
    (Phase.REPLACING, 1),
    (Phase.REPLACING, 2),
    (Phase.RUNNING, 1),
    (Phase.RUNNING, 2),
    (Phase.READING_BACK, 1),
    (Phase.RESTORING, 1),
    (Phase.TIDYING, 2),
)
"""A phase, and the number of the report in it."""
VERBS = ("apply", "fail", "rollback", "recovery", "trial", "drop", "confirm", "fix", "init")
"""``drop`` is the rollback of a trial, ``confirm`` what makes one permanent."""
ON_A_TRIAL = frozenset({"drop", "confirm"})
SETTING = "sys/firmware/reipl/ccw/loadparm"


class Meddler(Progress):
    """Performs an action at one report of a phase."""

    def __init__(self, step: tuple[Phase, int], action: Callable[[], None]) -> None:
        self._step, self._action, self._seen = step, action, Counter[Phase]()
        self.acted = False

    def report(self, phase: Phase, done: int = 0, total: int = 0, *, program: str = "") -> None:
        del done, total, program
        self._seen[phase] += 1
        if not self.acted and (phase, self._seen[phase]) == self._step:
            self.acted = True
            self._action()


QUIET = Progress()


def plan_of(verb: str, profile: Profile, machine: Machine, managed: ManagedRoot) -> Plan:
    """Return the plan of an apply, of a trial or of its confirmation."""
    base = make_plan(profile, machine, managed.layout, with_zipl=True)
    if verb == "trial":
        source = IplSource("ccw", "0.0.0120", chosen(Path(managed.root.base)), None)
        live = LiveFacts(RebootSettings(source))
        return plan_trial(base, profile, machine, managed.layout, live, with_zipl=True)
    if verb == "confirm":
        entry = next((each for each in machine.configuration.entries if each.is_trial), None)
        if entry is None:
            raise RefusedError("no trial to confirm")
        path, now = f"/{SETTING}", chosen(Path(managed.root.base))
        confirmation = Confirmation("1", entry.name, path if now else None, now, "")
        return plan_confirmation(base, machine, managed.layout, entry, confirmation)
    return base


def first_plan(machine: Machine, managed: ManagedRoot) -> Plan:
    """Return the plan of ``init``."""

    def device_of(path: str) -> int | None:
        status = managed.root.stat(path)
        return status.device if status is not None and status.is_directory else None

    after = partial(configuration_after, managed.root, managed.layout.sources, None)
    asked = FirstAsked(None, "root=/dev/dasda1")
    return plan_first_configuration(machine, managed.layout, asked, after, device_of)


def chosen(root: Path) -> str:
    """Return the re-IPL setting."""
    return (root / SETTING).read_text().strip()


def require_startable(root: Path, how: str, verb: str) -> None:
    """Fail unless a reboot starts an existing entry, and a change that was rolled back left no trace."""
    texts = [path.read_text() for path in (root / ENTRIES).glob("*secboot-trial.conf")]
    conf = root / "etc/zipl.conf"
    texts += [conf.read_text()] if conf.is_file() and "secboot-trial" in conf.read_text() else []
    # If somebody removed zipl.conf, the boot record is unchanged.
    assert not chosen(root) or texts or not conf.is_file(), (verb, how)
    if how == "done":
        assert bool(chosen(root)) == (verb == "trial"), (verb, how)
    elif how in {"rolled back", "refused"} and verb not in ON_A_TRIAL:
        assert not chosen(root), (verb, how)


class Site:
    def __init__(self, root: Path, script: ZiplScript) -> None:
        self.root, self._script = root, script

    def run(self, verb: str, progress: Progress = QUIET, profile: str = "guest") -> str:
        """Run a verb; return how it ended, by the name of its error, or "done"."""
        try:
            with Root(self.root) as root:
                managed = ManagedRoot(
                    root,
                    StateDirectory(root),
                    Zipl(self._script.runner, 20, progress=progress),
                    detect_layout(root),
                    {},
                    ("secboot",),
                    lambda _: None,
                    progress=progress,
                )
                if verb in {"rollback", "drop"}:
                    roll_back(managed, None, Choices())
                elif verb == "fix":
                    repair_boot_files(managed)
                elif verb == "init":
                    managed.layout.for_first_configuration()
                    apply_plan(managed, lambda found: first_plan(found, managed))
                else:
                    wanted = read_profile(profile, root)
                    apply_plan(managed, lambda found: plan_of(verb, wanted, found, managed))
        except StuckError:
            return "stuck"
        except RolledBackError:
            return "rolled back"
        except DamagedCheckpointError:
            return "damaged"
        except SecbootError:
            return "refused"
        return "done"

    def unfinished(self) -> bool:
        with Root(self.root) as root:
            store = CheckpointStore.existing(StateDirectory(root))
            if store is None:
                return False
            with store:
                return bool(store.unfinished())


def zipl_body(root: Path) -> str:
    """Write a zipl that fails once if a file exists, and otherwise writes a digest of the files.

    Like the real one, it refuses carriage returns in zipl.conf.
    """
    return (
        f'grep -q "$(printf \'\\r\')" {root}/etc/zipl.conf 2>/dev/null && [ -z "$dry" ] && exit 1;'
        f'[ -n "$dry" ] && exit 0; [ -e {root}/fail ] && {{ rm {root}/fail; exit 1; }};'
        f" cat {root}/etc/zipl.conf {root}/{ENTRIES}/*.conf 2>/dev/null | sha256sum |"
        f" cut -d' ' -f1 > {root}/{RECORD}"
    )


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Callable[[str], Site]]:
    made: list[Path] = []

    def make(name: str) -> Site:
        place = tmp_path / str(len(made))
        place.mkdir()
        made.append(place)
        root = make_sample_tree(KINDS[name], place / "root")
        script = make_zipl(place / "bin", zipl_body(root))
        return Site(root, script)

    yield make
    for place in made:
        subprocess.run(["chattr", "-R", "-i", str(place)], check=False, capture_output=True)
        shutil.rmtree(place)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "action",
    [
        pytest.param(action, marks=() if action in OFTEN else pytest.mark.fault, id=action.__name__)
        for action in ACTIONS
    ],
)
def test_whatever_others_do_at_any_step(
    action: Callable[[Path], None],
    kind: str,
    verb: str,
    sites: Callable[[str], Site],
    request: pytest.FixtureRequest,
) -> None:
    if action is make_immutable:
        require_root()
    count = fits = 0
    for step in STEPS:
        site = sites(kind)
        prepare(site, verb)
        before = (site.root / RECORD).read_text().strip()
        meddler = Meddler(step, lambda site=site: action(site.root))  # type: ignore[misc] # bound
        how = site.run(RUN.get(verb, verb), meddler)
        if not meddler.acted:
            continue
        count += 1
        where = (step, how)
        assert how != "damaged", where
        if how == "stuck":
            # Only a file that cannot be restored, or a zipl without input, ends like this.
            assert action in {make_immutable, make_directory, move_directory, remove_directory}, (
                where
            )
        assert how == "stuck" or not site.unfinished(), where
        assert how == "stuck" or temporaries(site.root) == [], where
        if how != "stuck" and action not in {move_directory, remove_directory, make_directory}:
            require_startable(site.root, how, verb)
        if how in {"done", "rolled back"} and step[0] is not Phase.TIDYING:
            # Whoever changes a file before zipl runs, or after everything, must also run zipl.
            found, recorded = boot_digest(site.root), (site.root / RECORD).read_text().strip()
            # A repair that was rolled back leaves files that zipl refuses, so the record stays.
            stays = (verb, how) == ("fix", "rolled back")
            assert recorded in {before, found} or found == NOTHING or stays, where
            fits += 1
        (site.root / "fail").unlink(missing_ok=True)
        if verb == "init" and how != "done":
            # Somebody created the file that it was to create, or removed its directory.
            assert site.run("init") in {"done", "refused"}, where
        if verb == "fix":
            fixed = site.run("fix")
            assert fixed in {"done", "refused"} or action is make_immutable, (where, fixed)
        again = site.run("apply", profile="host")
        assert again != "stuck", (where, again)
        assert not site.unfinished(), where
        assert temporaries(site.root) == [], where
        subprocess.run(["chattr", "-R", "-i", str(site.root)], check=False, capture_output=True)
        if again != "done":
            assert action in {make_directory, move_directory, remove_directory, make_immutable} or (
                kind == "zipl.conf" and action in {remove, rename}
            ), (where, again)
    request.node.user_properties.append((FAULT_CASES, count))
    assert count >= 2
    assert fits or action is make_directory


RUN = {"fail": "apply", "recovery": "rollback"}
"""The command for a verb that secboot does not have."""


def prepare(site: Site, verb: str) -> None:
    """Prepare a site for a verb."""
    (site.root / SETTING).parent.mkdir(parents=True, exist_ok=True)
    (site.root / SETTING).write_text("\n")
    (site.root / SETTING).parent.parent.joinpath("reipl_type").write_text("ccw\n")
    if verb == "init":
        forget_configuration(site.root)
    (site.root / RECORD).write_text(boot_digest(site.root) + "\n")
    if verb in {"rollback", "recovery"}:
        assert site.run("apply") == "done"
    if verb in ON_A_TRIAL:
        assert site.run("trial") == "done"
    if verb == "fix":
        for path in {site.root / "etc/zipl.conf", victim(site.root)}:
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    if verb == "recovery":
        cut_journal(site.root / "var/lib/secboot/checkpoints/1", 2)
    if verb == "fail":
        (site.root / "fail").touch()


def forget_configuration(root: Path) -> None:
    """Leave two kernels, with the links of Debian's packages."""
    for path in (root / "etc/zipl.conf", *(root / ENTRIES).glob("*.conf")):
        path.unlink()
    distribution = "rhel" if (root / ENTRIES).is_dir() else "debian"
    (root / "etc/os-release").write_text(f'ID={distribution}\nVERSION_ID="9.4"\n')
    (root / "etc/machine-id").write_text(f"{MACHINE_ID}\n")
    for number, suffix in enumerate((".old", "")):
        release = f"6.1.0-{number}-s390x"
        (root / f"boot/vmlinuz-{release}").write_bytes(plain_kernel(2**17, 4096))
        for link in (root / f"boot/vmlinuz{suffix}", root / f"boot/initrd.img{suffix}"):
            link.unlink(missing_ok=True)
        for name in (f"boot/initrd.img-{release}", f"boot/initramfs-{release}.img"):
            (root / name).write_bytes(b"ramdisk")
        (root / f"boot/vmlinuz{suffix}").symlink_to(f"vmlinuz-{release}")
        (root / f"boot/initrd.img{suffix}").symlink_to(f"initrd.img-{release}")


LOOP = """
import os, sys, time
from pathlib import Path
entries = Path(sys.argv[1])
model = sorted(entries.glob("7fe4*.conf"))[0].read_text()
for number in range(10**9):
    name = entries / f"other-{number % 7}.conf"
    text = model.replace("title ", f"title {number} ")
    if number % 3 == 0:
        name.write_text(text)
    elif number % 3 == 1:
        (entries / "other.new").write_text(text)
        (entries / "other.new").replace(name)
    else:
        name.unlink(missing_ok=True)
    time.sleep(0.003)
"""


@pytest.mark.parametrize(
    "seconds", [3, pytest.param(15, marks=pytest.mark.fault)], ids=["short", "long"]
)
def test_entries_that_come_and_go_all_the_time(
    seconds: int, sites: Callable[[str], Site], request: pytest.FixtureRequest
) -> None:
    # On a slow machine every attempt is refused, with nothing changed.
    site = sites("BLS")
    loop = subprocess.Popen([sys.executable, "-c", LOOP, str(site.root / ENTRIES)])
    ends = Counter[str]()
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for verb, profile in (("apply", "guest"), ("apply", "host"), ("rollback", "")):
                ends[site.run(verb, profile=profile)] += 1
                assert not site.unfinished()
    finally:
        loop.kill()
        loop.wait()

    assert ends["stuck"] == ends["damaged"] == 0, ends
    for path in (site.root / ENTRIES).glob("other*"):
        # The last one may have been interrupted.
        path.unlink()
    assert site.run("apply", profile="host") == "done"
    assert temporaries(site.root) == []
    assert (site.root / RECORD).read_text().strip() == boot_digest(site.root)
    request.node.user_properties.append((FAULT_CASES, ends.total()))


REMOVED = f"{MACHINE_ID}-4.18.0-147.el8.s390x+debug.conf"
EDITED = f"{MACHINE_ID}-4.18.0-147.el8.s390x.conf"
PLUGIN = "/usr/lib/kernel/install.d/90-loaderentry.install"


def body_with(root: Path, command: str) -> str:
    """Return a zipl that runs a command during its first run."""
    once = root.parent / "once"
    meanwhile = f'[ -n "$dry" ] || [ -e {once} ] || {{ touch {once}; {command}; }}'
    return f"{meanwhile}\n{zipl_body(root)}"


def test_a_kernel_that_kernel_install_removes_while_zipl_runs(tmp_path: Path) -> None:
    """The real kernel-install, with the plug-in of systemd that removes the boot entry."""
    if not Path(PLUGIN).exists() or shutil.which("kernel-install") is None:
        unavailable("kernel-install and its plug-ins are not installed")
    root = make_sample_tree("rhel8", tmp_path / "root")
    (tmp_path / "install.conf").write_text("layout=bls\n")
    (tmp_path / "entry-token").write_text(f"{MACHINE_ID}\n")
    environment = (
        f"BOOT_ROOT={root}/boot MACHINE_ID={MACHINE_ID} KERNEL_INSTALL_CONF_ROOT={tmp_path}"
        f" KERNEL_INSTALL_PLUGINS={PLUGIN}"
    )
    remove_kernel = f"env {environment} kernel-install remove 4.18.0-147.el8.s390x+debug"
    script = make_zipl(tmp_path / "bin", body_with(root, f"{remove_kernel} > {tmp_path}/log 2>&1"))
    site = Site(root, script)

    assert site.run("apply") == "done"

    assert (tmp_path / "once").exists()
    assert not (root / ENTRIES / REMOVED).exists(), (tmp_path / "log").read_text()
    assert "swiotlb=262144" in (root / ENTRIES / EDITED).read_text()
    assert temporaries(root) == []
    # It ran again, so that the boot record does not contain the removed entry.
    assert len([call for call in script.calls if "--dry-run" not in call]) == 2
    assert (root / RECORD).read_text().strip() == boot_digest(root)
    assert site.run("apply", profile="host") == "done"
    assert site.run("rollback") == "done"


@pytest.mark.parametrize(
    "editor",
    [
        "printf '$a\\n# mine\\n.\\nw\\nq\\n' | ed -s FILE",
        r"vim.tiny -N -u NONE -i NONE -es -c '$s/$/\r# mine/' -c wq FILE",
        "sed -i '$a # mine' FILE",
    ],
    ids=["ed", "vim", "sed"],
)
def test_an_editor_that_saves_while_zipl_runs(editor: str, tmp_path: Path) -> None:
    if shutil.which(editor.rpartition(" | ")[2].split()[0]) is None:
        unavailable("this editor is not installed")
    root = make_sample_tree("rhel8", tmp_path / "root")
    file = root / ENTRIES / EDITED
    command = editor.replace("FILE", f"'{file}'")
    script = make_zipl(tmp_path / "bin", body_with(root, f"{command} > {tmp_path}/log 2>&1"))
    site = Site(root, script)

    assert site.run("apply") == "done"

    text = file.read_text()
    assert "# mine" in text, (tmp_path / "log").read_text()
    assert "swiotlb=262144" in text
    assert temporaries(root) == []
    assert (root / RECORD).read_text().strip() == boot_digest(root)
    assert site.run("rollback") == "refused"
    assert file.read_text() == text
