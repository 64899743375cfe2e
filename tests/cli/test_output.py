"""The exit code is about the machine, whatever happens to the output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.processes import clean_environment
from tests.checkpoint.tracing import require_strace
from tests.command import secboot
from tests.trees import make_sample_tree, sealed_image, snapshot

ROOT = Path(__file__).parents[2]


def shell(script: str, directory: Path) -> tuple[int, str]:
    """Run a line of bash, in which $S is secboot; return its exit code and standard error."""
    program = f'"{sys.executable}" -m secboot'
    done = subprocess.run(
        ["bash", "-c", script.replace("$S", program)],
        cwd=directory,
        env={**clean_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_sample_tree("rhel8", tmp_path / "m")


def changed(root: Path) -> bool:
    return any(b"swiotlb=262144" in data for data in map(read, root.rglob("*.conf")))


def read(path: Path) -> bytes:
    return path.read_bytes()


BEFORE = {
    "closed": ("$S apply guest --root m -o json >&-", "standard output is closed"),
    "closed, for people": ("$S apply guest --root m >&-", "standard output is closed"),
    "full, for people": (
        "$S apply guest --root m >/dev/full",
        "cannot write to standard output: No space left on device",
    ),
    "for reading only": (
        "$S apply guest --root m -o json 1</dev/null",
        "standard output is open for reading only",
    ),
    "the reader is gone": (
        "(sleep 1; exec $S apply guest --root m -o json) | true; exit ${PIPESTATUS[0]}",
        "standard output has no reader",
    ),
    "no parmfile to write": (
        "$S apply guest --root m --parmfile x",
        "boots a Secure Execution image",
    ),
    "keep, without an active profile": ("$S keep --root m >&-", "standard output is closed"),
    "rollback": ("$S rollback --root m >&-", "standard output is closed"),
}


@pytest.mark.parametrize("name", BEFORE)
def test_what_can_be_known_before_stops_the_change(
    name: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "rollback":
        assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    before = snapshot(root)

    code, said = shell(BEFORE[name][0], root.parent)

    assert code == 1, said
    assert BEFORE[name][1] in said
    assert "Traceback" not in said
    assert snapshot(root) == before
    assert changed(root) == (name == "rollback")
    assert not (root.parent / "x").exists()


def test_no_place_for_the_parmfile_stops_the_change(root: Path) -> None:
    for image in (root / "boot").glob("vmlinuz*"):
        image.write_bytes(sealed_image())
    before = snapshot(root)

    code, said = shell("$S apply guest --root m --parmfile /nonexistent/x", root.parent)

    assert code == 1, said
    assert "/nonexistent/x: the parmfile cannot be written: No such file or directory" in said
    assert snapshot(root) == before


AFTER = {
    "full": "$S apply guest --root m -o json >/dev/full",
    # The plan is printed before the change; a second later nobody reads any more.
    "the reader closes the pipe": (
        "strace -f -o trace -e inject=renameat2:delay_enter=1s:when=1"
        " $S apply guest --root m | { read -r line; }; exit ${PIPESTATUS[0]}"
    ),
}


@pytest.mark.parametrize("name", AFTER)
def test_what_fails_after_the_change_has_its_own_code(name: str, root: Path) -> None:
    require_strace()
    code, said = shell(AFTER[name], root.parent)

    assert code == 6, said
    assert (
        "the files were changed (checkpoint 1) and zipl must still be run, but the report could not be"
        in said
    )
    assert "\n  secboot history --root m\n" in said
    assert changed(root)


def test_a_rollback_that_can_not_be_reported(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (root / "boot/loader/entries").iterdir()
    lines = {path.name: path.read_bytes() for path in before}
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0

    code, said = shell("$S rollback --root m -o json >/dev/full", root.parent)

    assert code == 6
    assert "(checkpoint 2)" in said
    assert {p.name: p.read_bytes() for p in (root / "boot/loader/entries").iterdir()} == lines


def test_keep_does_not_wait_for_a_reader(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    entry = root / "boot/loader/entries/new.conf"
    entry.write_text("title New\nversion 9\nlinux /boot/vmlinuz\noptions root=/dev/a\n")

    code, said = shell("$S keep --root m >&-", root.parent)

    assert code == 6, said
    assert "(checkpoint 2) and zipl must still be run, but the report could not be written" in said
    assert "options root=/dev/a swiotlb=262144\n" in entry.read_text()


def test_no_change_and_no_report_is_a_failure(root: Path) -> None:
    shell("$S apply guest --root m >/dev/null", root.parent)

    code, said = shell("$S apply guest --root m >/dev/full", root.parent)

    assert (code, said.count("\n")) == (1, 2)
    assert said.endswith("\nNothing was changed.\n")
    assert "cannot write to standard output: No space left on device" in said


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(
    ("words", "code"),
    [("plan nosuch", 2), ("nosuch", 2), ("history 7 --root m", 1), ("apply guest --root m", 0)],
)
def test_errors_that_nobody_can_read_keep_their_code(
    words: str, code: int, where: str, root: Path
) -> None:
    assert shell(f"$S {words} {where} >out", root.parent)[0] == code
    assert "secboot: error" not in (root.parent / "out").read_text()


def test_a_parmfile_is_replaced_as_a_whole(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its old mode and name, and after the change: not if the change fails."""
    for image in (root / "boot").glob("vmlinuz*"):
        image.write_bytes(sealed_image())
    kept, link = tmp_path / "kept.parm", tmp_path / "link.parm"
    kept.write_text("root=/dev/sda\n")
    kept.chmod(0o640)
    link.symlink_to("kept.parm")

    said = secboot(capsys, "apply", "guest", "--root", root, "--parmfile", link)

    assert said.code == 0, said.err
    assert kept.read_text() == "root=/dev/sda swiotlb=262144\n"
    assert kept.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
