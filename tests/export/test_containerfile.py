"""The Containerfile of docs/how-to/images.md, as it stands on the page, built by the real buildah.

No container registry is used: the image that its FROM names is made here, from Debian 13's Python and a
busybox. Like a base image of bootc it has a Python and a shell, but no kernel and no bootc. What
bootc reads of the result is read here by the rules of its source (crates/lib/src/bootc_kargs.rs).
"""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.available import require_root, unavailable
from tests.command import secboot
from tests.docs.test_pages import BLOCK, DOCS, blocks
from tests.packaging.debian import DEBIAN_13
from tests.packaging.programs import require, run
from tests.s390x.testbed import require_ipl

PAGE = DOCS / "how-to/images.md"
LINES_OF_A_SCREEN = 24
FEDORA = """\
FROM localhost/site
RUN mkdir -p /boot \\
 && printf 'NAME="Fedora Linux"\\nID=fedora\\nVERSION_ID=41\\n' > /etc/os-release \\
 && echo UUID=1-2 / xfs defaults 0 0 > /etc/fstab
"""
APPLETS = ("mkdir", "sh")


def first_blocks() -> list[tuple[str, str]]:
    """The languages and texts of the first two blocks of the page."""
    return BLOCK.findall(PAGE.read_text())[:2]


def containerfile() -> str:
    """The first block of the page."""
    language, text = first_blocks()[0]
    assert language == "dockerfile"
    return text


def make_base(directory: Path) -> None:
    """Fill a directory with the files of the base image."""
    if DEBIAN_13.command() is None:
        unavailable("Debian 13's Python is not unpacked; run packaging/setup")
    # secboot.pyz has its own libraries, and nothing starts systemd.
    unused = shutil.ignore_patterns("dist-packages", "systemd*", "libsystemd*", "udev")
    shutil.copytree(DEBIAN_13.tree, directory, symlinks=True, ignore=unused)
    programs = directory / "usr/bin"
    (programs / "python3").symlink_to(f"python{DEBIAN_13.python}")
    shutil.copyfile(require_ipl().shell, programs / "busybox")
    (programs / "busybox").chmod(0o755)
    for applet in APPLETS:
        (programs / applet).symlink_to("busybox")
    if not (directory / "lib64").exists():
        (directory / "lib64").symlink_to("usr/lib64")


def bootc_kargs(root: Path, architecture: str) -> list[str]:
    """The kernel arguments that bootc adds for an image: all .toml files, in the order of their names."""
    found = list[str]()
    for path in sorted((root / "usr/lib/bootc/kargs.d").glob("*.toml")):
        document = tomllib.loads(path.read_text())
        assert {"kargs"} <= document.keys() <= {"kargs", "match-architectures"}
        for value in document.values():
            assert all(isinstance(each, str) for each in value)
        if architecture in document.get("match-architectures", [architecture]):
            found += document["kargs"]
    return found


class Builder:
    """buildah with its own store in `work`, without a container runtime."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._containers = list[str]()

    def build(self, tag: str, containerfile: str, context: Path) -> None:
        """Build an image."""
        file = self._work / "Containerfile"
        file.write_text(containerfile)
        isolation = ("--isolation", "chroot", "--pull-never")
        self._run("build", *isolation, "--tag", tag, "--file", file, context)

    def root(self, tag: str) -> Path:
        """The root directory of a container that is made from an image."""
        self._containers.append(self._run("from", "--pull-never", tag))
        return Path(self._run("mount", self._containers[-1]))

    def clear(self) -> None:
        """Remove everything."""
        self._run("umount", *self._containers)
        shutil.rmtree(self._work)

    def _run(self, *words: object) -> str:
        place = ("--root", self._work / "store", "--runroot", self._work / "run")
        done = run(
            *(require("buildah"), *place, "--storage-driver", "vfs", *words),
            env={"PATH": os.environ["PATH"], "HOME": str(self._work)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """A builder that has the image which the Containerfile of the page is based on."""
    require_root()
    base = tmp_path_factory.mktemp("base") / "files"
    make_base(base)
    (name,) = re.findall("^ARG BASE=(.*)$", containerfile(), re.MULTILINE)
    found = Builder(tmp_path_factory.mktemp("buildah"))
    found.build(name, "FROM scratch\nCOPY . /\n", base)
    shutil.rmtree(base)
    yield found
    found.clear()


@pytest.fixture(scope="module")
def image(builder: Builder, pyz: Path) -> Path:
    """The root directory of the image that the Containerfile of the page builds."""
    builder.build("localhost/site", containerfile(), pyz.parent)
    return builder.root("localhost/site")


def deployed(image: Path, tree: Path, architecture: str) -> None:
    """Make a tree with what bootc and ostree write for the image on a machine: a boot entry, and /etc."""
    words = ["root=UUID=1-2", "ostree=/ostree/boot.1/default/0", *bootc_kargs(image, architecture)]
    entry = tree / "boot/loader/entries/ostree-1.conf"
    entry.parent.mkdir(parents=True)
    entry.write_text(f"title Image\nversion 1\noptions {' '.join(words)}\nlinux /vmlinuz\n")
    (tree / "ostree/repo").mkdir(parents=True)
    shutil.copytree(image / "etc/secboot", tree / "etc/secboot")


def test_the_page_begins_with_two_blocks_of_one_screen() -> None:
    assert [language for language, _ in first_blocks()] == ["dockerfile", "sh"]
    for _, text in first_blocks():
        assert len(text.splitlines()) <= LINES_OF_A_SCREEN
        assert max(map(len, text.splitlines())) <= 100


def test_the_image_has_what_bootc_reads(image: Path) -> None:
    assert bootc_kargs(image, "s390x") == ["prot_virt=1"]
    assert bootc_kargs(image, "x86_64") == []
    assert os.access(image / "usr/bin/secboot", os.X_OK)


def test_the_active_profile_is_that_of_the_image(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the machine secboot knows it: it says whether the parameters of the image have arrived."""
    deployed(image, tmp_path / "s390x", "s390x")
    deployed(image, tmp_path / "other", "x86_64")

    kept = secboot(capsys, "keep", "--root", tmp_path / "s390x")
    missing = secboot(capsys, "keep", "--root", tmp_path / "other")

    assert kept.code == 0, kept.err
    assert kept.out.startswith("Active profile: host.\nNo changes: already matches the profile.\n")
    assert missing.code == 1
    needed = r'/usr/lib/bootc/kargs\.d/50-secboot-host\.toml:\n *kargs = \["prot_virt=1"\]\n'
    assert re.search(needed, missing.err), missing.err


@pytest.mark.usefixtures("image")
def test_apply_in_a_build_sets_the_parameters_of_future_kernels(
    builder: Builder, tmp_path: Path
) -> None:
    """The other Containerfile of the page, up to the installation of a kernel, which has no dnf here."""
    (block,) = (each for each in blocks(PAGE, "dockerfile") if each.startswith("RUN secboot apply"))
    apply, dnf = block.splitlines(keepends=True)
    assert dnf.startswith("RUN dnf install ")

    builder.build("localhost/fedora", f"{FEDORA}{apply}", tmp_path)
    root = builder.root("localhost/fedora")

    assert (root / "etc/kernel/cmdline").read_text() == "root=UUID=1-2 swiotlb=262144\n"
    assert (root / "etc/secboot/profile").read_text() == "guest\n"
