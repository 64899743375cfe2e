"""The progress line: when it appears, its text, and how it is erased; with a clock that stands still."""

from __future__ import annotations

import os
import termios
import threading
from dataclasses import dataclass, field

import pytest

from secboot.cli.progress_line import DELAY, ProgressLine, Screen, progress_text
from secboot.progress import Phase
from tests.terminal import LIMIT, screen, terminal


@dataclass
class Paper:
    """A surface that keeps all that is written to it, and a clock."""

    columns: int = 80
    ready: bool = True
    now: float = 100.0
    written: list[str] = field(default_factory=list)

    def write(self, text: str, *, must: bool = False) -> bool:
        if must or self.ready:
            self.written.append(text)
        return must or self.ready

    def line(self) -> ProgressLine:
        return ProgressLine(self, lambda: self.now)

    @property
    def shown(self) -> list[str]:
        return screen("".join(self.written))


def test_nothing_is_shown_before_a_second_has_passed() -> None:
    paper = Paper()
    line = paper.line()
    line.report(Phase.READING, 5, 10)

    paper.now += DELAY - 0.01
    line.update()
    assert paper.written == []

    paper.now += 0.02
    line.update()
    assert paper.shown == ["secboot: reading 5 of 10 boot entries"]


def test_nothing_is_shown_while_nothing_is_reported() -> None:
    paper = Paper()
    line = paper.line()

    paper.now += 60
    line.update()

    assert paper.written == []


def test_the_line_is_only_written_again_if_it_has_changed() -> None:
    paper = Paper(now=0)
    line = paper.line()
    paper.now = DELAY
    line.report(Phase.WRITING, 1_500, 3_000)
    line.update()
    line.update()
    assert len(paper.written) == 1

    line.report(Phase.WRITING, 1_501, 3_000)
    line.update()
    assert len(paper.written) == 2
    assert paper.shown == ["secboot: writing 1,501 of 3,000 files"]


def test_a_shorter_line_leaves_nothing_of_a_longer_one() -> None:
    paper = Paper(now=0)
    line = paper.line()
    paper.now = DELAY
    line.report(Phase.COPYING, 10_000, 10_000)
    line.update()
    line.report(Phase.RUNNING, program="zipl")
    line.update()

    assert paper.shown == ["secboot: running zipl"]


def test_seconds_are_those_of_the_step_and_restart_with_the_next() -> None:
    paper = Paper(now=0)
    line = paper.line()
    said = []
    for program in ("grub2-mkconfig", "grub2-zipl-setup"):
        line.report(Phase.RUNNING, program=program)
        for _ in range(3):
            paper.now += 1
            line.update()
            said += paper.shown

    assert said == [
        "secboot: running grub2-mkconfig, 1 s",
        "secboot: running grub2-mkconfig, 2 s",
        "secboot: running grub2-mkconfig, 3 s",
        "secboot: running grub2-zipl-setup, 1 s",
        "secboot: running grub2-zipl-setup, 2 s",
        "secboot: running grub2-zipl-setup, 3 s",
    ]


def test_a_step_that_is_reported_again_continues_to_count_its_seconds() -> None:
    paper = Paper(now=0)
    line = paper.line()
    line.report(Phase.PLANNING)
    paper.now = 5
    line.report(Phase.PLANNING)
    line.update()

    assert paper.shown == ["secboot: preparing the plan, 5 s"]


@pytest.mark.parametrize("columns", [1, 2, 3, 10, 20, 38, 40])
def test_the_line_is_cut_so_that_it_and_what_a_key_echoes_fit_the_terminal(columns: int) -> None:
    paper = Paper(columns=columns, now=0)
    line = paper.line()
    paper.now = DELAY
    line.report(Phase.WRITING, 1_500, 3_000)
    line.update()

    whole = "secboot: writing 1,500 of 3,000 files"
    assert paper.shown == ([whole[: columns - 3].rstrip()] if columns > 3 else [])


def test_output_meanwhile_is_on_its_own_line_and_the_progress_line_comes_back() -> None:
    paper = Paper(now=0)
    line = paper.line()
    paper.now = DELAY
    line.report(Phase.RUNNING, program="zipl")
    line.update()

    with line.hidden():
        assert paper.shown == []
        paper.write("a notice\n")
        with line.hidden():  # as a signal handler would, in the middle of an update
            paper.write("another\n")
    line.update()

    assert paper.shown == ["a notice", "another", "secboot: running zipl"]


def test_hiding_writes_nothing_where_nothing_is_shown() -> None:
    paper = Paper()
    with paper.line().hidden():
        pass

    assert paper.written == []


def test_a_terminal_that_is_not_ready_is_written_to_when_it_is() -> None:
    paper = Paper(now=0, ready=False)
    line = paper.line()
    paper.now = DELAY
    line.report(Phase.PLANNING)
    line.update()
    assert paper.written == []

    paper.ready = True
    line.update()
    assert paper.shown == ["secboot: preparing the plan"]


def test_at_the_end_the_line_is_gone_whatever_ended_it() -> None:
    paper = Paper(now=0)
    line = paper.line()

    def work() -> None:
        with line:
            paper.now = DELAY
            line.report(Phase.PLANNING)
            line.update()
            assert paper.shown
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()

    assert paper.shown == []


def test_a_screen_is_as_wide_as_its_terminal() -> None:
    with terminal(columns=43) as opened:
        assert Screen(opened.file).columns == 43
    with terminal(columns=0) as opened:
        assert Screen(opened.file).columns == 80


def test_a_screen_is_not_waited_for_when_it_was_stopped() -> None:
    with terminal() as opened:
        stopped = Screen(opened.file)
        assert stopped.write("one")

        written: list[bool] = []
        writer = threading.Thread(target=lambda: written.append(stopped.write("two")))
        termios.tcflow(opened.file, termios.TCOOFF)  # as Ctrl-S does
        writer.start()
        writer.join(LIMIT)
        termios.tcflow(opened.file, termios.TCOON)
        assert written == [False]

        assert stopped.write("three")
        assert opened.read_all() == "onethree"


def test_a_screen_that_is_gone_is_not_an_error() -> None:
    master, file = os.openpty()
    os.close(master)
    try:
        assert not Screen(file).write("text")
        assert not Screen(file).write("text", must=True)
    finally:
        os.close(file)


@pytest.mark.parametrize(
    ("phase", "done", "total", "text"),
    [
        (Phase.READING, 3120, 10000, "reading 3,120 of 10,000 boot entries"),
        (Phase.READING_AGAIN, 1, 2, "rereading 1 of 2 boot entries"),
        (Phase.COPYING, 9, 10, "copying 9 of 10 boot entries for zipl to check"),
        (Phase.WRITING, 999, 1000, "writing 999 of 1,000 files"),
        (Phase.RESTORING, 4, 5, "restoring 4 of 5 old files"),
    ],
)
def test_a_phase_that_counts_says_how_far_it_is(
    phase: Phase, done: int, total: int, text: str
) -> None:
    assert progress_text(phase, done, total, "", 7) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "running zipl"), (1, "running zipl, 1 s"), (75, "running zipl, 75 s")]
)
def test_a_program_is_named_with_the_seconds_that_it_has_run(seconds: int, text: str) -> None:
    assert progress_text(Phase.RUNNING, 0, 0, "zipl", seconds) == text


def test_a_phase_without_a_count_tells_its_seconds() -> None:
    assert progress_text(Phase.PLANNING, 0, 0, "", 0) == "preparing the plan"
    assert progress_text(Phase.PLANNING, 0, 0, "", 3) == "preparing the plan, 3 s"


def test_there_are_different_words_for_every_phase_counted_or_not() -> None:
    texts = {progress_text(s, done, 2 * done, "zipl", 0) for s in Phase for done in (0, 1)}

    assert len(texts) == 2 * len(Phase) - 1  # a program has no count
    assert all(len(text) < 70 for text in texts)
