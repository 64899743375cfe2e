"""A release: reproducible, with checksums and an SBOM, and clean for what checks it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import secboot
from tests.packaging.programs import CHECKOUT, run

pytestmark = pytest.mark.package

# packaging/release itself runs twine and check-wheel-contents, and fails where they find something.


def test_it_is_the_same_bytes_from_its_sdist(release: Path, tmp_path: Path) -> None:
    sdist = release / f"secboot-{secboot.__version__}.tar.gz"
    assert run("tar", "-x", "-f", sdist, cwd=tmp_path).returncode == 0
    sources = tmp_path / f"secboot-{secboot.__version__}"
    odd = {"TZ": "Asia/Tokyo", "HOME": str(tmp_path), "LC_ALL": "C", "PYTHONHASHSEED": "7"}

    again = run(
        *("sh", "-c", 'umask 077; exec "$@"', "sh"),
        *(sys.executable, sources / "packaging/release", tmp_path / "again"),
        cwd=tmp_path,
        env={**os.environ, **odd},
    )

    assert again.returncode == 0, again.stderr
    assert again.stdout == (release / "SHA256SUMS").read_text()
    for path in release.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_the_checksums_are_of_all_files(release: Path) -> None:
    checked = run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=release)
    named = {line.split("  ")[1] for line in (release / "SHA256SUMS").read_text().splitlines()}

    assert checked.returncode == 0, checked.stdout
    assert {path.name for path in release.iterdir()} == named | {"SHA256SUMS"}
    assert named == {
        f"secboot-{secboot.__version__}-py3-none-any.whl",
        f"secboot-{secboot.__version__}.cdx.json",
        f"secboot-{secboot.__version__}.tar.gz",
        "secboot.pyz",
    }


def test_the_sbom_is_of_the_single_file(release: Path) -> None:
    document = json.loads((release / f"secboot-{secboot.__version__}.cdx.json").read_text())
    root = document["metadata"]["component"]
    components = {each["name"]: each for each in document["components"]}
    lock = (CHECKOUT / "packaging/pyz.lock").read_text()
    pins = [line.split(" --hash=sha256:") for line in lock.splitlines() if "==" in line]
    edges = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}

    assert (root["name"], root["version"]) == ("secboot", secboot.__version__)
    assert [f"{each['name']}=={each['version']}" for each in components.values()] == [
        pin for pin, _ in pins
    ]
    for component, (_, digest) in zip(components.values(), pins, strict=True):
        (hashed,) = component["externalReferences"][0]["hashes"]
        assert hashed == {"alg": "SHA-256", "content": digest}
        assert component["licenses"]
    (click,) = components["typer"]["components"]
    assert (click["name"], click["version"]) == ("click", "8.3.1")
    assert click["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert edges[root["bom-ref"]] == [
        components[name]["purl"] for name in ("defusedxml", "ruamel-yaml", "typer")
    ]
    assert edges[components["typer"]["purl"]] == [
        components[name]["purl"] for name in ("annotated-doc", "shellingham")
    ]
