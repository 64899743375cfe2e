"""``verify`` for monitoring: a plugin's line and exit code, and metrics that are always written."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.cli import status
from tests.command import secboot

FIRST = "SECBOOT {} - guest: {} passed, {}, {} failed | passed={} warnings={} failed={}\n"


@pytest.fixture
def root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert secboot(capsys, "demo", tmp_path / "root").code == 0
    return tmp_path / "root"


def test_a_plugin_says_critical_then_ok(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("verify", "guest", "--output", "nagios", "--root", root)

    critical = secboot(capsys, *words)
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    good = secboot(capsys, *words)

    assert critical.code == 2
    assert critical.out.startswith("SECBOOT CRITICAL - guest: 0 passed, 0 warnings, ")
    assert "\nFAIL configured.swiotlb 'Red Hat" in critical.out
    assert critical.out.count("|") == 1
    assert good.code == 0
    number = good.out.partition("guest: ")[2].split()[0]
    assert good.out == FIRST.format("OK", number, "0 warnings", 0, number, 0, 0)


def test_a_plugin_says_warning(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    (root / "etc/kernel/cmdline").unlink()

    said = secboot(capsys, "verify", "guest", "--output", "nagios", "--root", root)

    assert said.code == 1, said
    assert said.out.startswith("SECBOOT WARNING - guest: ")


def test_a_plugin_says_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "verify", "guest", "-o", "nagios", "--root", tmp_path / "a|b")

    assert said.code == 3
    assert said.out == f"SECBOOT UNKNOWN - {tmp_path}/a/b: not found\n"
    assert said.err == ""


@pytest.mark.parametrize("words", [["guest", "--stage", "later"], ["guest", "--textfil", "x"], []])
def test_a_plugin_that_is_called_wrongly_says_unknown(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, "verify", *words, "--output=nagios")

    assert said.code == 3
    assert said.out.startswith("SECBOOT UNKNOWN - ")
    assert said.err == ""


def test_no_other_command_is_a_plugin(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """3 is the exit code of a change that was rolled back."""
    said = secboot(capsys, "apply", "verify", "--output", "nagios", "--root", root)

    assert said.code == 2
    assert said.out == ""


def test_a_plugin_reports_each_problem_on_a_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / "site.yaml"
    profile.write_text("version: 1\nrole: gest\nparameters: {swiotlb: 512}\n")

    said = secboot(capsys, "verify", profile, "--output", "nagios", "--root", root)

    assert said.code == 3
    first, second, *_ = said.out.splitlines()
    assert first == "SECBOOT UNKNOWN - 2 problems in the profile:"
    assert second == f"  {profile}:2:7: 'gest' is not a valid role"
    assert "|" not in said.out


def test_a_plugin_that_cannot_write_metrics_says_unknown(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "none/x.prom"

    said = secboot(
        capsys, "verify", "guest", "-o", "nagios", "--textfile", file, "--root", root
    )  # fmt: skip

    assert said.code == 3
    assert said.out.startswith(f"SECBOOT UNKNOWN - {file}: the metrics cannot be written: ")


def test_metrics_are_written_whatever_happens(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secboot.prom"
    words = ("verify", "guest", "--textfile", file, "--root")

    assert secboot(capsys, *words, root).code == 5
    assert 'secboot_up{profile="guest"} 1' in file.read_text()
    assert "secboot_checks_failed" in file.read_text()
    refused = secboot(capsys, *words, tmp_path / "none")
    assert refused.code == 1
    assert "not found" in refused.err
    assert 'secboot_up{profile="guest"} 0' in file.read_text()
    assert "secboot_check" not in file.read_text()
    file.unlink()

    def fail(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(status, "_assess", fail)
    assert secboot(capsys, *words, root).code == 70
    assert 'secboot_up{profile="guest"} 0' in file.read_text()


def test_a_file_that_cannot_be_written_is_an_error_of_its_own(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, nowhere = tmp_path / "none", tmp_path / "none/x.prom"

    said = secboot(capsys, "verify", "guest", "--textfile", nowhere, "--root", root)
    both = secboot(capsys, "verify", "guest", "--textfile", nowhere, "--root", there)

    assert said.code == 1
    assert f"{nowhere}: the metrics cannot be written" in said.err
    there.write_bytes(b"")
    below_a_file = secboot(capsys, "verify", "guest", "--textfile", nowhere, "--root", root)
    assert below_a_file.code == 1
    assert below_a_file.err.startswith(f"secboot: error: {nowhere}: the metrics cannot be written")
    # Why the machine cannot be judged is more than that the file cannot be written.
    assert f"{there}: not found" in both.err
