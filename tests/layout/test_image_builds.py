"""A tree on a build host of another architecture: nothing of the host gets into the tree or a plan."""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
from pathlib import Path

import pytest

from tests.command import secboot
from tests.layout.machines import SYSTEMS
from tests.trees import snapshot

HOST = ("/etc/", "/proc/", "/sys/", "/boot/", "/run/", "/var/", "/usr/lib/os-release")
OURSELVES = {"/proc/sys/kernel/random/boot_id", f"/proc/{os.getpid()}/stat"}
"""They tell a later run whether the process that holds a lock still runs; nothing of the machine."""


@pytest.mark.parametrize("name", SYSTEMS)
def test_no_file_of_the_build_host_is_opened(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = SYSTEMS[name].make(tmp_path / "root")
    opened: set[str] = set()

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event in {"open", "os.listdir", "os.scandir"} and isinstance(arguments[0], str | bytes):
            opened.add(os.path.abspath(os.fsdecode(arguments[0])))  # noqa: PTH100 - as the kernel has it

    with Audit(note):
        for words in (["show"], ["plan", "host"], ["apply", "host"], ["keep"], ["rollback"]):
            assert secboot(capsys, *words, "--root", root).code == 0

    # Files of the tree are opened by openat2(2) relative to it, or have its path before theirs.
    outside = {path for path in opened if path.startswith(HOST)} - OURSELVES
    assert not outside


class Audit:
    """Calls a function for each audit event while the context lasts (PEP 578)."""

    _hooks: list[Audit] = []  # noqa: RUF012 - an audit hook can't be removed, so one serves all
    _installed = False

    def __init__(self, note: object) -> None:
        self._note = note

    def __enter__(self) -> None:
        if not Audit._installed:
            sys.addaudithook(Audit._call)
            Audit._installed = True
        Audit._hooks.append(self)

    def __exit__(self, *_: object) -> None:
        Audit._hooks.remove(self)

    @staticmethod
    def _call(event: str, arguments: tuple[object, ...]) -> None:
        for hook in Audit._hooks:
            assert callable(hook._note)
            hook._note(event, arguments)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_result_does_not_depend_on_the_host(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = SYSTEMS[name].make(tmp_path / "root")
    # As JSON, a plan names the host where it was made, and nothing else of that host.
    document = secboot(capsys, "plan", "host", "--root", root, "--output", "json").out
    plain = secboot(capsys, "plan", "host", "--root", root).out
    before = snapshot(root)

    def other(*_: object) -> None:
        raise AssertionError("the build host was asked what it is")

    for module, function in (
        (os, "uname"),
        (platform, "machine"),
        (platform, "uname"),
        (platform, "freedesktop_os_release"),
        (socket, "gethostname"),
    ):
        monkeypatch.setattr(module, function, other)
    monkeypatch.setenv("ZIPLCONF", "/etc/passwd")
    monkeypatch.chdir(tmp_path)

    assert secboot(capsys, "plan", "host", "--root", root).out == plain
    assert snapshot(root) == before
    assert "/proc/cmdline" not in {item["path"] for item in json.loads(document)["inputs"]}


@pytest.mark.parametrize("machine_id", [None, "", "uninitialized\n", "b" * 32 + "\n"])
def test_a_machine_id_is_not_needed(
    machine_id: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = SYSTEMS["rhel9"].make(tmp_path / "root")
    if machine_id is not None:
        (root / "etc/machine-id").write_text(machine_id)

    said = secboot(capsys, "apply", "guest", "--root", root)

    assert said.code == 0
    assert "Boot record not updated. Run chroot" in said.out


def test_a_tree_without_boot_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = SYSTEMS["rhel9"].make(tmp_path / "root")
    (root / "boot").rename(tmp_path / "not-mounted")

    said = secboot(capsys, "apply", "guest", "--root", root)

    assert said.code == 1
    assert "whether /boot is mounted" in said.err
