"""Commands that only read drop their privileges first: tested inside each of them, while it prints."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from secboot.cli import main
from secboot.cli.app import VERBS, run
from secboot.demo import write_sample
from tests.available import not_here, require_root
from tests.cli.test_reads_only import landlock_version, libc
from tests.command import forked, secboot
from tests.rights import NOBODY

INSIDE = """
import json, os, socket, subprocess, sys
from secboot.cli import main, printing
prints = printing.print_text
def tried(work):
    try:
        work()
    except OSError as error:
        return error.errno
    return 0
def look(text):
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    found = {name: status[name].strip() for name in ("CapEff", "CapPrm", "CapInh", "NoNewPrivs")}
    place = os.environ["PLACE"]
    device = socket.socket()
    work = {
        "append": lambda: open(f"{place}/file", "a"),
        "truncate": lambda: os.truncate(f"{place}/file", 0),
        "make": lambda: open(f"{place}/new", "x"),
        "make a directory": lambda: os.mkdir(f"{place}/directory"),
        "remove": lambda: os.unlink(f"{place}/file"),
        "link": lambda: os.symlink("file", f"{place}/link"),
        "rename": lambda: os.rename(f"{place}/file", f"{place}/other"),
        "run": lambda: subprocess.run(["/bin/true"], check=True),
        "connect": lambda: device.connect(("127.0.0.1", 9)),
        "signal": lambda: os.kill(os.getppid(), 0),
    }
    print(json.dumps(found | {name: tried(each) for name, each in work.items()}), file=sys.stderr)
    printing.print_text = prints
    prints(text)
printing.print_text = look
sys.exit(main())
"""
"""secboot as it is started; before its output, it prints what it would be allowed to do."""
DOMAIN = Path(__file__).parent.parent / "data/domains/hand-written.xml"
LOOKING = {
    "plan": ["plan guest", "plan host --output json"],
    "apply": ["apply guest --dry-run", "apply guest --trial --dry-run"],
    "confirm": [],
    "init": [],
    "set": ["set quiet --dry-run", "set quiet --show-profile"],
    "status": ["status", "status guest"],
    "verify": ["verify host --stage installed", "verify host --output prometheus"],
    "rollback": ["rollback --dry-run", "rollback 1 --dry-run --output json"],
    "history": ["history", "history 1"],
    "show": ["show", "show --output json"],
    "check": ["check"],
    "profile": ["profile list", "profile show host", "profile validate host"],
    "export": ["export host --format grubby"],
    "fleet": ["fleet STATUS"],
    "check-domain": ["check-domain DOMAIN"],
    "keep": [],
    "demo": [],
    "explain": [],
    "completion": [],
}
"""By verb, the commands that only read and work on this machine; `profile schema`, `explain` and
`completion` read no files that others wrote."""
COMMANDS = [words for each in LOOKING.values() for words in each]
REFUSED = {
    *("append", "truncate", "make", "make a directory", "remove", "link", "rename", "run"),
}


@dataclass(frozen=True)
class Confined:
    """What a command printed, and what it was allowed to do meanwhile: 0, or the error."""

    code: int
    out: str
    inside: dict[str, Any]
    err: str


@dataclass(frozen=True)
class Place:
    """A machine with an applied change, and files that no command needs."""

    directory: Path

    def words(self, command: str) -> list[str]:
        names = {"STATUS": "status.json", "DOMAIN": "domain.xml"}
        words = [str(self.directory / names[w]) if w in names else w for w in command.split()]
        return words if words[0] in {"fleet", "check-domain"} else [*words, "--root", self.root]

    @property
    def root(self) -> str:
        return str(self.directory / "m")

    def run(self, *words: str, before: Callable[[], object] | None = None) -> Confined:
        done = subprocess.run(
            [sys.executable, "-c", INSIDE, *words],
            env={**os.environ, "PLACE": str(self.directory / "others")},
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=before,
        )
        before_it, mark, rest = done.stderr.partition('{"CapEff"')
        assert mark, done.stderr
        first, _, rest = rest.partition("\n")
        return Confined(done.returncode, done.stdout, json.loads(mark + first), before_it + rest)


@pytest.fixture
def place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Place:
    # The output says when it was made.
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795680000")
    made = Place(tmp_path)
    write_sample(tmp_path / "m")
    (tmp_path / "others").mkdir()
    (tmp_path / "others/file").write_text("text")
    (tmp_path / "domain.xml").write_text(DOMAIN.read_text())
    assert secboot(capsys, "apply", "host", "--root", made.root).code == 0
    said = secboot(capsys, "status", "host", "--output", "json", "--root", made.root)
    (tmp_path / "status.json").write_text(said.out)
    return made


def needs_landlock() -> None:
    if landlock_version() < 3:
        not_here("this kernel has no Landlock that knows of truncate(2)")


def test_every_verb_is_known_here() -> None:
    assert set(LOOKING) == set(VERBS)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_only_looks_can_do_nothing_else(
    command: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    needs_landlock()
    words = place.words(command)

    found = place.run(*words)

    assert {name: found.inside[name] for name in REFUSED} == dict.fromkeys(REFUSED, errno.EACCES)
    assert (found.inside["connect"] == errno.EACCES) is (landlock_version() >= 4)
    assert (found.inside["signal"] == errno.EPERM) is (landlock_version() >= 6)
    assert found.inside["NoNewPrivs"] == "1"
    assert {int(found.inside[name], 16) for name in ("CapEff", "CapPrm")} <= {0, 1 << 2 | 1 << 34}
    assert int(found.inside["CapInh"], 16) == 0
    # And its output is the same as with all privileges.
    said = secboot(capsys, *words)
    assert (found.code, found.out, found.err) == (said.code, said.out, said.err)


def test_what_changes_something_keeps_its_rights(place: Place) -> None:
    found = place.run("rollback", "--root", place.root)

    assert found.code == 0
    assert {found.inside[name] for name in ("append", "make", "run")} == {0}
    assert found.inside["NoNewPrivs"] == "0"


def test_a_caller_in_the_same_process_keeps_its_rights(place: Place) -> None:
    """Tests, and programs that use secboot as a library, keep their privileges."""

    def work() -> int:
        code = main(["plan", "guest", "--root", place.root])
        (place.directory / "others/new").write_text("")
        return code

    assert forked(work).code == 0


@pytest.mark.parametrize(
    ("words", "name", "code"),
    [
        ("plan guest --out FILE --root ROOT", "plan.json", 0),
        ("fleet STATUS --html FILE", "page.html", 5),
        ("verify guest --textfile FILE --root ROOT", "secboot.prom", 5),
    ],
)
def test_a_file_that_was_requested_is_written_and_nothing_else(
    words: str, name: str, code: int, place: Place
) -> None:
    needs_landlock()
    home = place.directory / "home"
    home.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    named = {"FILE": home / name, "ROOT": place.root, "STATUS": place.directory / "status.json"}

    for _ in range(2):
        found = place.run(*(str(named.get(word, word)) for word in words.split()))

        assert (found.code, found.err) == (code, "")
        assert (home / name).stat().st_size > 1000
        assert [path.name for path in home.iterdir()] == [name]
        assert {found.inside[each] for each in REFUSED} == {errno.EACCES}


@pytest.mark.parametrize("output", ["/dev/stdout", "/dev/stderr", "/dev/null", "FIFO"])
def test_output_to_what_is_open_already_gets_there(output: str, place: Place) -> None:
    fifo = place.directory / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    found = place.run(
        "fleet",
        str(place.directory / "status.json"),
        "--html",
        str(fifo) if output == "FIFO" else output,
    )

    page = os.read(reader, 15) if output == "FIFO" else b""
    os.close(reader)
    assert found.code == 5, found.err
    assert page == (b"<!DOCTYPE html>" if output == "FIFO" else b"")
    assert ("</html>" in found.out) is (output == "/dev/stdout")
    assert ("</html>" in found.err) is (output == "/dev/stderr")


def test_a_reader_that_closes_the_pipe_is_not_an_error(place: Place) -> None:
    """The remaining output goes to /dev/null, which may be written to."""
    command = f'"{sys.executable}" -c "{RUN}" show --root "$0" | head -c 1'
    done = subprocess.run(
        ["sh", "-c", command, place.root], capture_output=True, text=True, check=True
    )

    assert (len(done.stdout), done.stderr) == (1, "")


RUN = "import sys; from secboot.cli import main; sys.exit(main())"


def test_what_others_own_can_be_read_by_root(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    require_root()
    boot = Path(place.root) / "boot"
    for path in (boot, *boot.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)

    for command in ("check", "show", "status host", "plan host"):
        found = place.run(*place.words(command))
        said = secboot(capsys, *place.words(command))
        assert (found.code, found.out, found.err) == (said.code, said.out, said.err)
        assert "not allowed" not in found.out + found.err


def test_an_ordinary_user_is_confined_too(place: Place) -> None:
    needs_landlock()
    root, file = os.open(place.root, os.O_PATH), place.directory / "others/file"
    writing = os.open(file, os.O_RDWR)

    def work() -> int:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        assert os.access(f"/proc/self/fd/{writing}", os.W_OK)
        code = run(["show", "--root", f"/proc/self/fd/{root}"], is_process=True)
        with pytest.raises(PermissionError):
            os.open(f"/proc/self/fd/{writing}", os.O_WRONLY)
        return code

    file.chmod(0o666)
    said = forked(work)
    os.close(root)
    os.close(writing)
    assert said.code == 0, said.err


CALLS = {"x86_64": (126, 157), "s390x": (185, 172), "aarch64": (91, 167), "riscv64": (91, 167)}
"""capset and prctl: the numbers of the system calls."""


def forbid_confinement(answer: int) -> Callable[[], None]:
    """As in containers whose filter does not know these calls."""
    numbers = (444, 445, 446, *CALLS[platform.machine()])

    def before() -> None:
        load, equal, allow = 0x20, 0x15, 0x7FFF0000
        steps = [struct.pack("=HBBI", load, 0, 0, 0)]
        for place, number in enumerate(numbers):
            steps.append(struct.pack("=HBBI", equal, len(numbers) - place, 0, number))
        steps.append(struct.pack("=HBBI", 0x06, 0, 0, allow))
        steps.append(struct.pack("=HBBI", 0x06, 0, 0, 0x00050000 | answer))
        code = ctypes.create_string_buffer(b"".join(steps))
        program = struct.pack("@HP", len(steps), ctypes.addressof(code))
        assert libc().prctl(38, 1, 0, 0, 0) == 0
        assert libc().prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0

    return before


@pytest.mark.parametrize("answer", [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_the_system_refuses_it_the_command_goes_on(
    answer: int, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    if platform.machine() not in CALLS:
        not_here("the numbers of this machine's system calls are not known here")
    for command in ("plan guest", "status host", "rollback --dry-run"):
        words = place.words(command)

        found = place.run(*words, before=forbid_confinement(answer))

        said = secboot(capsys, *words)
        assert (found.code, found.out, found.err) == (said.code, said.out, said.err)
        assert found.inside["append"] == 0


def test_with_debug_it_is_reported(place: Place) -> None:
    if platform.machine() not in CALLS:
        not_here("the numbers of this machine's system calls are not known here")
    words = [sys.executable, "-c", RUN, "--debug", "show", "--root", place.root]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=forbid_confinement(errno.EPERM),
    )

    assert "secboot: privileges not dropped: " in done.stderr
    assert "Landlock: Operation not permitted" in done.stderr
