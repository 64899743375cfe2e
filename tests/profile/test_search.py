from __future__ import annotations

import pytest

from secboot.errors import UsageError
from secboot.profile.search import available_profiles, find_by_name, find_profile
from tests.profile.profile_files import MemoryFiles

ETC, SHARE = "/etc/secboot/profiles", "/usr/share/secboot/profiles"
FILES = MemoryFiles(
    {
        f"{ETC}/guest.yaml": "etc guest",
        f"{ETC}/payroll.yaml": "etc payroll",
        f"{SHARE}/guest.yaml": "share guest",
        f"{SHARE}/payroll.yaml": "share payroll",
        f"{SHARE}/README": "",
        f"{SHARE}/.yaml": "",
        f"{SHARE}/a b.yaml": "",
        "/root/mine.yaml": "by path",
        "mine.yaml": "relative",
    }
)


@pytest.mark.parametrize(
    ("reference", "path", "name"),
    [
        ("guest", f"{ETC}/guest.yaml", "guest"),
        ("host", "<shipped>/host.yaml", "host"),
        ("/root/mine.yaml", "/root/mine.yaml", "mine"),
        ("mine.yaml", "mine.yaml", "mine"),
    ],
)
def test_names_are_searched_and_paths_are_read(reference: str, path: str, name: str) -> None:
    found = find_profile(reference, FILES)

    assert (found.path, found.name) == (path, name)


def test_both_endings_are_found_and_the_usual_one_wins() -> None:
    texts = {f"{ETC}/a.yml": "", f"{SHARE}/a.yaml": "", f"{SHARE}/b.yml": "", f"{SHARE}/b.yaml": ""}
    files = MemoryFiles(texts | {"c.yml": ""})

    found = [find_profile(reference, files).path for reference in ("a", "b", "c.yml")]
    listed = [(each.path, each.hidden) for each in available_profiles(files)][:4]

    assert found == [f"{ETC}/a.yml", f"{SHARE}/b.yaml", "c.yml"]
    assert listed == [
        (f"{ETC}/a.yml", False),
        (f"{SHARE}/a.yaml", True),
        (f"{SHARE}/b.yaml", False),
        (f"{SHARE}/b.yml", True),
    ]


def test_paths_that_are_already_in_the_chain_are_skipped() -> None:
    without = [f"{ETC}/guest.yaml"]
    second = find_by_name("guest", FILES, without)
    third = find_by_name("guest", FILES, [*without, f"{SHARE}/guest.yaml"])

    assert second is not None
    assert third is not None
    assert (second.text, third.path) == ("share guest", "<shipped>/guest.yaml")
    assert find_by_name("payroll", FILES, [f"{ETC}/payroll.yaml", f"{SHARE}/payroll.yaml"]) is None


def test_available_profiles_come_in_search_order_and_show_what_is_hidden() -> None:
    listed = [(each.name, each.path, each.hidden) for each in available_profiles(FILES)]

    assert listed == [
        ("guest", f"{ETC}/guest.yaml", False),
        ("payroll", f"{ETC}/payroll.yaml", False),
        ("guest", f"{SHARE}/guest.yaml", True),
        ("payroll", f"{SHARE}/payroll.yaml", True),
        ("host", "<shipped>/host.yaml", False),
        ("host-off", "<shipped>/host-off.yaml", False),
        ("guest", "<shipped>/guest.yaml", True),
        ("guest-large", "<shipped>/guest-large.yaml", False),
        ("guest-secure", "<shipped>/guest-secure.yaml", False),
        ("guest-off", "<shipped>/guest-off.yaml", False),
    ]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("guset", "did you mean 'guest'?"),
        ("pay-roll", "did you mean 'payroll'?"),
        ("", "available: "),
        ("..", "available: "),
        ("gu\0est", "did you mean"),
    ],
)
def test_a_name_that_is_not_found_gets_a_hint(reference: str, words: str) -> None:
    with pytest.raises(UsageError, match=r"^profile .* not found") as caught:
        find_profile(reference, FILES)

    assert caught.value.hint is not None
    assert words in caught.value.hint


def test_a_path_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match=r"profile file /nowhere\.yaml not found"):
        find_profile("/nowhere.yaml", FILES)


@pytest.mark.parametrize("name", ["../guest", "a/b", "-x", ""])
def test_only_names_are_searched_for_in_directories(name: str) -> None:
    files = MemoryFiles()

    assert find_by_name(name, files, ()) is None
    assert files.asked == []
