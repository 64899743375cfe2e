from __future__ import annotations

import subprocess
import sys

import pytest

from secboot.errors import ExitCode, UsageError
from secboot.profile.load import CHAIN_LIMIT, parse_profile
from secboot.profile.nodes import ProfileError
from secboot.profile.profile import EntryScope, EntrySelection, ProfileText
from secboot.profile.requirement import Role
from tests.profile.profile_files import MemoryFiles, load, parse

WHOLE = """\
# A comment with ü in it.
version: 1
role: guest
description: "  Payroll  "
parameters:
  swiotlb: {at_least: 1 GiB}
  prot_virt: 0
  kvm.nested: '1'
  root: UUID=59def7d8-f33f-4aa7-a967-6162cb3efcdf
  hugepages: [4, 8]
  quiet: {present: true}
  nosmt: {exactly: ''}
  'y': 2026-11-23
entries:
  include: ['Red Hat*']
  exclude: [old]
  rescue: false
"""


def described(text: str, **others: str) -> list[str]:
    return [each.describe() for each in parse(text, **others).requirements]


def wanted(parameters: str) -> list[str]:
    return described(f"version: 1\nparameters: {{{parameters}}}\n")


def test_a_whole_profile() -> None:
    profile = parse(WHOLE)

    assert (profile.name, profile.version, profile.role) == ("site", 1, Role.GUEST)
    assert profile.description == "Payroll"
    assert profile.entries == EntrySelection(EntryScope.ALL, ("Red Hat*",), ("old",), rescue=False)
    assert (profile.path, profile.chain) == ("site.yaml", ("site.yaml",))
    assert profile.warnings == ()
    assert [each.describe() for each in profile.requirements] == [
        "swiotlb at least 1 GiB (524288 blocks of 2 KiB)",
        "prot_virt off",
        "kvm.nested=1",
        "root=UUID=59def7d8-f33f-4aa7-a967-6162cb3efcdf",
        "hugepages=4 and hugepages=8 among the hugepages parameters",
        "quiet present",
        "nosmt=",
        "y=2026-11-23",
    ]
    assert str(profile.requirements[0].location) == "site.yaml:6:3"


@pytest.mark.parametrize(
    "text",
    [
        WHOLE.replace("\n", "\r\n"),
        "\ufeff" + WHOLE,
        WHOLE.rstrip("\n"),
        "---\n" + WHOLE + "...\n",
    ],
    ids=["CRLF", "byte order mark", "no last newline", "document marks"],
)
def test_the_same_profile_in_other_encodings(text: str) -> None:
    assert described(text) == described(WHOLE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("512 MiB", 262144), ("512MiB", 262144), ("1 GiB", 524288), ("128 KiB", 64),
        ("262144 blocks", 262144), ("1 block", 1), ("1048448 blocks", 1048448),
    ],
)  # fmt: skip
def test_sizes(value: str, expected: int) -> None:
    assert f"({expected} blocks of 2 KiB)" in wanted(f"swiotlb: {value}")[0]


@pytest.mark.parametrize("value", ["1", "'1'", "'on'", "'YES'", '"y"', "{exactly: 1}"])
def test_prot_virt_on(value: str) -> None:
    assert wanted(f"prot_virt: {value}") == ["prot_virt on (prot_virt=1)"]


@pytest.mark.parametrize("value", ["0", "'0'", "'off'", "'No'", "'n'"])
def test_prot_virt_off(value: str) -> None:
    assert wanted(f"prot_virt: {value}") == ["prot_virt off"]


def test_a_small_buffer_is_a_warning_with_its_place() -> None:
    (warning,) = parse("version: 1\nparameters:\n  swiotlb: 1 MiB\n").warnings

    assert str(warning.location) == "site.yaml:3:3"
    assert "small" in warning.message
    assert warning.hint == "IBM recommends 512 MiB for most guests"


def test_a_replaced_requirement_does_not_warn() -> None:
    base = "version: 1\nparameters: {swiotlb: 1 MiB}\n"

    profile = parse("version: 1\nextends: base\nparameters: {swiotlb: 1 GiB}\n", base=base)

    assert profile.warnings == ()


def test_every_problem_is_reported_in_one_run() -> None:
    with pytest.raises(ProfileError) as caught:
        parse("role: x\nparameters: {prot_virt: on, 'a b': 1}\nentries: some\n")

    places = [str(each.location) for each in caught.value.problems]
    assert places == [
        "site.yaml:1:1",
        "site.yaml:1:7",
        "site.yaml:2:25",
        "site.yaml:2:29",
        "site.yaml:3:10",
    ]
    assert caught.value.exit_code is ExitCode.USAGE
    assert str(caught.value).startswith("5 problems in the profile:\n  site.yaml:1:1: ")


def test_a_single_problem_is_the_error_itself() -> None:
    with pytest.raises(ProfileError) as caught:
        parse("version: 1\nparameters: {prot_virt: on}\n")

    assert str(caught.value.location) == "site.yaml:2:25"
    assert caught.value.hint == "write 1"


BASE = """\
version: 1
role: guest
description: base
parameters: {swiotlb: 512 MiB, k.a-b: 1, quiet: {present: true}}
entries: default
"""


def test_an_extending_profile_replaces_drops_and_adds() -> None:
    profile = parse(
        "version: 1\nextends: base\ndrop: [quiet]\nparameters: {new: 2, k.a_b: 3}\n", base=BASE
    )

    assert [each.describe() for each in profile.requirements] == [
        "swiotlb exactly 512 MiB (262144 blocks of 2 KiB)",
        "k.a_b=3",
        "new=2",
    ]
    assert (profile.role, profile.description) == (
        Role.GUEST,
        "base, changed: k.a_b; dropped: quiet",
    )
    assert profile.entries.scope is EntryScope.DEFAULT
    assert profile.chain == ("site.yaml", "/etc/secboot/profiles/base.yaml")


def test_an_extending_profile_overrides_what_it_sets() -> None:
    profile = parse(
        "version: 1\nextends: base\nrole: host\ndescription: mine\nentries: all\n", base=BASE
    )

    assert (profile.role, profile.description) == (Role.HOST, "mine")
    assert profile.entries.scope is EntryScope.ALL


def test_a_site_file_may_extend_the_shipped_profile_of_its_own_name() -> None:
    profile = load(
        "guest", guest="version: 1\nextends: guest\nparameters: {quiet: {present: true}}\n"
    )

    assert profile.chain == ("/etc/secboot/profiles/guest.yaml", "<shipped>/guest.yaml")
    assert [each.name for each in profile.requirements] == ["swiotlb", "quiet"]


def test_a_problem_in_the_extended_profile_is_reported_at_its_location() -> None:
    with pytest.raises(ProfileError) as caught:
        parse(
            "version: 1\nextends: base\nrole: x\n", base="version: 1\nparameters: {prot_virt: on}\n"
        )

    assert [str(each.location) for each in caught.value.problems] == [
        "site.yaml:3:7",
        "/etc/secboot/profiles/base.yaml:2:25",
    ]


@pytest.mark.parametrize(
    ("texts", "message", "hint"),
    [
        ({"a": "b", "b": "a"}, "'a' extends itself", "a.yaml extends /etc/secboot/profiles/b.yaml"),
        ({"a": "a"}, "'a' extends itself", "a.yaml extends"),
        ({"a": "nowhere"}, "extended profile 'nowhere' not found", "the directory of this file"),
        (
            {f"a{n or ''}": f"a{n + 1}" for n in range(CHAIN_LIMIT + 1)},
            f"more than {CHAIN_LIMIT} profiles",
            "a1.yaml extends",
        ),
    ],
)
def test_broken_chains_of_profiles(texts: dict[str, str], message: str, hint: str) -> None:
    texts = {name: f"version: 1\nextends: {other}\n" for name, other in texts.items()}
    with pytest.raises(ProfileError) as caught:
        load("a", **texts)

    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.hint is not None
    assert hint in problem.hint


def test_the_digest_is_over_every_text_of_the_chain() -> None:
    text = "version: 1\nextends: base\n"

    digests = {
        parse(text, base=BASE).digest,
        parse(text + "#", base=BASE).digest,
        parse(text, base=BASE + "#").digest,
        parse(BASE).digest,
    }

    assert len(digests) == 4
    assert parse(text, base=BASE).digest == parse(text, base=BASE).digest


def test_extended_profiles_come_only_from_the_search_path() -> None:
    files = MemoryFiles({"/tmp/other.yaml": BASE})
    with pytest.raises(ProfileError):
        parse("version: 1\nextends: /tmp/other\n")
    with pytest.raises(UsageError):
        load("/tmp/other.yaml")

    assert files.asked == []


def test_yaml_is_imported_only_when_a_profile_is_read() -> None:
    program = (
        "import sys, secboot.profile.load, secboot.profile.schema\n"
        "assert not {'ruamel', 'ruamel.yaml'} & set(sys.modules)\n"
        "assert 'importlib.resources' not in sys.modules\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_memory_is_that_of_the_nearest_profile_that_sets_it() -> None:
    base = "version: 1\nmemory: 1 GiB\nparameters: {swiotlb: {at_least: 512 MiB}}\n"

    small = parse("version: 1\nextends: base\ndescription: d\n", base=base)
    large = parse("version: 1\nextends: base\nmemory: 2 TiB\n", base=base)

    assert (small.memory, large.memory) == (2**30, 2**41)
    assert [each.code for each in small.warnings] == ["swiotlb-share"]
    assert str(small.warnings[0].location) == "/etc/secboot/profiles/base.yaml:3:14"
    assert large.warnings == ()


@pytest.mark.parametrize(
    ("role", "parameters", "warned"),
    [
        ("guest", "{prot_virt: 1}", ["cannot host guests"]),
        ("guest", "{prot_virt: 0}", []),
        ("guest", "{prot_virt: {absent: true}, swiotlb: 512 MiB}", []),
        ("host", "{prot_virt: 1}", []),
        ("host", "{prot_virt: 0}", ["sets it off"]),
        ("host", "{prot_virt: {absent: true}}", ["removes it"]),
        ("host", "{prot_virt: 1, swiotlb: 512 MiB}", ["no bounce buffer"]),
        ("host", "{prot_virt: 1, swiotlb: {absent: true}}", []),
        ("host", "{a: 1}", []),
    ],
)
def test_a_role_that_contradicts_the_parameters_is_a_warning(
    role: str, parameters: str, warned: list[str]
) -> None:
    text = f"parameters: {parameters}\n"
    found = parse(f"version: 1\nrole: {role}\n{text}").warnings

    assert [each.code for each in found] == ["profile.role"] * len(warned)
    assert all(words in each.message for words, each in zip(warned, found, strict=True))
    assert all(each.hint and each.location and each.location.line == 3 for each in found)
    assert parse(f"version: 1\n{text}").warnings == ()


def test_the_role_of_the_extended_profile_applies() -> None:
    (warning,) = parse("version: 1\nextends: guest\nparameters: {prot_virt: 1}\n").warnings

    assert warning.code == "profile.role"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "base"),
        ("as_spelled: [rooot]\nparameters: {rooot: 1}\n", "base"),
        ("parameters: {swiotlb: 1 GiB}\n", "base, changed: swiotlb"),
        ("drop: [quiet]\n", "base, dropped: quiet"),
        ("role: guest\nmemory: 4 GiB\nentries: all\n", "base"),
        ("role: host\nparameters: {k.a_b: 2}\n", "base, changed: k.a_b, role"),
        ("drop: [quiet]\nparameters: {new: 1}\n", "base, dropped: quiet"),
        ("parameters: {swiotlb: 1 GiB}\ndescription: mine\n", "mine"),
    ],
)
def test_a_description_is_true_of_the_profile_that_has_it(text: str, said: str) -> None:
    assert parse(f"version: 1\nextends: base\n{text}", base=BASE).description == said


def test_a_description_two_profiles_away_names_the_changes_of_both() -> None:
    middle = "version: 1\nextends: base\nparameters: {m: 1, quiet: 2}\n"

    alias = parse("version: 1\nextends: middle\n", base=BASE, middle=middle)
    more = "version: 1\nextends: middle\ndrop: [m]\nparameters: {new: 1, swiotlb: 1 GiB}\n"
    both = parse(more, base=BASE, middle=middle)

    assert alias.description == "base, changed: quiet"
    assert both.description == "base, changed: swiotlb, quiet; dropped: m"


def test_without_any_description_there_is_none() -> None:
    base = "version: 1\nparameters: {a: 1}\n"

    assert not parse("version: 1\nextends: base\nparameters: {b: 1}\n", base=base).description


SIMPLE = "version: 1\nparameters: {a: '1'}\n"


@pytest.mark.parametrize(
    ("extends", "texts", "chain"),
    [
        ("base", {"/d/base.yaml": SIMPLE}, "/d/base.yaml"),
        ("base", {"/d/base.yml": SIMPLE}, "/d/base.yml"),
        ("base", {"/d/base.yml": SIMPLE, "/d/base.yaml": SIMPLE}, "/d/base.yaml"),
        ("base.yml", {"/d/base.yml": SIMPLE, "/d/base.yaml": SIMPLE}, "/d/base.yml"),
        ("./base.yaml", {"/d/base.yaml": SIMPLE}, "/d/base.yaml"),
        ("guest", {"/d/guest.yaml": SIMPLE}, "/d/guest.yaml"),
        ("guest", {}, "<shipped>/guest.yaml"),
        ("base", {"/etc/secboot/profiles/base.yml": SIMPLE}, "/etc/secboot/profiles/base.yml"),
        (
            "base",
            {"/d/base.yml": SIMPLE, "/etc/secboot/profiles/base.yaml": SIMPLE},
            "/d/base.yml",
        ),
    ],
)
def test_the_extended_profile_is_next_to_the_file_or_in_the_search_path(
    extends: str, texts: dict[str, str], chain: str
) -> None:
    source = ProfileText("mine", "/d/mine.yaml", f"version: 1\nextends: {extends}\n")

    assert parse_profile(source, MemoryFiles(texts)).chain == ("/d/mine.yaml", chain)


def test_in_the_search_path_its_order_applies() -> None:
    share, etc = "/usr/share/secboot/profiles", "/etc/secboot/profiles"
    files = MemoryFiles({f"{share}/base.yaml": SIMPLE, f"{etc}/base.yaml": SIMPLE})
    text = "version: 1\nextends: {}\n"

    by_name = ProfileText("mine", f"{share}/mine.yaml", text.format("base"))
    by_file = ProfileText("mine", f"{share}/mine.yaml", text.format("base.yaml"))

    assert parse_profile(by_name, files).chain[1] == f"{etc}/base.yaml"
    assert parse_profile(by_file, files).chain[1] == f"{share}/base.yaml"


def test_a_file_that_extends_itself_by_its_path_is_a_circle() -> None:
    source = ProfileText("mine", "/d/mine.yaml", "version: 1\nextends: ./mine.yaml\n")

    with pytest.raises(ProfileError, match="extends itself"):
        parse_profile(source, MemoryFiles({"/d/mine.yaml": source.text}))
