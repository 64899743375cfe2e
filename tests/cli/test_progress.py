"""Progress as users see it: the real command on a real terminal, in a pipe, and interrupted.

Nothing here depends on time: zipl runs until the test has seen what it waits for.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from secboot.demo import write_sample
from tests.terminal import Terminal, screen, start, terminal

COMMAND = """
import sys
from secboot.cli import main
from secboot.system import programs as runner
SystemRunner = runner.SystemRunner
runner.SystemRunner = lambda: SystemRunner((sys.argv[1], "/usr/bin", "/bin"))
sys.exit(main(sys.argv[2:]))
"""
"""secboot, with a chroot(8) of the test's own."""
CHROOT = """#!/bin/sh
case "$*" in *--dry-run*) exit 0;; esac
until [ -e '{go}' ]; do sleep 0.02; done
exec {end}
"""
SLOW = """#!/bin/sh
case "$*" in *--dry-run*) ;; *) sleep 1.3;; esac
"""
"""For tests that nothing is shown: there is nothing to wait for, so zipl just runs longer than that."""


@dataclass(frozen=True)
class Site:
    """A machine with a zipl that runs until the test ends it."""

    directory: Path

    @property
    def root(self) -> Path:
        return self.directory / "root"

    def end_zipl(self) -> None:
        (self.directory / "go").touch()

    def command(self, *words: str) -> list[str]:
        return [
            sys.executable,
            "-c",
            COMMAND,
            str(self.directory),
            *words,
            "--root",
            str(self.root),
        ]


def make_site(directory: Path, end: str = "true") -> Site:
    site = Site(directory)
    write_sample(site.root)
    zipl = site.root / "usr/sbin/zipl"
    zipl.parent.mkdir(parents=True, exist_ok=True)
    zipl.write_text("#!/bin/sh\n")
    zipl.chmod(0o755)
    chroot = directory / "chroot"
    chroot.write_text(CHROOT.format(go=directory / "go", end=end))
    chroot.chmod(0o755)
    return site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


def environment(term: str | None = "xterm") -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "TERM"}
    kept["PYTHONPATH"] = str(Path(__file__).parents[2])
    return kept if term is None else kept | {"TERM": term}


def ended(program: subprocess.Popen[str], opened: Terminal) -> tuple[str, str, int]:
    """Return its standard output, everything on the terminal, and the exit code."""
    opened.leave()
    out, _ = program.communicate(timeout=60)
    return out, opened.read_all(), program.returncode


APPLY = ("apply", "guest", "--zipl")


def test_a_long_run_of_zipl_is_shown_with_its_seconds_and_erased(site: Site) -> None:
    with terminal() as opened:
        program = start(opened, site.command(*APPLY), environment())
        opened.read_until(r"\rsecboot: running zipl, 1 s\x1b\[K")
        opened.read_until(r"\rsecboot: running zipl, 2 s\x1b\[K")
        site.end_zipl()
        out, seen, code = ended(program, opened)

    assert screen(seen) == []
    assert code == 0
    assert "zipl wrote the boot record" in out


def test_into_a_pipe_goes_not_one_byte_more(site: Site) -> None:
    (site.directory / "chroot").write_text(SLOW)
    done = subprocess.run(
        site.command(*APPLY), capture_output=True, env=environment(), text=True, check=True
    )

    assert done.stderr == ""
    assert "\x1b" not in done.stdout


def test_standard_output_is_the_same_with_progress_and_without(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    shown, silent = (make_site(tmp_path_factory.mktemp("site")) for _ in range(2))
    with terminal() as opened:
        program = start(opened, shown.command(*APPLY), environment())
        opened.read_until("running zipl")
        shown.end_zipl()
        with_progress, _, _ = ended(program, opened)
    silent.end_zipl()
    done = subprocess.run(
        silent.command(*APPLY), capture_output=True, env=environment(), text=True, check=True
    )

    assert with_progress.replace(str(shown.root), "ROOT") == done.stdout.replace(
        str(silent.root), "ROOT"
    )


@pytest.mark.parametrize("term", ["dumb", "ibm327x", None])
def test_a_terminal_that_can_not_erase_gets_nothing(site: Site, term: str | None) -> None:
    assert _seen_while_zipl_is_slow(site, *APPLY, term=term) == ""


def test_with_output_for_programs_there_is_no_progress(site: Site) -> None:
    assert _seen_while_zipl_is_slow(site, *APPLY, "--output", "json", term="xterm") == ""


def _seen_while_zipl_is_slow(site: Site, *words: str, term: str | None) -> str:
    """Return the terminal output of a command whose zipl takes longer than the delay."""
    (site.directory / "chroot").write_text(SLOW)
    with terminal() as opened:
        program = start(opened, site.command(*words), environment(term))
        _, seen, code = ended(program, opened)
    assert code == 0
    return seen


def test_an_interrupt_is_answered_at_once_on_a_clean_line_and_zipl_is_waited_for(
    site: Site,
) -> None:
    with terminal() as opened:
        program = start(opened, site.command(*APPLY), environment())
        opened.read_until("running zipl, 1 s")
        opened.type(b"\x03")
        opened.read_until("safe point")
        opened.read_until(r"running zipl, \d+ s")
        site.end_zipl()
        _, seen, code = ended(program, opened)

    assert code == 130
    assert screen(seen) == [
        "secboot: SIGINT: stopping at the next safe point",
        "secboot: interrupted (SIGINT)",
        "All files are restored and zipl has run on them: the machine is as before.",
    ]


def test_an_interrupt_where_nothing_is_held_back_leaves_a_clean_line(site: Site) -> None:
    hang = COMMAND.replace(
        "sys.exit(",
        "import time, secboot.plan.planner as planner\n"
        "planner.make_plan = lambda *_, **__: time.sleep(600)\n"
        "sys.exit(",
    )
    argv = [hang if word == COMMAND else word for word in site.command("plan", "guest")]
    with terminal() as opened:
        program = start(opened, argv, environment())
        opened.read_until("preparing the plan")
        opened.type(b"\x03")
        _, seen, code = ended(program, opened)

    assert code == 130
    assert screen(seen) == ["secboot: interrupted"]


def test_an_error_stands_where_the_line_was(tmp_path: Path) -> None:
    site = make_site(tmp_path, end="false")
    with terminal() as opened:
        program = start(opened, site.command(*APPLY), environment())
        opened.read_until("running zipl, 1 s")
        site.end_zipl()
        _, seen, code = ended(program, opened)

    assert code == 4  # zipl also fails on the old files
    assert screen(seen)[0].startswith("secboot: error: ROLLBACK FAILED: zipl")


def test_a_lock_that_is_taken_is_reported_at_once_and_not_waited_for(site: Site) -> None:
    site.end_zipl()
    state = site.root / "var/lib/secboot"
    state.mkdir(parents=True, mode=0o700)
    with (state / "lock").open("w") as lock, terminal() as opened:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = start(opened, site.command(*APPLY), environment())
        _, seen, code = ended(program, opened)

    assert code == 1
    assert screen(seen)[0].startswith("secboot: error: another secboot is running")


def test_in_the_background_nothing_is_written_to_the_terminal(site: Site) -> None:
    behind = ["sh", "-mc", '"$@" & wait', "sh", *site.command(*APPLY)]
    (site.directory / "chroot").write_text(SLOW)
    with terminal() as opened:
        program = start(opened, behind, environment())
        out, seen, _ = ended(program, opened)

    assert "zipl wrote the boot record" in out
    assert "secboot:" not in seen


@pytest.mark.parametrize("words", [("show",), ("check",), ("plan", "guest"), ("status", "guest")])
def test_what_only_looks_leaves_nothing_on_the_terminal_either(
    site: Site, words: tuple[str, ...]
) -> None:
    with terminal() as opened:
        program = start(opened, site.command(*words), environment())
        out, seen, code = ended(program, opened)

    assert code == 0
    assert out
    assert screen(seen) == []
