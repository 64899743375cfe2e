from __future__ import annotations

import os
import signal
import socket
import stat
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secboot.errors import SecbootError
from secboot.system import syscalls
from secboot.system.confined import LINK_LIMIT, KernelResolver, WalkResolver
from secboot.system.directory import temporary_name
from secboot.system.file_errors import (
    AccessError,
    ChangedError,
    FileError,
    NotFoundError,
    TooLargeError,
    WrongKindError,
)
from secboot.system.files import FILE_LIMIT
from secboot.system.root import Root
from secboot.system.syscalls import UnavailableError
from tests.available import not_here, require_root
from tests.rights import as_nobody
from tests.system.editing import remove, replace, write_new

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = b"outside\n"


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """``tmp_path/tree``, with a file next to it that nobody may reach."""
    (tmp_path / "secret").write_bytes(SECRET)
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/zipl.conf").write_text("[defaultboot]\n")
    return tree


@pytest.fixture(params=["openat2", "walk"])
def root(request: pytest.FixtureRequest, tree: Path) -> Iterator[Root]:
    with Root(tree) as root:
        if request.param == "walk":
            root._resolver = WalkResolver(root._fd)
        elif not isinstance(root._resolver, KernelResolver):
            not_here("this kernel, or the filter of a container, has no openat2")
        yield root


def test_reads_a_file(root: Root) -> None:
    assert root.read_bytes("/etc/zipl.conf") == b"[defaultboot]\n"


@pytest.mark.parametrize(
    "path", ["/etc//zipl.conf", "/etc/./zipl.conf", "/etc/../etc/zipl.conf", "//etc/zipl.conf"]
)
def test_reads_a_file_by_any_spelling_of_its_path(root: Root, path: str) -> None:
    assert root.read_bytes(path) == b"[defaultboot]\n"
    assert root.real_path(path) == "/etc/zipl.conf"


def test_a_relative_path_is_a_mistake_of_the_caller(root: Root) -> None:
    with pytest.raises(ValueError, match=r"etc/zipl\.conf"):
        root.read_bytes("etc/zipl.conf")


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("etc/link", "zipl.conf"),
        ("etc/link", "/etc/zipl.conf"),
        ("etc/link", "../etc/zipl.conf"),
        ("etc/link", "../../../../../../etc/zipl.conf"),
        ("link", "etc/./zipl.conf"),
        ("link", "/../etc/zipl.conf"),
    ],
)
def test_links_lead_where_they_lead_in_the_tree(
    root: Root, tree: Path, link: str, target: str
) -> None:
    (tree / link).symlink_to(target)

    assert root.read_bytes(f"/{link}") == b"[defaultboot]\n"
    assert root.real_path(f"/{link}") == "/etc/zipl.conf"


def escapes(tmp_path: Path) -> dict[str, str]:
    """Links that lead out of the tree unless access is confined to it."""
    return {
        "absolute": f"{tmp_path}/secret",
        "relative": "../secret",
        "deep": "../" * 30 + str(tmp_path / "secret").lstrip("/"),
        "through": "etc/../../secret",
    }


@pytest.mark.parametrize("kind", ["absolute", "relative", "deep", "through"])
def test_no_link_leads_out(root: Root, tree: Path, tmp_path: Path, kind: str) -> None:
    target = escapes(tmp_path)[kind]
    (tree / "link").symlink_to(target)

    assert (tree / target).exists(), "the test's own link is wrong"
    assert root.stat("/link") is None
    assert not root.exists("/link")
    assert not root.is_readable("/link")
    with pytest.raises(NotFoundError):
        root.read_bytes("/link")
    with pytest.raises(NotFoundError):
        root.read_bytes("/../secret")


def test_no_directory_link_leads_out(root: Root, tree: Path, tmp_path: Path) -> None:
    (tree / "up").symlink_to("..")
    (tree / "away").symlink_to(tmp_path)

    assert root.list_directory("/up") == root.list_directory("/")
    assert root.stat("/away") is None
    with pytest.raises(NotFoundError):
        root.read_bytes("/up/secret")
    with pytest.raises(NotFoundError):
        write_new(root, "/away/new", b"")
    write_new(root, "/up/new", b"inside")
    assert (tree / "new").read_bytes() == b"inside"
    assert names(tmp_path) == ["secret", "tree"]


def test_dots_after_a_link_go_on_from_its_target(root: Root, tree: Path) -> None:
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/file").write_text("x")
    (tree / "link").symlink_to("a/b")

    assert root.real_path("/link/../file") == "/a/file"
    assert root.read_bytes("/link/../file") == b"x"


def test_links_in_a_loop(root: Root, tree: Path) -> None:
    (tree / "one").symlink_to("two")
    (tree / "two").symlink_to("one")

    with pytest.raises(FileError, match="symbolic links"):
        root.read_bytes("/one")
    with pytest.raises(FileError, match="symbolic links"):
        root.real_path("/one")


@pytest.mark.parametrize("length", [LINK_LIMIT, LINK_LIMIT + 1])
def test_the_limit_of_links_is_the_kernels(root: Root, tree: Path, length: int) -> None:
    (tree / "link0").write_text("end")
    for number in range(length):
        (tree / f"link{number + 1}").symlink_to(f"link{number}")

    if length == LINK_LIMIT:
        assert root.read_bytes(f"/link{length}") == b"end"
    else:
        with pytest.raises(FileError, match="symbolic links"):
            root.read_bytes(f"/link{length}")


def test_the_real_path_of_a_file_yet_to_be_made(root: Root, tree: Path) -> None:
    (tree / "dangling").symlink_to("/etc/kernel/cmdline")

    assert root.real_path("/etc/new") == "/etc/new"
    assert root.real_path("/dangling") == "/etc/kernel/cmdline"
    assert root.real_path("/no/such/place") == "/no/such/place"
    with pytest.raises(NotFoundError):
        root.real_path("/no/../etc")


@pytest.mark.parametrize("path", ["/etc/zipl.conf/", "/etc/zipl.conf/.", "/etc/zipl.conf/.."])
def test_a_file_is_no_directory(root: Root, path: str) -> None:
    with pytest.raises(NotFoundError, match="not a directory"):
        root.read_bytes(path)
    assert root.stat(path) is None


@pytest.mark.parametrize("path", ["/etc/zi\0pl", "/\ud800", "/" + "x" * 300, "/x" * 3000])
def test_impossible_names(root: Root, path: str) -> None:
    with pytest.raises(FileError):
        root.read_bytes(path)


@pytest.mark.parametrize("name", [b"line\nbreak", b"\xff\xfe", b"\x1b[2J", "ä".encode()])
def test_any_name_can_be_read(root: Root, tree: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(tree) + b"/etc/" + name)).write_text("x")

    (found,) = set(root.list_directory("/etc")) - {"zipl.conf"}

    assert found.encode("utf-8", "surrogateescape") == name
    assert root.read_bytes(f"/etc/{found}") == b"x"
    remove(root, f"/etc/{found}")
    with pytest.raises(NotFoundError) as caught:
        root.read_bytes(f"/etc/{found}")
    assert str(caught.value).isprintable()


def test_errors_name_the_path_as_the_user_sees_it(root: Root, tree: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        root.read_bytes("/etc/no")

    assert str(caught.value) == f"{tree}/etc/no: not found"


def make_special(kind: str, path: Path) -> None:
    if kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a socket":
        # Only short names: the path of a socket can have 107 bytes.
        with socket.socket(socket.AF_UNIX) as made:
            here = Path.cwd()
            os.chdir(path.parent)
            made.bind(path.name)
            os.chdir(here)
    elif kind == "a character device":
        require_root()
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    else:
        path.mkdir()


@pytest.mark.parametrize("kind", ["a FIFO", "a socket", "a character device", "a directory"])
def test_only_regular_files_are_read(root: Root, tree: Path, kind: str) -> None:
    make_special(kind, tree / "odd")
    found = root.stat("/odd")

    assert found is not None
    assert not found.is_regular
    assert found.is_directory == (kind == "a directory")
    for read in (root.read_bytes, root.read_file):
        with pytest.raises(WrongKindError, match=kind):
            read("/odd")
    with pytest.raises(WrongKindError):
        root.read_ranges("/odd", [(0, 10)])
    assert not root.is_readable("/odd")
    with pytest.raises(WrongKindError):
        root.read_direct("/odd")


def test_a_file_that_is_too_large(root: Root, tree: Path) -> None:
    with (tree / "huge").open("wb") as file:
        file.truncate(FILE_LIMIT + 1)

    with pytest.raises(TooLargeError, match="larger than"):
        root.read_bytes("/huge")
    assert len(root.read_bytes("/huge", limit=FILE_LIMIT + 1)) == FILE_LIMIT + 1


@pytest.mark.parametrize(
    ("offset", "size", "expected"), [(0, 4, b"0123"), (8, 4, b"89"), (20, 1, b""), (3, 0, b"")]
)
def test_a_range_of_a_file(root: Root, tree: Path, offset: int, size: int, expected: bytes) -> None:
    (tree / "file").write_bytes(b"0123456789")

    assert root.read_ranges("/file", [(offset, size), (0, 1)]) == (expected, b"0")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/link", "/etc/zipl.conf"),
        ("/etc/far", "../../../../secret"),
        ("/directory/far", "../../../../secret"),
        ("/dangling", "nowhere"),
        ("/etc/zipl.conf", None),
        ("/etc", None),
        ("/missing", None),
        ("/missing/link", None),
        ("/etc/zipl.conf/link", None),
    ],
)
def test_what_a_link_says_is_read_and_not_followed(
    root: Root, tree: Path, path: str, target: str | None
) -> None:
    (tree / "link").symlink_to("/etc/zipl.conf")
    (tree / "etc/far").symlink_to("../../../../secret")
    (tree / "directory").symlink_to("etc")
    (tree / "dangling").symlink_to("nowhere")

    assert root.link_target(path) == target


def test_the_links_of_a_directory(root: Root, tree: Path) -> None:
    (tree / "etc/far").symlink_to("../../../../secret")
    (tree / "etc/\udcff").symlink_to("/x\udcfe")
    (tree / "etc/directory").mkdir()
    (tree / "link").symlink_to("etc")

    found = {"far": "../../../../secret", "\udcff": "/x\udcfe"}

    assert root.symbolic_links("/etc") == found
    assert root.symbolic_links("/link") == found
    with pytest.raises(NotFoundError):
        root.symbolic_links("/missing")


def test_stat_follows_links(root: Root, tree: Path) -> None:
    (tree / "etc/zipl.conf").chmod(0o640)
    (tree / "link").symlink_to("etc/zipl.conf")

    found = root.stat("/link")

    assert found is not None
    assert (found.is_regular, found.size, found.mode) == (True, 14, 0o640)


def test_a_root_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(NotFoundError):
        Root(tmp_path / "no")
    with pytest.raises(NotFoundError, match="not a directory"):
        Root(tmp_path / "file")


def test_the_machine_itself_is_a_root_too() -> None:
    with Root(Path("/")) as root:
        assert root.shown("/etc/zipl.conf") == "/etc/zipl.conf"
        assert root.read_bytes("/proc/self/stat").startswith(str(os.getpid()).encode())


def test_a_subtree_is_a_tree_of_its_own(root: Root, tree: Path) -> None:
    (tree / "var/lib/state").mkdir(parents=True)
    (tree / "var/lib/state/link").symlink_to("/etc/zipl.conf")
    (tree / "var/lib/state/up").symlink_to("../../../etc/zipl.conf")

    with root.subtree("/var/lib/state") as inner:
        assert inner.stat("/link") is None
        assert inner.stat("/up") is None
        write_new(inner, "/file", b"x")
        assert inner.shown("/file") == f"{tree}/var/lib/state/file"
    assert (tree / "var/lib/state/file").read_bytes() == b"x"


def test_directories_are_made_with_their_mode(root: Root, tree: Path) -> None:
    umask = os.umask(0o077)
    try:
        root.make_directories("/var/lib/secboot", 0o750)
    finally:
        os.umask(umask)

    assert stat.S_IMODE((tree / "var/lib/secboot").stat().st_mode) == 0o750
    root.make_directories("/var/lib/secboot", 0o700)
    assert stat.S_IMODE((tree / "var/lib/secboot").stat().st_mode) == 0o750


def test_directories_are_made_behind_links_inside_the_tree(root: Root, tree: Path) -> None:
    (tree / "data").mkdir()
    (tree / "var").symlink_to("/data")

    root.make_directories("/var/lib")

    assert (tree / "data/lib").is_dir()


def test_replacing_keeps_the_link_and_breaks_no_hard_link(root: Root, tree: Path) -> None:
    (tree / "link").symlink_to("etc/zipl.conf")
    os.link(tree / "etc/zipl.conf", tree.parent / "outside")

    replace(root, "/link", b"new\n", root.read_file("/link"))

    assert (tree / "link").is_symlink()
    assert (tree / "etc/zipl.conf").read_bytes() == b"new\n"
    assert (tree.parent / "outside").read_bytes() == b"[defaultboot]\n"
    assert names(tree / "etc") == ["zipl.conf"]


def test_replacing_a_file_that_was_changed_is_refused(root: Root, tree: Path) -> None:
    seen = root.read_file("/etc/zipl.conf")
    (tree / "etc/zipl.conf").write_text("[edited]\n")

    with pytest.raises(ChangedError):
        replace(root, "/etc/zipl.conf", b"new\n", seen)

    assert (tree / "etc/zipl.conf").read_text() == "[edited]\n"
    assert names(tree / "etc") == ["zipl.conf"]


def test_replacing_a_file_whose_mode_was_changed_is_refused(root: Root, tree: Path) -> None:
    seen = root.read_file("/etc/zipl.conf")
    (tree / "etc/zipl.conf").chmod(0o600)

    with pytest.raises(ChangedError):
        replace(root, "/etc/zipl.conf", b"new\n", seen)


@pytest.mark.parametrize("can_exchange", [True, False])
def test_an_edit_at_the_last_instant_is_not_lost(
    root: Root, tree: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    """Somebody saves the file immediately before it is replaced."""
    real = syscalls.exchange
    edits = iter(["[edited]\n"])

    def exchange(directory: int, one: bytes, other: bytes) -> None:
        for edit in edits:
            (tree / "etc/.swap").write_text(edit)
            (tree / "etc/.swap").rename(tree / "etc/zipl.conf")
        if not can_exchange:
            raise UnavailableError
        real(directory, one, other)

    monkeypatch.setattr("secboot.system.directory.exchange", exchange)
    seen = root.read_file("/etc/zipl.conf")

    with pytest.raises(ChangedError):
        replace(root, "/etc/zipl.conf", b"new\n", seen)
    assert (tree / "etc/zipl.conf").read_text() == "[edited]\n"
    assert names(tree / "etc") == ["zipl.conf"]


def test_where_names_can_not_be_exchanged_the_last_look_is_before_the_rename(
    root: Root, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented limit of such file systems: a change in between is lost."""

    def exchange(*_: object) -> None:
        raise UnavailableError

    real = os.replace

    def rename(old: bytes, new: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        (tree / "etc/zipl.conf").write_text("[edited]\n")
        real(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr("secboot.system.directory.exchange", exchange)
    monkeypatch.setattr(os, "replace", rename)

    replace(root, "/etc/zipl.conf", b"new\n", root.read_file("/etc/zipl.conf"))

    assert (tree / "etc/zipl.conf").read_text() == "new\n"


def test_replacing_a_file_that_is_gone_is_refused(root: Root, tree: Path) -> None:
    seen = root.read_file("/etc/zipl.conf")
    (tree / "etc/zipl.conf").unlink()

    with pytest.raises(ChangedError):
        replace(root, "/etc/zipl.conf", b"new\n", seen)

    assert names(tree / "etc") == []


def test_writing_where_a_file_is_already(root: Root, tree: Path) -> None:
    with pytest.raises(ChangedError):
        write_new(root, "/etc/zipl.conf", b"new")

    assert (tree / "etc/zipl.conf").read_text() == "[defaultboot]\n"
    assert names(tree / "etc") == ["zipl.conf"]


def test_removing_a_link_keeps_its_target(root: Root, tree: Path) -> None:
    (tree / "link").symlink_to("etc/zipl.conf")

    remove(root, "/link")

    assert not (tree / "link").is_symlink()
    assert (tree / "etc/zipl.conf").exists()
    with pytest.raises(NotFoundError):
        remove(root, "/link")


def test_the_parent_of_a_real_path_is_opened_without_following_links(
    root: Root, tree: Path
) -> None:
    (tree / "link").symlink_to("etc")

    with pytest.raises(FileError):
        root.open_directory("/link")
    with pytest.raises(FileError):
        root.read_direct("/link/zipl.conf")


@pytest.mark.parametrize(
    "act",
    [
        lambda root: root.read_bytes("/etc/zipl.conf"),
        lambda root: root.list_directory("/closed"),
        lambda root: root.stat("/closed/file"),
        lambda root: root.real_path("/closed/file"),
        lambda root: root.open_directory("/closed").read("file"),
        lambda root: root.make_directories("/etc/secboot"),
        lambda root: write_new(root, "/etc/new", b""),
    ],
    ids=["read", "list", "stat", "real path", "read in place", "make", "write"],
)
def test_missing_rights_are_named(root: Root, tree: Path, act: Callable[[Root], object]) -> None:
    (tree / "closed").mkdir()
    (tree / "closed/file").write_text("")
    (tree / "etc/zipl.conf").chmod(0)
    (tree / "etc").chmod(0o555)
    (tree / "closed").chmod(0)

    with as_nobody(), pytest.raises(AccessError) as caught:
        act(root)
    assert caught.value.hint == "run secboot as root"


def test_what_can_not_be_read_is_not_readable(root: Root, tree: Path) -> None:
    (tree / "etc/zipl.conf").chmod(0)

    with as_nobody():
        assert not root.is_readable("/etc/zipl.conf")
        assert root.exists("/etc/zipl.conf")
        assert root.text_or_none("/etc/zipl.conf") is None


def test_a_temporary_name_is_no_boot_entry() -> None:
    name = temporary_name()

    assert name.startswith(".")
    assert not name.endswith(".conf")
    assert name != temporary_name()


def swap(tree: Path, outside: Path) -> None:
    """Turn a directory and a file of the tree into links that lead out, and back, forever."""
    swapped, aside, file = tree / "swapped", tree / "aside", tree / "swapped/file"
    while True:
        swapped.rename(aside)
        swapped.symlink_to(outside)
        swapped.unlink()
        aside.rename(swapped)
        (swapped / "link.new").symlink_to("../../outside/file")
        (swapped / "link.new").rename(file)
        (swapped / "plain").write_bytes(b"inside")
        (swapped / "plain").rename(file)


@pytest.fixture
def attacker(tree: Path, tmp_path: Path) -> Iterator[Path]:
    """Start a process that swaps ``/swapped`` and the file in it; yield the directory they lead to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(SECRET)
    (tree / "swapped").mkdir()
    (tree / "swapped/file").write_bytes(b"inside")
    child = os.fork()
    if child == 0:
        try:
            swap(tree, outside)
        finally:
            os._exit(1)
    yield outside
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, "the attacker gave up"


@pytest.mark.fault
def test_links_swapped_all_the_time_never_lead_out(root: Root, attacker: Path) -> None:
    """Yield for a second and a half, and until each side has won some rounds."""
    outcomes: Counter[str] = Counter()
    started = time.monotonic()
    while time.monotonic() - started < 1.5 or (
        len(outcomes) < 4 and time.monotonic() - started < 60
    ):
        try:
            assert root.read_bytes("/swapped/file") in {b"inside", b"", b"ours"}
            outcomes["read"] += 1
            replace(root, "/swapped/file", b"ours", root.read_file("/swapped/file"))
            outcomes["replaced"] += 1
        except SecbootError:
            outcomes["refused"] += 1
        try:
            write_new(root, "/swapped/new", b"ours")
            outcomes["made"] += 1
            remove(root, "/swapped/new")
        except SecbootError:
            outcomes["refused"] += 1

    assert set(outcomes) == {"read", "replaced", "made", "refused"}
    assert names(attacker) == ["file"]
    assert (attacker / "file").read_bytes() == SECRET


@pytest.mark.parametrize("failure", [UnavailableError(), PermissionError(1, "seccomp")])
def test_without_openat2_every_step_is_looked_at(
    tree: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def openat2(*_: object) -> int:
        raise failure

    monkeypatch.setattr("secboot.system.confined.openat2", openat2)

    with Root(tree) as root:
        assert isinstance(root._resolver, WalkResolver)
        assert root.read_bytes("/etc/zipl.conf") == b"[defaultboot]\n"


def test_a_path_that_openat2_gives_up_on_is_walked(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Root(tree) as root:
        if not isinstance(root._resolver, KernelResolver):
            not_here("this kernel, or the filter of a container, has no openat2")

        def openat2(*_: object) -> int:
            raise BlockingIOError

        monkeypatch.setattr("secboot.system.confined.openat2", openat2)
        assert root.read_bytes("/etc/zipl.conf") == b"[defaultboot]\n"
