"""Which profile is active, and what `keep` does with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import secboot
from tests.trees import make_sample_tree, snapshot

SITE = "version: 1\nextends: host\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_sample_tree("rhel8", tmp_path / "root")
    (root / "etc/secboot/profiles").mkdir(parents=True)
    return root


def new_entry(root: Path) -> Path:
    entry = root / "boot/loader/entries/new.conf"
    entry.write_text("title New\nversion 9\nlinux /boot/vmlinuz-9\noptions ro\n")
    (root / "boot/vmlinuz-9").write_bytes((root / "boot/vmlinuz-4.18.0-147.el8.s390x").read_bytes())
    return entry


def options(entry: Path) -> str:
    return entry.read_text().partition("options ")[2].strip()


def test_nothing_was_applied(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry, before = new_entry(root), snapshot(root)

    said = secboot(capsys, "keep", "--root", root)

    assert (said.code, said.out) == (0, "No active profile.\n")
    assert snapshot(root) == before
    assert not (root / "var").exists()
    assert options(entry) == "ro"


def test_the_newest_apply_is_in_force(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for profile in ("guest", "host"):
        assert secboot(capsys, "apply", profile, "--root", root).code == 0
    entry = new_entry(root)

    said = secboot(capsys, "keep", "--root", root)

    assert said.code == 0, said.err
    assert options(entry) == "ro prot_virt=1"
    assert "Boot record not updated" in said.out


def test_a_rollback_ends_the_force(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secboot(capsys, "apply", "guest", "--root", root)
    secboot(capsys, "apply", "host", "--root", root)
    assert secboot(capsys, "rollback", "--root", root).code == 0
    entry = new_entry(root)

    assert secboot(capsys, "keep", "--root", root).code == 0
    assert options(entry) == "ro swiotlb=262144"


def test_what_is_declared_comes_first(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secboot(capsys, "apply", "guest", "--root", root)
    (root / "etc/secboot/profile").write_text("# this site's\n\n  site \n")
    (root / "etc/secboot/profiles/site.yaml").write_text(SITE)
    entry = new_entry(root)

    assert secboot(capsys, "keep", "--root", root).code == 0
    assert options(entry) == "ro prot_virt=1"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *(
            (each, "exactly one profile name")
            for each in ("", "# none\n", "host\nguest\n", "/a.yaml\n")
        ),
        ("none\n", "profile 'none' not found"),
    ],
)
def test_a_declaration_of_anything_else_is_an_error(
    text: str, why: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "etc/secboot/profile").write_text(text)

    said = secboot(capsys, "keep", "--root", root)

    assert said.code == 2
    assert f"{root}/etc/secboot/profile: " in said.err
    assert why in said.err


def test_a_profile_that_was_changed_since_is_not_forced(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = root / "etc/secboot/profiles/site.yaml"
    profile.write_text(SITE)
    assert secboot(capsys, "apply", "site", "--root", root).code == 0
    profile.write_text("version: 1\nextends: guest\n")
    entry = new_entry(root)

    said = secboot(capsys, "keep", "--root", root)

    assert said.code == 1
    assert "was changed after checkpoint 1 applied it" in said.err
    assert f"`secboot plan site --root {root}`" in said.err
    assert options(entry) == "ro"


def test_a_profile_named_by_path_has_to_get_a_place(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / "mine.yaml"
    profile.write_text(SITE)
    assert secboot(capsys, "apply", profile, "--root", root).code == 0
    new_entry(root)

    said = secboot(capsys, "keep", "--root", root)
    assert said.code == 1
    assert f"put it in {root}/etc/secboot/profiles" in said.err

    (root / "etc/secboot/profiles/mine.yaml").write_text(SITE)
    assert secboot(capsys, "keep", "--root", root).code == 0


def test_set_leaves_the_active_profile_what_it_is(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    said = secboot(capsys, "set", "nosmt", "--root", root)
    assert said.code == 0, said.err
    assert "stays active" not in said.out
    entry = new_entry(root)

    kept = secboot(capsys, "keep", "--root", root)

    assert kept.out.startswith("Active profile: guest.\n")
    assert options(entry) == "ro swiotlb=262144"
    history = secboot(capsys, "history", "--root", root).out
    assert [line.split("  ")[2].strip() for line in history.splitlines()[1:4]] == [
        "apply guest",
        "set nosmt",
        "apply guest",
    ]


def test_set_alone_puts_no_profile_in_force(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert secboot(capsys, "set", "nosmt", "--root", root).code == 0
    entry = new_entry(root)

    said = secboot(capsys, "keep", "--root", root)

    assert (said.code, said.out) == (0, "No active profile.\n")
    assert options(entry) == "ro"


def test_set_says_what_the_active_profile_brings_back(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    for words in (["swiotlb-"], ["swiotlb=1000", "nosmt"]):
        said = secboot(capsys, "set", *words, "--dry-run", "--root", root)
        assert said.code == 0
        assert "the profile 'guest' stays active and requires swiotlb at least" in said.out
        assert f"secboot apply PROFILE --root {root}" in said.out
    for words in (["swiotlb=524288"], ["nosmt"], ["prot_virt-"]):
        said = secboot(capsys, "set", *words, "--dry-run", "--root", root)
        assert "stays active" not in said.out
    (root / "etc/secboot/profile").write_text("host\n")

    said = secboot(capsys, "set", "swiotlb-", "--dry-run", "--root", root)

    assert "stays active" not in said.out


def test_a_rollback_undoes_what_was_set_and_not_the_profile(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secboot(capsys, "apply", "guest", "--root", root)
    before = snapshot(root / "boot")
    secboot(capsys, "set", "swiotlb-", "nosmt", "--root", root)

    said = secboot(capsys, "rollback", "--root", root)

    assert said.code == 0
    assert snapshot(root / "boot") == before
    assert "with swiotlb=262144 and without nosmt" in said.out
    assert secboot(capsys, "keep", "--root", root).out.startswith("Active profile: guest.\n")
