"""The wheel and the sdist: complete, valid, and installed by pip into an empty environment."""

from __future__ import annotations

import re
import sys
import tarfile
import venv
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.specifiers import SpecifierSet

import secboot
from tests.packaging.programs import CHECKOUT, URLS, run

pytestmark = pytest.mark.package


@pytest.fixture
def wheel(release: Path) -> Path:
    (found,) = release.glob("*.whl")
    return found


@pytest.fixture
def sdist(release: Path) -> Path:
    (found,) = release.glob("*.tar.gz")
    return found


def metadata_of(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return archive.read(name)


def test_the_metadata_is_valid(wheel: Path, sdist: Path) -> None:
    metadata = Metadata.from_email(metadata_of(wheel), validate=True)
    with tarfile.open(sdist) as archive:
        file = archive.extractfile(f"secboot-{secboot.__version__}/PKG-INFO")
        assert file is not None
        in_sdist = Metadata.from_email(file.read(), validate=True)

    assert metadata.name == "secboot"
    assert str(metadata.version) == secboot.__version__
    assert metadata.requires_python == SpecifierSet(">=3.11")
    assert metadata.license_expression == "Apache-2.0"
    assert metadata.license_files == ["LICENSE"]
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (CHECKOUT / "README.md").read_text()
    assert in_sdist.requires_dist == metadata.requires_dist
    assert (metadata.project_urls or {}).items() >= URLS.items()


def test_the_wheel_is_pure_python_and_complete(wheel: Path) -> None:
    package = Path(secboot.__file__).parent
    wanted = {
        f"secboot/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.suffix in {".py", ".json", ".typed"}
    }
    wanted |= {f"secboot/profiles/{path.name}" for path in (CHECKOUT / "profiles").glob("*.yaml")}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (tags,) = (each for each in names if each.endswith(".dist-info/WHEEL"))
        parsed: Message = BytesParser().parsebytes(archive.read(tags))

    assert parsed["Root-Is-Purelib"] == "true"
    assert parsed["Tag"] == "py3-none-any"
    assert wanted <= names
    assert not [name for name in names if name.startswith("tests/") or "__pycache__" in name]


def test_the_steps_of_an_installation_offline(tmp_path: Path) -> None:
    """The page's own commands; the second part finds wheels in the given directory and nowhere else."""
    section = (CHECKOUT / "docs/how-to/install.md").read_text().partition("\n## Offline\n")[2]
    steps = re.findall(
        r"^```sh\n(.*?)^```$", section.partition("\n## ")[0], re.DOTALL | re.MULTILINE
    )
    assert len(steps) == 2
    target = tmp_path / "opt"
    script = "set -eu\n" + "".join(steps).replace("/opt/secboot", str(target))
    script = script.replace("python3.11", sys.executable).replace(
        " wheelhouse", f" {tmp_path}/wheels"
    )

    done = run("sh", "-c", script, cwd=CHECKOUT)

    assert done.returncode == 0, done.stderr
    assert run(target / "bin/secboot", "--version").stdout == f"secboot {secboot.__version__}\n"


def test_pip_installs_it_into_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    pip = [environment / "bin/python", "-m", "pip", "--disable-pip-version-check"]
    installed = run(*pip, "install", "--quiet", wheel)
    assert installed.returncode == 0, installed.stderr
    assert run(*pip, "check").returncode == 0
    secboot_program = environment / "bin/secboot"
    machine = tmp_path / "machine"

    for words, expected in (
        (["--version"], f"secboot {secboot.__version__}\n"),
        (["demo", machine], "Wrote"),
        (["apply", "guest", "--root", machine], "Undo with: secboot rollback 1"),
        (["apply", "guest", "--root", machine], "Boot record not updated"),
    ):
        done = run(secboot_program, *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
    for page in ("man8/secboot.8", "man5/secboot-profile.5"):
        assert (environment / "share/man" / page).is_file()
