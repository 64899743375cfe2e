from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from secboot.checkpoint.access import HeldInterrupts
from secboot.system.programs import (
    ProgramError,
    SystemRunner,
)

LONG = 60.0


@pytest.fixture
def runner() -> SystemRunner:
    return SystemRunner(output_limit=1000)


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def is_running(pid: int) -> bool:
    """Whether it runs and continues to: a killed process takes a moment to end."""
    deadline = time.monotonic() + 5
    while found := _is_running(pid):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return found


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_outputs_and_status(runner: SystemRunner) -> None:
    result = runner.run(("sh", "-c", "echo out; echo err >&2; exit 3"), timeout=LONG)

    assert (result.stdout, result.stderr, result.status) == ("out\n", "err\n", 3)
    assert not result.succeeded
    assert "left out" not in result.stdout
    assert result.argv[0] == "sh"
    assert 0 < result.duration < LONG


def test_a_signal_is_a_status(runner: SystemRunner) -> None:
    assert runner.run(("sh", "-c", "kill -9 $$"), timeout=LONG).status == -signal.SIGKILL


def test_what_a_program_gets(
    runner: SystemRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.setenv("ZIPLCONF", "/elsewhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    show = "env | sort; pwd; cat; ps -o sid= -p $$ 2>/dev/null || true"

    result = runner.run(("sh", "-c", show), timeout=LONG, environment={"EXTRA": "1"})

    assert "LC_ALL=C\n" in result.stdout
    assert "EXTRA=1\n" in result.stdout
    assert "LANG" not in result.stdout
    assert "ZIPLCONF" not in result.stdout
    assert str(tmp_path) not in result.stdout


def test_programs_are_not_looked_for_in_the_callers_path(
    runner: SystemRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script(tmp_path / "zipl-of-a-stranger", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert runner.find("zipl-of-a-stranger") is None
    assert SystemRunner((str(tmp_path),)).find("zipl-of-a-stranger") is not None


def test_bytes_that_are_no_text(runner: SystemRunner) -> None:
    result = runner.run(("printf", r"\377\033[2J"), timeout=LONG)

    assert result.stdout.encode("utf-8", "surrogateescape") == b"\xff\x1b[2J"


def test_megabytes_are_read_and_the_middle_dropped(runner: SystemRunner) -> None:
    result = runner.run(("sh", "-c", "echo first; yes | head -c 5000000; echo last"), timeout=LONG)

    assert "bytes left out" in result.stdout
    assert result.succeeded
    assert len(result.stdout) < 1100
    assert result.stdout.startswith("first\ny\n")
    assert "bytes left out" in result.stdout
    assert result.stdout.endswith("y\nlast\n")


def test_a_missing_program(runner: SystemRunner) -> None:
    with pytest.raises(ProgramError, match="zipl-that-is-not: command not found") as caught:
        runner.run(("zipl-that-is-not",), timeout=LONG)
    assert caught.value.hint is not None
    assert "/usr/sbin" in caught.value.hint
    with pytest.raises(ProgramError, match="command not found"):
        runner.run(("/no/such/program",), timeout=LONG)


def test_a_program_that_can_not_be_executed(runner: SystemRunner, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("no program")
    (tmp_path / "rubbish").write_bytes(b"\x7fELF rubbish")
    (tmp_path / "rubbish").chmod(0o755)
    (tmp_path / "lost").write_text("#!/no/such/interpreter\n")
    (tmp_path / "lost").chmod(0o755)

    for name in ("plain", "rubbish", "lost"):
        with pytest.raises(ProgramError, match=r"not an executable|cannot be started"):
            runner.run((str(tmp_path / name),), timeout=LONG)
    with pytest.raises(ProgramError, match="NUL"):
        runner.run(("sh", "-c", "a\0b"), timeout=LONG)


def test_a_program_that_hangs_is_ended_with_all_that_it_started(
    runner: SystemRunner, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    hangs = f"sleep 1000 & echo $! >> {pids}; echo $$ >> {pids}; wait"

    with pytest.raises(ProgramError, match=r"timed out after 0\.5 s and was killed"):
        runner.run(("sh", "-c", hangs), timeout=0.5)

    assert not any(is_running(int(pid)) for pid in pids.read_text().split())


@pytest.mark.fault
def test_a_program_that_ignores_the_polite_signal_is_killed(
    runner: SystemRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secboot.system.programs._GRACE", 0.2)
    pid = tmp_path / "pid"

    with pytest.raises(ProgramError, match="timed out after"):
        runner.run(
            ("sh", "-c", f"trap '' TERM; echo $$ > {pid}; while :; do sleep 1; done"), timeout=0.5
        )

    assert not is_running(int(pid.read_text()))


def test_a_program_that_closes_its_outputs_and_hangs(runner: SystemRunner) -> None:
    with pytest.raises(ProgramError, match="timed out after"):
        runner.run(("sh", "-c", "exec >&- 2>&-; exec sleep 1000"), timeout=0.3)


def test_a_daemon_left_behind_is_not_waited_for(runner: SystemRunner, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()

    result = runner.run(("sh", "-c", f"sleep 1000 & echo $! > {pid}; echo done"), timeout=LONG)

    assert result.stdout == "done\n"
    assert time.monotonic() - started < 10
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_an_inherited_file_stays_open(runner: SystemRunner, tmp_path: Path) -> None:
    file = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    try:
        ask = f"test -e /proc/self/fd/{file} && echo kept"
        kept = runner.run(("sh", "-c", ask), timeout=LONG, inherited=(file,))
        closed = runner.run(("sh", "-c", ask), timeout=LONG)
    finally:
        os.close(file)

    assert kept.stdout == "kept\n"
    assert closed.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_program(runner: SystemRunner, number: signal.Signals) -> None:
    notices: list[str] = []
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), number))
    with HeldInterrupts(notices.append) as interrupts:
        timer.start()
        result = runner.run(("sh", "-c", "sleep 0.6; echo whole"), timeout=LONG)
        timer.join()
        assert interrupts.pending == number

    assert result.stdout == "whole\n"
    assert len(notices) == 1


def test_an_interrupt_that_nobody_holds_back_ends_the_program(
    runner: SystemRunner, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    timer = threading.Timer(0.4, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()

    with pytest.raises(KeyboardInterrupt):
        runner.run(("sh", "-c", f"echo $$ > {pid}; exec sleep 1000"), timeout=LONG)

    assert not is_running(int(pid.read_text()))
