from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from secboot.errors import RefusedError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.profile import search
from secboot.profile.profile import Profile
from secboot.profile.search import SHIPPED, shipped_text
from tests.profile.profile_files import load

PROJECT = Path(__file__).parent.parent.parent
FOLDER = PROJECT / "profiles"
SHUT = "panic=0 rd.shell=0 quiet console=ttysclp0 blacklist=virtio_rng"


def apply(profile: Profile, text: str) -> str:
    line = CommandLine.parse(text)
    for requirement in profile.requirements:
        line = requirement.fulfil(line)
    return line.text


def test_the_folder_holds_what_is_listed() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.yaml" for name in SHIPPED}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_reads_without_warning_and_explains_itself(name: str) -> None:
    profile = load(name)

    assert profile.warnings == ()
    assert profile.description
    assert shipped_text(name) == (FOLDER / f"{name}.yaml").read_text()
    assert (FOLDER / f"{name}.yaml").read_text().startswith("# ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("host", "root=/dev/dasda1 prot_virt=1"),
        ("guest", "root=/dev/dasda1 swiotlb=262144"),
        ("guest-large", "root=/dev/dasda1 swiotlb=524288"),
        (
            "guest-secure",
            f"root=/dev/dasda1 swiotlb=262144 {SHUT}",
        ),
        ("host-off", "root=/dev/dasda1"),
        ("guest-off", "root=/dev/dasda1"),
    ],
)
def test_how_they_change_a_plain_line(name: str, expected: str) -> None:
    assert apply(load(name), "root=/dev/dasda1") == expected


@pytest.mark.parametrize(("on", "off"), [("host", "host-off"), ("guest", "guest-off")])
def test_turning_a_role_on_and_off_restores_the_line(on: str, off: str) -> None:
    text = "root=/dev/dasda1  console=ttyS0 -- x \n"

    assert apply(load(off), apply(load(on), text)) == text


def test_there_are_no_others() -> None:
    assert shipped_text("../host") is None
    assert shipped_text("other") is None


def test_an_incomplete_installation_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SHIPPED", ("gone",))

    with pytest.raises(RefusedError, match="the installation of secboot is incomplete"):
        shipped_text("gone")


@pytest.mark.parametrize("packed", [False, True], ids=["installed", "zip application"])
def test_they_are_found_inside_the_package(tmp_path: Path, *, packed: bool) -> None:
    place = tmp_path / "app.pyz" if packed else tmp_path / "site-packages"
    files = {path.relative_to(PROJECT): path for path in (PROJECT / "secboot").rglob("*.py")}
    files |= {Path("secboot/profiles") / path.name: path for path in FOLDER.iterdir()}
    if packed:
        with zipfile.ZipFile(place, "w") as archive:
            for name, path in files.items():
                archive.write(path, name)
    else:
        for name, path in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(path.read_bytes())
    program = (
        "import secboot, sys\n"
        f"assert secboot.__file__.startswith({str(place)!r})\n"
        "from secboot.profile.search import SHIPPED, shipped_text\n"
        "assert all('version: 1' in shipped_text(name) for name in SHIPPED)\n"
    )

    subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(place)!r})\n{program}"],
        check=True,
    )
