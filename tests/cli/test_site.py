"""What a command works on: determined once, and named in the commands that the user should type next."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from secboot.layout import detect
from secboot.layout.layout import Layout
from secboot.system.root import Root
from tests.checkpoint.scenes import cut_journal
from tests.command import secboot
from tests.trees import make_sample_tree


@pytest.mark.parametrize(
    "words",
    [
        *(["plan", "host"], ["apply", "host"], ["apply", "host", "--dry-run"], ["keep"]),
        *(["status", "host"], ["verify", "host"], ["rollback"], ["show"], ["check"]),
    ],
    ids=" ".join,
)
def test_the_layout_is_found_once_a_command(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = make_sample_tree("rhel8", tmp_path / "root")
    secboot(capsys, "apply", "guest", "--root", root)
    found = []
    detect_layout = detect.detect_layout

    def counted(root: Root, named: str | None) -> Layout:
        found.append(named)
        return detect_layout(root, named)

    monkeypatch.setattr(detect, "detect_layout", counted)

    assert secboot(capsys, *words, "--root", root).code in {0, 5}
    assert len(found) == 1


@pytest.mark.parametrize("words", [["plan", "guest"], ["show"]], ids=" ".join)
def test_an_unfinished_change_is_reported_with_the_command_that_ends_it(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree("rhel8", tmp_path / "a root")
    typed = ("--root", root, "--state-dir", tmp_path / "state")
    secboot(capsys, "apply", "host", *typed)
    # As if power was lost before the change was done.
    cut_journal(tmp_path / "state/checkpoints/1", 1)

    said = secboot(capsys, *words, *typed)

    assert "the change of checkpoint 1 is unfinished (writing)" in said.out
    command = next(line for line in said.out.splitlines() if " rollback --root" in line)
    assert shlex.split(command) == ["secboot", "rollback", *map(str, typed)]
    assert secboot(capsys, *shlex.split(command)[1:]).code == 0
    assert "is unfinished" not in secboot(capsys, *words, *typed).out


def test_status_without_a_profile_names_the_command_that_judges_the_active_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree("rhel9", tmp_path / "root")
    before = secboot(capsys, "status", "--root", root).out
    secboot(capsys, "apply", "guest", "--root", root)

    after = secboot(capsys, "status", "--root", root).out

    assert f"list the profiles: secboot profile list --root {root}\n" in before
    assert f"active profile has progressed: secboot status guest --root {root}\n" in after


def test_while_a_change_is_unfinished_status_names_no_other_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree("rhel9", tmp_path / "root")
    secboot(capsys, "apply", "guest", "--root", root)
    done = secboot(capsys, "status", "guest", "--root", root).out
    cut_journal(root / "var/lib/secboot/checkpoints/1", 1)

    cut = secboot(capsys, "status", "guest", "--root", root).out

    assert f"chroot {root} zipl" in done.rpartition("\nNext\n")[2]
    (step,) = cut.rpartition("\nNext\n")[2].splitlines()
    assert step.endswith(f"unless it is still running: secboot rollback --root {root}")
