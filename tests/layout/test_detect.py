"""Which layout a tree has, by single pieces of evidence and combinations; the trees are in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyfakefs.fake_filesystem import FakeFilesystem

from secboot.checkpoint.journal import PROGRAMS
from secboot.errors import RefusedError, UsageError
from secboot.layout.detect import NAMES, detect_layout
from secboot.layout.layout import Layout
from secboot.machine.discovery import discover
from secboot.system.file_errors import FileError
from secboot.system.files import FILE_LIMIT
from secboot.system.root import Root
from tests.layout.seen_trees import (
    BLS,
    DEBIAN_VERSION,
    MARKS,
    PLUGIN,
    REPOSITORY,
    TREES,
    ZIPL_CONFIG,
)
from tests.memory import SOMEBODY, memory, user

__all__ = ["memory"]

UNCLEAR = {"contradictory", "unknown"}
OS_RELEASE = "/etc/os-release"
ALPINE = "ID=alpine\n"


def detect(named: str | None = None) -> Layout:
    with Root(Path("/")) as tree:
        return detect_layout(tree, named)


def make(memory: FakeFilesystem, *paths: str, os_release: str | None = None) -> None:
    for path in paths:
        memory.create_file(f"/{path}")
    if os_release is not None:
        memory.create_file(OS_RELEASE, contents=os_release)


@pytest.mark.parametrize("name", TREES)
def test_the_layout_is_detected_with_its_evidence(name: str, memory: FakeFilesystem) -> None:
    tree = TREES[name]
    make(memory, *tree.paths, os_release=tree.os_release)

    found = detect()

    assert (found.name, found.seen) == (tree.layout, tree.marks)
    assert (found.refusal is not None) == (tree.layout in UNCLEAR)
    assert {command.argv[0] for command in found.commit} <= PROGRAMS


@pytest.mark.parametrize("name", [name for name, tree in TREES.items() if tree.layout in UNCLEAR])
def test_what_is_not_clear_is_refused_until_it_is_named(name: str, memory: FakeFilesystem) -> None:
    tree = TREES[name]
    make(memory, *tree.paths, os_release=tree.os_release)

    with pytest.raises(RefusedError) as refused:
        detect().require_editable()

    assert all(mark.removeprefix("os-release: ") in refused.value.message for mark in tree.marks)
    assert "--layout " in (refused.value.hint or "")
    for layout in NAMES:
        named = detect(layout)
        assert named.name == layout
        named.require_editable()


@pytest.mark.parametrize("name", TREES)
def test_one_more_mark_never_leads_to_a_third_layout(name: str, memory: FakeFilesystem) -> None:
    """It is detected by the new evidence, still by the old, or they contradict each other."""
    tree = TREES[name]
    make(memory, *tree.paths, os_release=tree.os_release)
    for mark, layout in MARKS.items():
        if mark in tree.paths:
            continue
        memory.create_file(f"/{mark}")
        assert detect().name in {tree.layout, layout, "contradictory"}
        memory.remove(f"/{mark}")


@pytest.mark.parametrize("mark", MARKS)
def test_each_mark_alone_is_enough(mark: str, memory: FakeFilesystem) -> None:
    make(memory, mark)

    assert detect().name == MARKS[mark]


def test_each_layout_is_among_the_trees() -> None:
    assert {tree.layout for tree in TREES.values()} == {*NAMES, *UNCLEAR}
    assert {*MARKS.values()} == {*NAMES} - {"zipl.conf"}


def link(target: str) -> Callable[[FakeFilesystem], object]:
    return lambda memory: memory.create_symlink(OS_RELEASE, target)


def secret(path: str) -> Callable[[FakeFilesystem], None]:
    def make_secret(memory: FakeFilesystem) -> None:
        memory.create_file(OS_RELEASE, contents=ALPINE)
        memory.chmod(path, 0)

    return make_secret


@pytest.mark.parametrize(
    ("make_file", "expected"),
    [
        (link("../usr/lib/os-release"), "debian"),
        (link("/usr/lib/os-release"), "debian"),
        # An unreadable file is skipped, as os-release(5) requires for a missing one.
        (link("nowhere"), "debian"),
        (link("os-release"), "debian"),
        (secret(OS_RELEASE), "debian"),
        (secret("/etc"), "debian"),
        (lambda memory: memory.create_dir(OS_RELEASE), "debian"),
        (lambda memory: memory.create_file("/etc"), "debian"),
        (lambda memory: memory.create_file(OS_RELEASE, contents="#" * 2**17), "debian"),
        # A readable file is used, whatever it contains.
        (lambda memory: memory.create_file(OS_RELEASE), "zipl.conf"),
        (lambda memory: memory.create_file(OS_RELEASE, contents=b"ID=\xff\n"), "unknown"),
        (lambda memory: memory.create_file(OS_RELEASE, contents="ID=x\nID='alpine' \n"), "alpine"),
        (lambda memory: memory.create_file(OS_RELEASE, contents="# ID=sles\n" + ALPINE), "alpine"),
    ],
)
def test_the_second_os_release_counts_where_the_first_can_not_be_read(
    make_file: Callable[[FakeFilesystem], object], expected: str, memory: FakeFilesystem
) -> None:
    memory.create_file("/usr/lib/os-release", contents="ID=debian\n")
    make_file(memory)

    with user(SOMEBODY):
        assert detect().name == expected


@pytest.mark.parametrize("name", [name for name, tree in TREES.items() if tree.layout == "ostree"])
def test_a_mark_that_can_not_be_looked_at_does_not_count(name: str, memory: FakeFilesystem) -> None:
    """Then other evidence decides, or it is contradictory; nothing is guessed."""
    tree = TREES[name]
    make(memory, *tree.paths, os_release=tree.os_release)
    hidden = [name for name in ("/ostree", "/run", "/sysroot") if memory.exists(name)]
    for directory in hidden:
        memory.chmod(directory, 0)

    with user(SOMEBODY):
        found = detect()

    left = [mark for mark in tree.seen if not mark.startswith(tuple(hidden))]
    assert left == ([*found.seen] if found.name == "ostree" else [])


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("title A\noptions rw ostree=/ostree/boot.1/os/0123/0 root=UUID=1\n", "ostree="),
        ("options composefs=0123\n", "composefs="),
        ("options rw xostree=1 a=ostree=1\n", None),
        ("title A ostree=\nx-options ostree=/a\n", None),
        ("# options ostree=/a\n", None),
    ],
)
def test_a_deployment_is_known_by_the_options_of_its_entry(
    text: str, mark: str | None, memory: FakeFilesystem
) -> None:
    make(memory, PLUGIN)
    memory.create_file(f"/{BLS}", contents=text)

    found = detect()

    assert found.name == ("bls" if mark is None else "ostree")
    if mark is not None:
        assert found.seen == (f"{mark} in /{BLS}",)


def test_the_root_of_a_deployment_has_a_link_in_the_place_of_its_repository(
    memory: FakeFilesystem,
) -> None:
    make(memory, PLUGIN, BLS)
    memory.create_symlink("/ostree", "sysroot/ostree")

    assert (detect().name, detect().seen) == ("ostree", ("/ostree",))


class CountingRoot(Root):
    """Counts the files that are read."""

    reads = 0

    def read_bytes(self, path: str, limit: int = FILE_LIMIT) -> bytes:
        self.reads += 1
        return super().read_bytes(path, limit)


def test_few_of_many_entries_are_read(memory: FakeFilesystem) -> None:
    for number in range(500):
        memory.create_file(f"/boot/loader/entries/{number}.conf", contents="options a\n")
    with CountingRoot(Path("/")) as tree:
        assert detect_layout(tree).name == "bls"

    assert tree.reads < 20


@pytest.mark.parametrize("directory", ["/boot", "/boot/loader", "/boot/loader/entries"])
def test_entries_that_can_not_be_listed_are_an_error(
    directory: str, memory: FakeFilesystem
) -> None:
    """Whether any exist decides; zipl would fail there as well."""
    make(memory, BLS)
    memory.chmod(directory, 0)

    with user(SOMEBODY), pytest.raises(FileError, match="permission denied"):
        detect()


@pytest.mark.parametrize("directory", ["/boot", "/boot/loader", "/boot/loader/entries"])
def test_a_file_instead_of_the_directory_of_entries_is_not_an_error(
    directory: str, memory: FakeFilesystem
) -> None:
    memory.create_file(directory)

    assert detect().name == "zipl.conf"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_decides_whatever_is_seen(name: str, memory: FakeFilesystem) -> None:
    make(memory, PLUGIN, DEBIAN_VERSION, ZIPL_CONFIG, REPOSITORY)

    assert detect(name).name == name


def test_an_unknown_name_is_reported_with_the_known_ones(memory: FakeFilesystem) -> None:
    make(memory)

    with pytest.raises(UsageError) as info:
        detect("grub\x1b[0m")

    assert "\x1b" not in str(info.value)
    assert info.value.hint == f"available: {', '.join(NAMES)}"


@given(text=st.text(max_size=60) | st.binary(max_size=60).map(lambda b: b.decode("latin-1")))
@settings(max_examples=50)
def test_any_os_release_is_read_or_ignored(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.mktemp("root")
    (base / "etc").mkdir()
    (base / "etc/os-release").write_bytes(text.encode("utf-8", "surrogatepass"))

    with Root(base) as tree:
        assert detect_layout(tree).name in {*NAMES, "unknown"}


def test_suse_without_generated_files_is_read(tmp_path: Path) -> None:
    (tmp_path / "etc/default").mkdir(parents=True)
    for name in ("zipl2grub.conf.in", "grub"):
        (tmp_path / "etc/default" / name).write_text("")

    with Root(tmp_path) as tree:
        machine = discover(tree, detect_layout(tree).sources)

    assert machine.conf_path == "/boot/zipl/config"
    assert machine.configuration.entries == ()
    assert machine.file("/etc/default/grub") is not None
