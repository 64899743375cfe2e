"""``--ask`` on a real terminal: the answer is for the plan shown above the question."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from secboot.cli import main
from secboot.demo import write_sample
from tests.checkpoint.scenes import cut_journal
from tests.command import secboot
from tests.terminal import Terminal, terminal
from tests.trees import snapshot

ENTRIES = "boot/loader/entries"
CURRENT = "5.14.0-427.13.1.el9_4.s390x"
QUESTION = r"\[y/N\] "
SECBOOT = "import sys; from secboot.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass
class Conversation:
    """A command that asks, and the terminal on which it does."""

    on: Terminal
    process: subprocess.Popen[bytes]

    def answer(self, keys: bytes) -> None:
        self.on.read_until(QUESTION)
        self.on.type(keys)

    def answer_again(self, keys: bytes) -> None:
        """The same for a question about another plan, after whatever was read before."""
        self.on.read_until(rf"This is the plan now[\s\S]*{QUESTION}")
        self.on.type(keys)

    def end(self) -> tuple[int, str]:
        text = self.on.read_all()
        return self.process.wait(), text.replace("\r\n", "\n")


@contextmanager
def asking(*words: object) -> Iterator[Conversation]:
    """Start a command in the foreground of its own terminal, with all three streams on it."""
    with terminal() as opened:
        argv = ["setsid", "--ctty", "--wait", sys.executable, "-c", SECBOOT, *map(str, words)]
        environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
        file = opened.file
        with subprocess.Popen(
            argv, env=environment, stdin=file, stdout=file, stderr=file
        ) as process:
            try:
                yield Conversation(opened, process)
            finally:
                process.kill()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_sample(tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture
def changed(root: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert secboot(capsys, "apply", "host", "--root", root).code == 0
    return root


@pytest.mark.parametrize("answer", [b"y\n", b"yes\n", b" Y \n", b"YES\n"])
def test_yes_follows_the_plan_that_was_shown(root: Path, answer: bytes) -> None:
    with asking("apply", "host", "--ask", "--diff", "--root", root) as said:
        said.answer(answer)
        code, text = said.end()

    assert code == 0
    assert text.count("+options root=") == 3
    assert text.count("Plan: 3 boot entries to change") == 1
    assert "Wrote 4 files." in text.partition("Apply this plan?")[2]


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"yess\n", b"\x04", b"\xff\n", b"y" * 2000])
def test_anything_else_changes_nothing(root: Path, answer: bytes) -> None:
    before = snapshot(root)

    with asking("apply", "host", "--ask", "--root", root) as said:
        said.answer(answer if len(answer) < 100 else answer + b"\n")
        code, text = said.end()

    assert code == 1
    assert text.endswith("Not confirmed: nothing was changed.\n")
    assert snapshot(root) == before


@pytest.mark.parametrize("words", [("apply", "guest"), ("rollback",)], ids=" ".join)
def test_an_interrupt_at_the_question_changes_nothing(
    changed: Path, words: tuple[str, ...]
) -> None:
    before = snapshot(changed)

    with asking(*words, "--ask", "--root", changed) as said:
        said.answer(b"\x03")
        code, text = said.end()

    assert code == 130
    assert text.endswith("secboot: interrupted\nNothing was changed.\n")
    assert snapshot(changed) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_question_changes_nothing(root: Path, number: signal.Signals) -> None:
    before = snapshot(root)

    with asking("apply", "host", "--ask", "--root", root) as said:
        said.on.read_until(QUESTION)
        said.process.send_signal(number)
        code, _ = said.end()

    assert code == -number
    assert snapshot(root) == before


def test_what_was_typed_before_the_question_is_not_an_answer(root: Path) -> None:
    before = snapshot(root)

    with asking("apply", "host", "--ask", "--root", root) as said:
        said.on.type(b"y\ny\n")
        said.answer(b"n\n")
        code, _ = said.end()

    assert code == 1
    assert snapshot(root) == before


def test_another_plan_is_asked_about_again(root: Path) -> None:
    """Another program adds the parameter to the entry while the question is open."""
    (entry,) = (root / ENTRIES).glob(f"*{CURRENT}.conf")

    with asking("apply", "host", "--ask", "--root", root) as said:
        said.on.read_until(QUESTION)
        entry.write_text(entry.read_text().replace("crashkernel", "prot_virt=1 crashkernel"))
        said.on.type(b"y\n")
        said.answer_again(b"y\n")
        code, text = said.end()

    first, _, second = text.partition("This is the plan now")
    assert code == 0
    assert "4 files to write" in first
    assert "Wrote" not in first
    assert "Wrote 3 files." in second


def test_no_to_the_second_plan_leaves_what_is_there(root: Path) -> None:
    (entry,) = (root / ENTRIES).glob(f"*{CURRENT}.conf")

    with asking("apply", "host", "--ask", "--root", root) as said:
        said.on.read_until(QUESTION)
        entry.write_text(entry.read_text().replace("crashkernel", "quiet crashkernel"))
        before = {p: c for p, c in snapshot(root).items() if "var" not in Path(p).parts}
        said.on.type(b"y\n")
        said.answer_again(b"n\n")
        code, text = said.end()

    assert code == 1
    assert text.endswith("nothing of this plan was done.\n")
    assert {p: c for p, c in snapshot(root).items() if "var" not in Path(p).parts} == before


def test_others_can_work_while_the_question_stands(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with asking("apply", "host", "--ask", "--root", root) as said:
        said.on.read_until(QUESTION)
        assert secboot(capsys, "apply", "host", "--root", root).code == 0
        said.on.type(b"y\n")
        code, text = said.end()

    # The new plan has nothing to do, so no question is asked.
    assert code == 0
    assert text.count("[y/N]") == 1
    assert "Boot record not updated" in text


def test_a_rollback_shows_its_plan_and_asks(changed: Path) -> None:
    with asking("rollback", "--ask", "--root", changed) as said:
        said.answer(b"y\n")
        code, text = said.end()

    shown, _, done = text.partition("Roll back?")
    assert code == 0
    assert "Rollback: 4 files to restore." in shown
    assert "Restore 4 files: - prot_virt=1" in shown
    assert "Restored the state before checkpoint 1." in done
    assert "to restore" not in done


def test_a_rollback_of_files_edited_meanwhile_is_refused(changed: Path) -> None:
    (entry,) = (changed / ENTRIES).glob(f"*{CURRENT}.conf")

    with asking("rollback", "--ask", "--root", changed) as said:
        said.on.read_until(QUESTION)
        entry.write_text(entry.read_text() + "# mine\n")
        said.on.type(b"y\n")
        code, text = said.end()

    assert code == 1
    assert "error: changed since checkpoint 1" in text
    assert "prot_virt=1" in entry.read_text()


def test_an_interrupted_change_is_rolled_back_and_the_question_is_asked_again(
    changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert secboot(capsys, "apply", "guest", "--root", changed).code == 0
    cut_journal(changed / "var/lib/secboot/checkpoints/2", 1)

    with asking("apply", "guest", "--ask", "--root", changed) as said:
        said.answer(b"y\n")
        said.answer_again(b"y\n")
        code, text = said.end()

    assert code == 0, text
    first, second = text.partition("This is the plan now")[::2]
    assert "the change of checkpoint 2 is unfinished" in first
    assert "an earlier change (2) was interrupted and has been rolled back" in first
    assert "Wrote 4 files." in second


@pytest.mark.parametrize("words", [("apply", "guest"), ("rollback",)], ids=" ".join)
@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_without_a_terminal_nothing_is_asked_and_nothing_done(
    changed: Path, words: tuple[str, ...], stream: str
) -> None:
    before = snapshot(changed)
    argv = [sys.executable, "-c", SECBOOT, *words, "--ask", "--root", str(changed)]
    with (
        terminal() as opened,
        subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if stream == "stdin" else opened.file,
            stdout=subprocess.PIPE if stream == "stdout" else opened.file,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        _, err = process.communicate("y\n" if stream == "stdin" else None, timeout=30)

    what = {"stdin": "input", "stdout": "output"}[stream]
    assert process.returncode == 1
    assert f"--ask needs a terminal, but standard {what} is not one\n" in err
    assert "--yes" in err
    assert err.endswith("\nNothing was changed.\n")
    assert snapshot(changed) == before


def test_a_closed_input_is_not_a_terminal(changed: Path) -> None:
    command = f'exec "{sys.executable}" -c "{SECBOOT}" apply guest --ask --root "$0" <&-'
    with terminal() as opened:
        done = subprocess.run(
            ["sh", "-c", command, str(changed)],
            stdout=opened.file,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (done.returncode, "input is not one" in done.stderr) == (1, True)


def test_there_is_no_question_for_programs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "apply", "host", "--ask", "--output", "json", "--root", root)

    assert said.code == 2
    assert "--ask and --output json cannot be combined" in said.err


def test_there_is_no_question_without_the_plan(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, "--quiet", "apply", "host", "--ask", "--root", root)

    assert said.code == 2
    assert "--ask and --quiet cannot be combined" in said.err


@pytest.mark.parametrize("words", [("--yes",), ("-y",), ("--ask", "--yes")], ids=" ".join)
def test_yes_is_what_happens_anyway(
    root: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Users with an alias that has --ask can override it."""
    said = secboot(capsys, "apply", "host", *words, "--root", root)
    assert (said.code, said.err) == (0, "")
    assert main(["rollback", *words, "--root", str(root)]) == 0
    assert main(["rollback", "--dry-run", *words, "--root", str(root)]) == 1


def test_where_nothing_is_to_be_done_nothing_is_asked(changed: Path) -> None:
    with asking("apply", "host", "--ask", "--root", changed) as said:
        code, text = said.end()

    assert code == 0
    assert "[y/N]" not in text
