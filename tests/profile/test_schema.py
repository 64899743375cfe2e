"""The JSON Schema of profiles refuses what secboot refuses, as far as a schema can see it."""

from __future__ import annotations

import json
from importlib import import_module
from itertools import product
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from secboot.profile.fields import PROFILE_FIELDS
from secboot.profile.load import parse_profile
from secboot.profile.nodes import ProfileError
from secboot.profile.profile import ProfileText
from secboot.profile.schema import FILE, profile_schema
from secboot.profile.search import SHIPPED
from tests.packaging.programs import CHECKOUT, run
from tests.profile.profile_files import MemoryFiles
from tests.profile.test_load import BASE, WHOLE

INVALID = Path(__file__).parent / "invalid"
OTHER_FILES = "needs the extended profile"
TWO_VALUES = "compares two values"
LOST = "is lost once YAML has become data"
UNSEEN = {
    "cycle": OTHER_FILES,
    "entries-none": OTHER_FILES,
    "extends-misspelt": OTHER_FILES,
    "extends-no-file": OTHER_FILES,
    "unknown-parent": OTHER_FILES,
    "equivalent-names": TWO_VALUES,
    "image-twice": TWO_VALUES,
    "directive": LOST,
    "merge-key": LOST,
    "odd-numbers": LOST,
    "misspelt-common-names": "would take a pattern of a hundred names",
}
"""The profiles that secboot refuses and the schema does not, and why."""
UNSEEN_CODES = {
    "extends-missing": OTHER_FILES,
    "drop-unknown": OTHER_FILES,
    "as-spelled-unused": TWO_VALUES,
    "value-contradiction": TWO_VALUES,
    "odd-number": LOST,
    "truth-value": LOST,
    "misspelt-name": "is left to secboot where there is `as_spelled`",
}
"""The same of what is put together below."""
SCALARS = (
    *("1", "0", "2", "'1'", "-1", "1.5", "1e3", "0x10", "007", "true", "false", "null", "~", "''"),
    *("on", "'on'", "yes", "'no'", "Off", "guest", "host", "all", "default", "none", "'a b'", "é"),
    *("'a\"b'", "512", "512 MiB", "512MiB", "'512 MB'", "2 GiB", "1 GiB", "3 KiB"),
    *("4 KiB", "2047 MiB", "2048 MiB", "262144 blocks", "1 block", "0 MiB", "1048448 blocks"),
    *("1048449 blocks", "2096896 KiB", "2096898 KiB", "4 TiB", "/boot/x", "/boot/../x", "boot/x"),
    *("/a,b", "./base.yaml", "../base", "'*'", '"a\\nb"'),
)
OTHERS = (
    *("[]", "{}", "[a]", "[a, a]", "[a, 1]", "[[a]]", "[{a: b}]", "{a: b}", "[swiotlb]", "['']"),
    *("[on]", "[true]", "{exactly: 1}", "{exactly: [a, a]}", "{exactly: 512 MiB}", "{exactly: []}"),
    *("{at_least: 512 MiB}", "{at_least: 512}", "{at_last: 512 MiB}", "{absent: true}"),
    *("{absent: false}", "{present: true}", "{present: 'true'}", "{bare: true}", "{includes: [a]}"),
    *("{includes: a}", "{excludes: ['off']}", "{includes: [a], excludes: [b]}", "{include: [a]}"),
    *("{includes: [a], excludes: [a]}", "{includes: [a], absent: true}", "{rescue: false}"),
    *(
        "{include: ['*'], rescue: no}",
        "{include: []}",
        "{include: [a, 1]}",
        "{exclude: [a], rescue: true, more: 1}",
    ),
    *("{parmfile: /a/b, output: /b/c}", "{parmfile: /a/b}", "{parmfile: /a/../b, output: /c}"),
)
NAMES = (
    *("prot_virt", "swiotlb", "console", "loglevel", "quiet", "initrd", "other.name", "a=b"),
    *("prot-virt", "PROT_VIRT", "prto_virt", "swiotlbs", "slowtilb", "'with blank'", "é"),
)
NUMBERS = ("1", "1.5", "-1", "007")
# Imported by name: the library comes without types.
jsonschema = import_module("jsonschema")
FILES = MemoryFiles(
    {"/etc/secboot/profiles/base.yaml": "version: 1\nparameters: {a: 1, 1: 1, swiotlb: 512 MiB}\n"}
)
VALIDATOR = jsonschema.Draft202012Validator(profile_schema())


def is_valid(text: str, version: tuple[int, int] = (1, 2)) -> bool:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = version
    return bool(VALIDATOR.is_valid(yaml.load(text)))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(profile_schema())


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles_are_valid(name: str) -> None:
    assert is_valid((INVALID.parent.parent.parent / "profiles" / f"{name}.yaml").read_text())


@pytest.mark.parametrize("text", [WHOLE.replace("2026-11-23", "z"), BASE])
def test_other_good_profiles_are_valid(text: str) -> None:
    assert is_valid(text)


def test_check_jsonschema_refuses_what_secboot_refuses() -> None:
    """In the shipped file, and but for what no schema can see."""
    names = {path.name for path in INVALID.glob("*.yaml")}
    command = ("check-jsonschema", "--output-format", "json", "--schemafile", CHECKOUT / FILE)
    done = run(*command, *sorted(names), cwd=INVALID)
    found = json.loads(done.stdout)

    refused = {each["filename"] for each in (*found["errors"], *found["parse_errors"])}
    assert {Path(name).stem for name in names - refused} == UNSEEN.keys()
    shipped = run(*command, *sorted((CHECKOUT / "profiles").glob("*.yaml")))
    assert shipped.returncode == 0, shipped.stdout


def codes(text: str) -> set[str]:
    """What secboot finds wrong in a profile."""
    try:
        parse_profile(ProfileText("p", "p.yaml", text), FILES)
    except ProfileError as error:
        return {each.code.removeprefix("profile.") for each in error.problems}
    return set()


def library() -> dict[str, str]:
    """Profiles with every value at every key."""
    found = {}
    values = (*SCALARS, *OTHERS)
    for key, value in product([field.key for field in PROFILE_FIELDS], values):
        lines = {"version": "1", "parameters": "{quiet: {present: true}}", key: value}
        found[f"{key}: {value}"] = "".join(f"{name}: {text}\n" for name, text in lines.items())
    for name, value in product(NAMES, values):
        head = "version: 1\n"
        found[f"{name}: {value}"] = f"{head}parameters:\n  {name}: {value}\n"
    for key, value in product(("drop", "as_spelled"), values):
        found[f"extends, {key}: {value}"] = (
            f"version: 1\nextends: base\n{key}: {value}\nparameters: {{a: 1, 1: 1}}\n"
        )
    for name in (*NAMES, *NUMBERS):
        found[f"as_spelled {name}"] = (
            f"version: 1\nas_spelled: [{name}]\nparameters: {{{name}: 1}}\n"
        )
    return found


def test_schema_and_secboot_agree() -> None:
    unseen = set()
    of_other_files = {code for code, why in UNSEEN_CODES.items() if why == OTHER_FILES}
    for name, text in library().items():
        found, accepted = codes(text), is_valid(text)
        assert accepted or found - of_other_files, f"only the schema refuses {name}"
        if accepted:
            unseen |= found
        # To YAML 1.1 they are booleans, so that an editor that is set to it sees them.
        assert not ("truth-value" in found and is_valid(text, (1, 1))), name
    assert unseen == UNSEEN_CODES.keys()


def test_every_key_is_described() -> None:
    properties = profile_schema()["properties"]

    assert {key: value["description"] for key, value in properties.items()} == {
        field.key: field.meaning for field in PROFILE_FIELDS
    }


@pytest.mark.parametrize(
    ("asked", "is_good"),
    [
        ("console: {exactly: [a, b]}", True),
        ("console: {exactly: [a, a]}", True),
        ("console: [a]", True),
        ("console: {excludes: [a]}", True),
        ("console: {includes: [a], excludes: [b]}", True),
        ("earlycon: {bare: true}", True),
        ("nosmt: {bare: true}", True),
        ("other: {exactly: [a, b]}", True),
        ("loglevel: 3", True),
        ("loglevel: {excludes: [a]}", True),
        ("console: {exactly: a}", False),
        ("console: a", False),
        ("console: {bare: true}", False),
        ("console: {includes: [a, a]}", False),
        ("console: {includes: [a], absent: true}", False),
        ("console: {excludes: []}", False),
        ("loglevel: [3]", False),
        ("loglevel: {exactly: ['3', '4']}", False),
        ("loglevel: {bare: true}", False),
        ("prot_virt: {exactly: [1]}", False),
        ("swiotlb: {excludes: [force]}", False),
        ("nosmt: {bare: false}", False),
    ],
)
def test_single_values_are_judged_as_they_are_read(asked: str, *, is_good: bool) -> None:
    text = f"version: 1\nparameters:\n  {asked}\n"
    try:
        parse_profile(ProfileText("p", "p.yaml", text), FILES)
    except ProfileError:
        read = False
    else:
        read = True

    assert read is is_good
    assert is_valid(text) is is_good
