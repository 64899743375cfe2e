"""``secboot set``: the same as a profile of the same text, down to the JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.command import secboot
from tests.trees import make_sample_tree, snapshot

WORDS = (
    "nosmt", "quiet-", "loglevel=3", "console=ttyS1", "console-=ttysclp0", "rd.dasd-=0.0.0120",
    "crashkernel=256M", "swiotlb=262144", "prot_virt-", 'note="a b"', "rd.lvm.lv+=x/y", "audit-=1",
)  # fmt: skip


def planned(
    capsys: pytest.CaptureFixture[str], *words: str | Path
) -> tuple[dict[str, object], dict[str, object]]:
    """The plan's document, and the parts of it that name the profile."""
    said = secboot(capsys, *words, "--output", "json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    document.pop("made", None)
    return document, document.pop("profile")


@pytest.mark.parametrize("tree", ["rhel8", "ubuntu-installer", "lfs-parmfile", "rhel9"])
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True))
def test_the_plan_is_that_of_the_profile_it_prints(
    words: list[str],
    tree: str,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    directory = tmp_path_factory.mktemp("set")
    root = make_sample_tree(tree, directory / "root")
    shown = secboot(capsys, "set", *words, "--show-profile", "--root", root)
    file = directory / "set.yaml"
    file.write_text(shown.out)

    by_words, named = planned(capsys, "set", *words, "--dry-run", "--root", root)
    by_file, read = planned(capsys, "plan", file, "--root", root)

    assert without_places(by_words) == without_places(by_file)
    assert named["description"] == read["description"]
    assert (named["name"], named["path"]) == ("set", "<command line>")
    before = snapshot(root)
    applied = secboot(capsys, "set", *words, "--root", root, "--output", "json")
    assert applied.code == 0, applied.err
    document = json.loads(applied.out)
    assert document["plan"]["files"] == by_words["files"]
    again, _ = planned(capsys, "set", *words, "--dry-run", "--root", root)
    assert again["files"] == []
    if document["checkpoint"] is not None:
        assert snapshot(root) != before
        assert secboot(capsys, "rollback", "--root", root).code == 0
    assert snapshot(root) == before


def without_places(document: dict[str, object]) -> dict[str, object]:
    """The document without the locations in the profile that warnings have."""
    warnings = document["warnings"]
    assert isinstance(warnings, list)
    left = [
        {**each, "location": None} if str(each["code"]).startswith("profile.") else each
        for each in warnings
    ]
    return {**document, "warnings": left}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("prot", {"prot_virt="}), ("rd.zf", {"rd.zfcp="}), ("x", set())],
)
def test_names_are_completed(
    typed: str,
    expected: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("_SECBOOT_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"secboot set {typed}")

    assert set(secboot(capsys).out.split()) == expected


def test_many_words_are_shortened_in_the_list_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree("ubuntu-curtin", tmp_path / "root")
    words = [f"name{number}=value" for number in range(20)]
    assert secboot(capsys, "set", *words, "--root", root).code == 0

    listed = secboot(capsys, "history", "--root", root).out.splitlines()[1]
    shown = secboot(capsys, "history", "1", "--root", root).out

    assert "set name0=value name1=value name2=val...  done" in listed
    assert f"What        set {' '.join(words)}\n" in shown
