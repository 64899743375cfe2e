"""``secboot export``: what goes to standard output, what to standard error, and the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.command import secboot
from tests.export.requests import SITE, SITE_PATH


def test_only_the_text_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "export", "guest", "--format", "pvimg")

    assert said.code == 0
    assert said.out == "swiotlb=262144\n"
    assert said.err.startswith("note: this is the whole parameter line")


def test_a_refusal_names_the_place_and_the_alternatives(capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "export", "host-off", "--format", "bootc")

    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("secboot: error: <shipped>/host-off.yaml:9:3: bootc can only add")
    assert "ansible, cloud-init" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["guest"],
        ["guest", "--format", "grub"],
        ["guest", "--format", "bootc", "--line", "root=/dev/vda1"],
        ["nobody", "--format", "bootc"],
    ],
)
def test_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "export", *words)

    assert said.code == 2
    assert said.out == ""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with its own profile."""
    profiles = tmp_path / "root/etc/secboot/profiles"
    profiles.mkdir(parents=True)
    (profiles / "site.yaml").write_text(SITE)
    return tmp_path / "root"


def test_the_files_of_a_profile_are_included(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.yaml").write_text("version: 1\nextends: site")

    said = secboot(capsys, "export", tmp_path / "shop.yaml", "-f", "cloud-init", "--root", root)

    assert said.code == 0, said.err
    document = YAML(typ="safe", pure=True).load(said.out)
    assert document["write_files"] == [
        {"path": "/etc/secboot/profiles/shop.yaml", "content": "version: 1\nextends: site\n"},
        {"path": SITE_PATH, "content": SITE},
    ]
    assert document["runcmd"] == [["secboot", "apply", "shop"]]


def test_two_files_of_one_name_are_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.yaml").write_text("version: 1\nextends: site\n")

    said = secboot(capsys, "export", tmp_path / "site.yaml", "-f", "ansible", "--root", root)

    assert said.code == 1
    assert "would both be /etc/secboot/profiles/site.yaml" in said.err


@pytest.mark.parametrize("name", ["a b;c.yaml", "x.plan.yaml"])
def test_a_name_that_no_machine_could_look_up_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / name
    odd.write_text(SITE)

    said = secboot(capsys, "export", odd, "-f", "autoinstall")

    assert said.code == 1
    assert "cannot be the name of a profile" in said.err


def test_warnings_about_the_profile_are_passed_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "small.yaml"
    small.write_text("version: 1\nparameters: {swiotlb: 8 MiB}\n")

    said = secboot(capsys, "export", small, "-f", "bootc")

    assert said.code == 0
    assert "is small" in said.err
    # A hint has its own line, and a newline is not shown as two characters.
    assert "\n    IBM recommends 512 MiB" in said.err
    assert "\\n" not in said.err
