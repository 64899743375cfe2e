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
from tests.docs.test_pages import BLOCK, DOCS
from tests.packaging.debian import DEBIAN_13
from tests.packaging.programs import require, run
from tests.s390x.testbed import require_ipl

PAGE = DOCS / "how-to/images.md"
LINES_OF_A_SCREEN = 24
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
    libraries = shutil.ignore_patterns("dist-packages")  # secboot.pyz has its own
    shutil.copytree(DEBIAN_13.tree, directory, symlinks=True, ignore=libraries)
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


@pytest.fixture(scope="module")
def image(pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The root directory of the image that the Containerfile of the page builds."""
    require_root()
    work = tmp_path_factory.mktemp("containerfile")
    (base,) = re.findall("^ARG BASE=(.*)$", containerfile(), re.MULTILINE)

    def buildah(*words: object) -> str:
        done = run(
            *(require("buildah"), "--root", work / "store", "--runroot", work / "run"),
            *("--storage-driver", "vfs", *words),
            env={"PATH": os.environ["PATH"], "HOME": str(work)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    build = ("build", "--isolation", "chroot", "--pull-never")
    make_base(work / "base")
    (work / "Containerfile").write_text("FROM scratch\nCOPY . /\n")
    buildah(*build, "--tag", base, "--file", work / "Containerfile", work / "base")
    (work / "site").mkdir()
    (work / "site/Containerfile").write_text(containerfile())
    shutil.copyfile(pyz, work / "site/secboot.pyz")
    buildah(*build, "--tag", "site", work / "site")
    container = buildah("from", "--pull-never", "localhost/site")
    yield Path(buildah("mount", container))
    buildah("umount", container)
    shutil.rmtree(work)


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
