"""Bad input: one clear message with the place and what to do, the right exit code, nothing changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from secboot.cli import main
from secboot.cli.app import guarded
from tests import rights
from tests.command import Said, forked, secboot
from tests.rights import NOBODY
from tests.trees import make_sample_tree, snapshot

CONF = "etc/zipl.conf"
ENTRY = "boot/loader/entries/a.conf"


def write(path: str, data: bytes) -> Callable[[Path], None]:
    def act(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)

    return act


def replace_by(path: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def act(root: Path) -> None:
        target = root / path
        target.unlink(missing_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        make(target)

    return act


def large(root: Path) -> None:
    with (root / CONF).open("wb") as file:
        file.truncate(100 * 2**20)


BAD: dict[str, tuple[Callable[[Path], None], int, str]] = {
    "missing zipl.conf": (lambda root: (root / CONF).unlink(), 1, "no zipl configuration found"),
    "a directory": (replace_by(CONF, Path.mkdir), 1, "etc/zipl.conf: this is a directory"),
    "a FIFO": (replace_by(CONF, os.mkfifo), 1, "etc/zipl.conf: this is a FIFO"),
    "a dangling link": (
        replace_by(CONF, lambda path: path.symlink_to("/nowhere")),
        1,
        "no zipl configuration found",
    ),
    "a link to itself": (
        replace_by(CONF, lambda path: path.symlink_to("zipl.conf")),
        1,
        "too many symbolic links",
    ),
    "empty": (write(CONF, b""), 2, "No 'defaultboot' section found"),
    "rubbish": (write(CONF, bytes(range(256)) * 4), 2, "etc/zipl.conf:1:1: zipl would refuse"),
    "100 MiB": (large, 1, "larger than 4194304 bytes"),
    "CRLF": (
        write(CONF, b"[defaultboot]\r\ndefault=a\r\n"),
        2,
        "unexpected characters after section name",
    ),
    "BOM": (write(CONF, b"\xef\xbb\xbf[defaultboot]\n"), 2, "zipl.conf:1:1: zipl would refuse"),
    "quote": (write(CONF, b'[defaultboot]\ndefault="a\n'), 2, "zipl.conf:2:9: zipl would refuse"),
    "entry is a directory": (
        replace_by(ENTRY, Path.mkdir),
        2,
        "a.conf: zipl would refuse this: Not a regular file",
    ),
    "entry is rubbish": (write(ENTRY, b"\x00\xff\x7f"), 2, "a.conf"),
    "entry is empty": (write(ENTRY, b""), 2, "no title in"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_bad_boot_files(
    name: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, code, message = BAD[name]
    root = make_sample_tree("ubuntu-curtin", tmp_path / "root")
    spoil(root)
    before = {path: path.lstat().st_mtime_ns for path in sorted(root.rglob("*"))}

    said = secboot(capsys, verb, "guest", "--root", root)

    assert said.code == code
    assert message in said.err
    assert said.err.startswith("secboot: error: ")
    assert said.out == ""
    assert {path: path.lstat().st_mtime_ns for path in sorted(root.rglob("*"))} == before


def test_names_that_are_not_text_are_shown_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree("rhel8-switched-to-bls", tmp_path / "root")
    name = b"\xff\n\x1b[31m.conf"
    entry = os.fsencode(root / "boot/loader/entries") + b"/" + name
    with open(entry, "wb") as file:  # noqa: PTH123 - the name is not text
        file.write(b"title \x1b[2J X\nlinux /boot/vmlinuz\noptions ro\n")

    for words in (["show"], ["check"], ["plan", "host"], ["apply", "host"], ["history", "1"]):
        said = secboot(capsys, *words, "--root", root)
        assert said.code in {0, 5}, said.err
        assert "\x1b" not in said.out + said.err
    assert b"prot_virt=1" in Path(os.fsdecode(entry)).read_bytes()


def test_dry_run_plan_show_and_check_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree("rhel8", tmp_path / "root")
    before = {path: path.lstat() for path in sorted([root, *root.rglob("*")])}

    for words in (
        ["apply", "host", "--dry-run"],
        ["plan", "host"],
        ["show"],
        ["check"],
        ["history"],
    ):
        assert secboot(capsys, *words, "--root", root).code == 0

    after = {path: path.lstat() for path in sorted([root, *root.rglob("*")])}
    kept = ("st_mtime_ns", "st_ctime_ns", "st_mode", "st_ino", "st_size")
    assert {p: [getattr(s, k) for k in kept] for p, s in after.items()} == {
        p: [getattr(s, k) for k in kept] for p, s in before.items()
    }


@pytest.mark.usefixtures("as_root")
def test_a_profile_that_others_can_not_read_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But a file of the user who called sudo is read: that user can read it anyway."""
    path = tmp_path / "p.yaml"
    path.write_text("version: 1\nextends: guest\nhidden: 1\n")
    path.chmod(0o640)
    words = ("profile", "validate", path)

    said = secboot(capsys, *words)
    assert (said.code, "hidden" in said.err) == (2, False)
    assert "only its owner can read this file" in said.err

    monkeypatch.setenv("SUDO_UID", "1000")
    assert "only its owner" in secboot(capsys, *words).err
    os.chown(path, 1000, 1000)
    assert "unknown key" in secboot(capsys, *words).err


EMPTY = (
    ["plan", "guest", "--root", ""],
    ["plan", "guest", "--root="],
    ["plan", "guest", "--state-dir", ""],
    ["plan", "guest", "--root", ".", "--out="],
    ["plan", "guest", "--parmfile", ""],
    ["plan", ""],
    ["apply", "", "--root", "."],
    ["demo", ""],
    ["fleet", ""],
    ["fleet", "x.json", "--html", ""],
    ["profile", "validate", ""],
    ["init", "--root", ""],
    ["init", "--target="],
    ["init", "--parameters", ""],
    ["demo", "--", ""],
    ["rollback", "--", ""],
    [""],
)


@pytest.mark.parametrize("words", EMPTY, ids=" ".join)
def test_an_empty_word_is_not_a_path(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    said = secboot(capsys, *words)

    assert (said.code, said.out) == (2, "")
    assert " is empty\n" in said.err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_line_to_start_from_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert secboot(capsys, "export", "guest", "--format", "pvimg", "--line", "").code == 0
    assert secboot(capsys, "export", "guest", "--format", "pvimg", "--line=").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "guest", "--rot\u202e\x1b[2J"],
        ["plam\u202eb\x1b[2J"],
        ["plan", "guest", "--output", "\u202e\x1b[2J"],
        ["plan", "\u202e\x1b[2J", "--root", "."],
        ["plan", "./\u202e\x1b[2J", "--root", "."],
        ["apply", "\u202e\x1b[2J.plan", "--root", "."],
        ["plan", "guest", "--root", "\u202e\x1b[2J"],
        ["plan", "guest", "--layout", "\u202e\x1b[2J", "--root", "."],
        ["rollback", "\u202e\x1b[2J", "--root", "."],
        ["history", "\u202e\x1b[2J", "--root", "."],
        ["fleet", "\u202e\x1b[2J"],
        ["demo", "\u202e\x1b[2J\udcff"],
        ["demo", "/proc/\u202e\x1b[2J"],
        ["export", "guest", "--format", "\u202e\x1b[2J"],
    ],
    ids=ascii,
)
def test_words_of_the_command_line_are_shown_escaped(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    said = secboot(capsys, *words)

    assert "bug" not in said.err
    assert "\x1b" not in said.out + said.err
    assert "\u202e" not in said.out + said.err


@pytest.mark.parametrize("place", ["/proc/m", "/dev/null/m", "/dev/full"])
def test_a_demo_where_nothing_can_be_written(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, "demo", place)

    assert said.code == 1
    assert said.err.startswith(f"secboot: error: {place}")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(5, "Input/output error", "/x\x1b"), "/x\\x1b: Input/output error"),
        (MemoryError(), "not enough memory"),
        (RecursionError("maximum"), "the input is nested too deeply"),
        (UnicodeError("x\x1b"), "text cannot be decoded or encoded: x\\x1b"),
    ],
)
def test_what_nobody_foresaw_is_an_error(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        raise error

    assert guarded(command, debug=False) == 1
    assert capsys.readouterr().err == f"secboot: error: {words}\n"


def test_no_such_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "plan", "host", "--root", tmp_path / "none")

    assert said.code == 1
    assert "none: not found" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["plam", "host"], "Did you mean 'plan'?"),
        (["plan"], "Missing argument 'PROFILE'"),
        (
            ["plan", "host", "--rot", "/"],
            "No such option: --rot. Did you mean '--out', '--output', '--root'?",
        ),
        (["plan", "host", "--output", "xml"], "'xml' is not one of"),
        (["plan", "nosuch", "--root", "."], "profile 'nosuch' not found"),
        (["plan", "hots", "--root", "."], "did you mean 'host'?"),
        (["plan", "./nosuch.yaml", "--root", "."], "file not found"),
        (["rollback", "--force", "--keep", "--root", "."], "cannot be combined"),
    ],
)
def test_wrong_usage_exits_with_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, *words)

    assert said.code == 2
    assert message in said.err


def test_a_demo_that_cannot_be_written_names_a_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o555)
    with rights.as_nobody():
        said = secboot(capsys, "demo", str(tmp_path / "machine"))

    assert (said.code, said.out) == (1, "")
    assert said.err == (
        f"secboot: error: {tmp_path / 'machine'}: no permission to write here\n"
        "  choose a directory of your own: secboot demo ~/machine\n"
    )


def as_nobody(capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    """Run a command as an ordinary user, in a child process that has loaded all modules already."""
    # Run it as root first, harmlessly: the modules that it loads may be readable by root only.
    secboot(capsys, *words, "--output", "json", *(["--dry-run"] if words[0] == "apply" else []))

    def inside() -> int:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return main([*words])

    return forked(inside)


@pytest.mark.usefixtures("as_root")
def test_as_an_ordinary_user_reading_works_and_writing_is_refused_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree("rhel8", tmp_path / "root")
    for path in [tmp_path, *tmp_path.parents]:
        path.chmod(path.stat().st_mode | 0o755)
    before = snapshot(root)

    def run(*words: str) -> Said:
        return as_nobody(capsys, *words, "--root", str(root))

    assert run("plan", "host").code == 0
    assert run("show").code == 0
    assert run("check").code == 0
    assert run("apply", "host", "--dry-run").code == 0
    refused = run("apply", "host")
    assert refused.code == 1
    assert "permission denied" in refused.err
    assert "run secboot as root" in refused.err
    assert snapshot(root) == before
    assert not (root / "var").exists()


def test_the_boot_files_of_this_machine_are_for_root_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    said = secboot(capsys, "apply", "host")

    assert said.code == 1
    assert "only root can change this machine's boot files" in said.err
