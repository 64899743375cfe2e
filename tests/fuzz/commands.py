"""Whole commands on whole trees, in this process: several files damaged at once.

The files of a tree are one input, with a line ``==> PATH <==`` before each. The first line can name
the tree that they are added to: ``==> on NAME <==``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from io import BytesIO, TextIOWrapper
from pathlib import Path
from stat import S_ISDIR

from jsonschema import Draft202012Validator

from secboot.cli import main
from secboot.ipl.reboot import at_reboot
from secboot.running.kernel_log import KernelMessages
from secboot.running.system import read_live_facts, read_running
from secboot.system.root import Root
from tests.checkpoint.sealing import journal_texts, sealed_journal, sealed_record
from tests.command import Said
from tests.formats.grub_scripts import ENTRIES, HEADER, SUSE_HEADER
from tests.report.strict import strict_schema
from tests.situations import SITUATIONS, make_situation
from tests.trees import SAMPLE_TREES, make_sample_tree, snapshot

MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
STATE = "var/lib/secboot/checkpoints"
CONFIGURATION = ("etc", "usr/lib", "boot/loader", "boot/zipl/config", "boot/grub2", "boot/parmfile")
"""The directories of the files that are damaged; the rest of a tree is what they name."""
READ = (
    *("check", "show", "plan guest", "status host", "verify guest", "keep", "init --dry-run"),
    "apply guest --trial --dry-run",
)
THERE_AND_BACK = ("apply host", "apply guest --trial", "init")
ON_STATE = (
    *("history", "history 2", "keep", "show", "status", "confirm", "apply host-off --dry-run"),
    *("rollback", "apply host"),
)
STATES = {"applied": ("1", "2", "3"), "tried": ("1", "2")}
"""Trees with checkpoints: two applies and a rollback; an apply and a trial."""
_HEADING = re.compile(rb"^==> (?:on )?(.+?) <==\n", re.MULTILINE)
_LARGEST_TEXT = 2**14
_BUG = re.compile(
    "^secboot: (?:bug|error: (?:the input is nested too deeply|not enough memory|text cannot be))",
    re.MULTILINE,
)
"""What a command prints for an unexpected error."""


class FoundError(Exception):
    """A command did something forbidden; `place` identifies it."""

    def __init__(self, what: str, place: str) -> None:
        super().__init__(f"{what} [{place}]")
        self.place = place


def packed(files: dict[str, bytes], on: str = "") -> bytes:
    """The files as one input."""
    heading = f"==> on {on} <==\n".encode() if on else b""
    return heading + b"".join(b"==> %s <==\n%s" % (p.encode(), d) for p, d in files.items())


def unpacked(data: bytes) -> tuple[str, dict[str, bytes]]:
    """The tree that is named, and the files; a path outside the tree is left out."""
    on, files = "", {}
    found = list(_HEADING.finditer(data))
    for match, following in zip(found, [*found[1:], None], strict=False):
        path = match[1].decode(errors="replace")
        end = len(data) if following is None else following.start()
        if match[0].startswith(b"==> on "):
            on = path
        elif not set(path.split("/")) & {"", ".", ".."} and "\0" not in path and len(path) < 200:
            files[path] = data[match.end() : end]
    return on, files


@contextmanager
def directory() -> Iterator[Path]:
    """A directory in memory."""
    with tempfile.TemporaryDirectory(prefix="secboot-fuzz-", dir=MEMORY) as name:
        yield Path(name)


@cache
def base_trees() -> Path:
    """All trees to start from, created once for a process, and removed at its end."""
    base = tempfile.TemporaryDirectory(prefix="secboot-fuzz-", dir=MEMORY)
    trees = Path(base.name)
    _KEPT.append(base)
    for name in SAMPLE_TREES:
        make_sample_tree(name, trees / name)
    for situation in sorted(SITUATIONS.iterdir()):
        if situation.is_dir():
            make_situation(situation.name, trees / situation.name)
    for name, verbs in (
        ("applied", ("apply guest", "apply host", "rollback")),
        ("tried", ("apply guest", "apply host --trial")),
    ):
        run("demo", str(trees / name))
        (trees / name / "etc/passwd").write_text("root\n")
        for verb in verbs:
            assert run(*verb.split(), "--root", str(trees / name)).code == 0
    return trees


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def run(*words: str) -> Said:
    """Run one command, and capture its output."""
    out, err = TextIOWrapper(BytesIO(), "utf-8"), TextIOWrapper(BytesIO(), "utf-8")
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*words])
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.detach().getvalue().decode())
    return Said(int(code), *texts)


@contextmanager
def tree_of(data: bytes, otherwise: str = "rhel9") -> Iterator[Path]:
    """The tree that an input describes."""
    on, files = unpacked(data)
    names = {path.name for path in base_trees().iterdir()}
    base = base_trees() / (on if on in names else otherwise)
    with directory() as place:
        root = place / "m"
        shutil.copytree(base, root, symlinks=True)
        for path, content in files.items():
            write(root, path, content)
        yield root


def write(root: Path, path: str, content: bytes) -> None:
    """Write a file that a damaged path may name, if the tree can have it."""
    target = root / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.parent.resolve().is_relative_to(root) and not target.is_symlink():
            target.write_bytes(content)
    except OSError:
        pass


def require_decent(words: tuple[str, ...], codes: set[int]) -> Said:
    """Run a command, which must end with one of these codes and print nothing forbidden."""
    said = run(*words)
    told = said.out + said.err
    if said.code == 70 or _BUG.search(said.err) or said.code not in codes:
        raise FoundError(f"{words[0]} ended with {said.code}", _place(words, said))
    if not all(line.isprintable() for line in told.replace("\t", " ").split("\n")):
        raise FoundError(f"{words[0]} printed what is not printable", words[0])
    return said


def _place(words: tuple[str, ...], said: Said) -> str:
    """Where the error was raised, from a requested traceback; without one, the message."""
    told = run("--debug", *words).err
    lines = re.findall(r'File "[^"]*?/(secboot/[^"]+)", line (\d+)', told)
    return ":".join(lines[-1]) if lines else said.err[:60]


@cache
def schema(name: str) -> Draft202012Validator:
    """The published schema of a document, without additional keys."""
    return Draft202012Validator(strict_schema(name))


def read_tree(data: bytes) -> None:
    """Every reading command, changes that are rolled back, and a repair."""
    with tree_of(data) as root:
        for verb in READ:
            as_json = () if verb == "keep" else ("--output", "json")
            said = require_decent((*verb.split(), "--root", str(root), *as_json), {0, 1, 2, 5})
            if said.out and as_json:
                document = json.loads(said.out)
                problem = next(iter(schema(document["schema"]).iter_errors(document)), None)
                if problem is not None:
                    raise FoundError(
                        f"{verb}: {problem.message[:200]}", f"{verb} {problem.schema_path}"
                    )
        for verb in THERE_AND_BACK:
            _there_and_back(root, verb)
        _repair(root)


def _there_and_back(root: Path, verb: str) -> None:
    """Change a tree, and undo that."""
    before = files_of(root)
    done = require_decent((*verb.split(), "--root", str(root)), {0, 1, 2})
    if files_of(root) == before:
        return
    if done.code != 0:
        raise FoundError(f"{verb} failed, and changed files", verb)
    undone = require_decent(("rollback", "--root", str(root)), {0, 1})
    if undone.code == 0 and files_of(root) != before:
        raise FoundError(f"a rollback of {verb} left something else", f"rollback {verb}")


def _repair(root: Path) -> None:
    """Repair a tree: what is left is what ``check`` reports."""
    before = files_of(root)
    fixed = require_decent(("check", "--fix", "--root", str(root)), {0, 1, 2, 5}).code
    if fixed in {0, 5}:
        if run("check", "--root", str(root)).code != fixed:
            raise FoundError("check --fix and check differ about what it left", "check after --fix")
    elif files_of(root) != before:
        raise FoundError("check --fix failed, and changed files", "check --fix")


def files_of(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """A snapshot without directories: an empty one that a change created stays."""
    return {name: found for name, found in snapshot(root).items() if not S_ISDIR(found[0])}


def read_state(data: bytes) -> None:
    """Every command on a state directory: records and journals get matching checksums."""
    with tree_of(data, "applied") as root:
        for name in unpacked(data)[1]:
            path, number = root / name, (root / name).parent.name
            if not (name.startswith(STATE) and path.is_file()):
                continue
            if path.name == "record.json":
                path.write_bytes(sealed_record(path.read_bytes(), number))
            elif path.name == "journal":
                path.write_bytes(sealed_journal(path.read_bytes(), number))
        for verb in ON_STATE:
            require_decent((*verb.split(), "--root", str(root)), {0, 1, 2, 4})
            if (root / "etc/passwd").read_text() != "root\n":
                raise FoundError(f"{verb} wrote where there is no boot file", verb)


def read_running_system(data: bytes) -> None:
    """What /proc, /sys and the location of the boot record contain."""
    with tree_of(data, "reipl-parm") as place, Root(place) as root:
        found = read_running(root, KernelMessages.read((), complete=False), "/boot/bootmap")
        read_live_facts(root, "/boot/bootmap")
        assert found.release is None or len(found.release) == 2
        if found.reboot_settings is not None:
            at_reboot(found.reboot_settings, ())
        found.hardware.describe()


def set_words(data: bytes) -> None:
    """Words of a command line, one per line, as parameters to set; then they are undone."""
    words = [os.fsdecode(word) for word in data.replace(b"\0", b"").split(b"\n")][:20]
    with tree_of(b"", "rhel9") as root:
        before = snapshot(root)
        done = require_decent(("set", "--root", str(root), "--", *words), {0, 1, 2})
        if done.code == 0 and snapshot(root) != before:
            require_decent(("keep", "--root", str(root)), {0, 1})
            undone = require_decent(("rollback", "--root", str(root)), {0, 1})
            if undone.code == 0 and snapshot(root) != before:
                raise FoundError("a rollback left something else", "rollback of set")


def apply_plan(data: bytes) -> None:
    """A saved plan does exactly what it describes, or nothing."""
    with tree_of(b"", "rhel9") as root:
        plan = root.parent / "x.plan"
        plan.write_bytes(data)
        plan.chmod(0o600)
        require_decent(("apply", str(plan), "--dry-run", "--root", str(root)), {0, 1, 2})


def said(*verbs: str) -> tuple[bytes, ...]:
    """The JSON that commands print of several machines."""
    machines = ("rhel8", "suse-healthy", "sealed-only", "kernel-replaced-not-zipled", "reipl-parm")
    return tuple(
        run(*verb.split(), "--root", str(base_trees() / name), "--output", "json").out.encode()
        for verb in verbs
        for name in machines
    )


def saved_plans() -> tuple[bytes, ...]:
    found = []
    with directory() as place:
        for name in ("rhel9", "ubuntu-curtin"):
            path = place / f"{name}.plan"
            run("plan", "guest", "--root", str(base_trees() / name), "--out", str(path))
            found.append(path.read_bytes())
    return tuple(found)


def _of_applied(name: str) -> tuple[bytes, ...]:
    return tuple(
        path.read_bytes() for path in sorted((base_trees() / "applied" / STATE).glob(f"*/{name}"))
    )


def records() -> tuple[bytes, ...]:
    return _of_applied("record.json")[:1]


def journals() -> tuple[bytes, ...]:
    return _of_applied("journal")


def all_journal_texts() -> tuple[bytes, ...]:
    return tuple(map(journal_texts, journals()))


def grub_scripts() -> tuple[bytes, ...]:
    seen = [path.read_bytes() for path in sorted(SITUATIONS.glob("*/boot/grub2/grub.cfg"))]
    return (*seen, (HEADER + ENTRIES).encode(), (SUSE_HEADER + ENTRIES).encode())


def trees() -> tuple[bytes, ...]:
    """Every tree, with the damaged files."""
    names = sorted(path.name for path in base_trees().iterdir() if path.name not in STATES)
    return tuple(packed(_texts(base_trees() / name, CONFIGURATION), name) for name in names)


def running_systems() -> tuple[bytes, ...]:
    names = sorted(path.parent.name for path in SITUATIONS.glob("*/proc"))
    return tuple(packed(_texts(base_trees() / name, ("proc", "sys")), name) for name in names)


def states() -> tuple[bytes, ...]:
    """Each checkpoint, as files without checksums."""
    found = []
    for name, number in [(tree, number) for tree in STATES for number in STATES[tree]]:
        place = base_trees() / name / STATE / number
        journal = journal_texts((place / "journal").read_bytes())
        whole = {"record.json": (place / "record.json").read_bytes(), "journal": journal}
        short = whole | {"journal": journal.partition(b"\n")[0] + b"\n"}
        for files in (whole, short):
            named = {f"{STATE}/{number}/{path}": data for path, data in files.items()}
            found.append(packed(named, name))
    return tuple(found)


def _texts(tree: Path, places: tuple[str, ...]) -> dict[str, bytes]:
    files = sorted(path for place in places for path in (tree / place, *(tree / place).rglob("*")))
    return {
        str(path.relative_to(tree)): path.read_bytes()
        for path in files
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST_TEXT
    }
