"""Profiles that are refused: ``invalid/<name>.yaml``, and the messages for each, ``<name>.err``.

``./dev update`` rewrites the expected texts; read the diff before you commit them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.finding import Finding
from secboot.profile.document import SIZE_LIMIT
from secboot.profile.load import parse_profile
from secboot.profile.nodes import ProfileError
from secboot.profile.profile import ProfileText
from tests.profile.profile_files import MemoryFiles, parse
from tests.profile.test_load import WHOLE

INVALID = Path(__file__).parent / "invalid"


def problems_of(name: str, text: str) -> str:
    files = MemoryFiles(
        {
            "/etc/secboot/profiles/circle.yaml": "version: 1\nextends: circle-2\n",
            "/etc/secboot/profiles/circle-2.yaml": "version: 1\nextends: circle\n",
        }
    )
    with pytest.raises(ProfileError) as caught:
        parse_profile(ProfileText(name, f"{name}.yaml", text), files)
    lines = []
    for problem, quote in zip(caught.value.problems, caught.value.quotes, strict=True):
        lines.append(f"{problem.location}: {problem.message} [{problem.code}]\n")
        lines += [f"{line}\n" for line in quote.splitlines()]
        lines += [f"    {line}\n" for line in (problem.hint or "").splitlines()]
    return "".join(lines)


@pytest.mark.parametrize("path", sorted(INVALID.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_problem_is_reported_with_its_location_and_the_likely_intent(
    path: Path, update: bool
) -> None:
    said = problems_of(path.stem, path.read_bytes().decode("utf-8", "surrogateescape"))

    expected = path.with_suffix(".err")
    if update:
        expected.write_text(said)
    assert said == expected.read_text()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"version: 1\n\0", "bad.yaml:2:1: the character U+0000 is not allowed"),
        (b"\x7fELF\x02\x01\x01", "bad.yaml:1:1: not a profile"),
        (b"version: 1\r\n# \xe9\r\n", "bad.yaml:2:3: the byte 0xE9 is not UTF-8"),
        (b"# \xc2\x85parameters: {}\n", "bad.yaml:1:3: the character U+0085 is not allowed"),
        ("# \u2028parameters: {}\n".encode(), "the character U+2028 is not allowed"),
        (b"\xfe\xff\0v", "bad.yaml:1:1: not a profile"),
        (b"version: 1\n\xfe", "bad.yaml:2:1: the byte 0xFE is not UTF-8"),
        (b"# " + b"x" * SIZE_LIMIT, f"is larger than {SIZE_LIMIT // 1024} KiB"),
        (b"[" * 10_000, "bad.yaml:1:1: not a profile"),
        (
            b"version: 1\nparameters:\n" + b"".join(b" a%d: 1\n" % n for n in range(501)),
            "bad.yaml:503:2: a profile can set at most 500 parameters",
        ),
        (b"drop: " + b"[" * 10_000, "bad.yaml:1:14: this is nested too deeply"),
        (b"{drop: " * 1_000, "this is nested too deeply"),
    ],
)
def test_files_that_are_not_text_or_not_profiles(data: bytes, words: str) -> None:
    said = problems_of("bad", data.decode("utf-8", "surrogateescape"))

    assert words in said
    assert len([line for line in said.splitlines() if " | " not in line]) <= 2


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ('"foo\\n": 1', "profile.parameter-name"),
        ('swiotlb: "512 MiB\\n"', "profile.size"),
        ('swiotlb: {at_least: "512 MiB\\n"}', "profile.size"),
        ('foo: "1\\n"', "profile.value"),
    ],
)
def test_a_newline_at_the_end_is_not_part_of_a_value(parameters: str, code: str) -> None:
    """In Python ``$`` also matches before it."""
    said = problems_of("x", f"version: 1\nparameters: {{{parameters}}}\n")

    assert code in said


SECRETS = {
    "shadow": "root:$6$salt$Secret0:19000:0:99999:7:::\nbin:*:19000:0:99999:7:::\n",
    "key": "-----BEGIN OPENSSH PRIVATE KEY-----\nSecret0/AAA==\n-----END OPENSSH PRIVATE KEY-----\n",
    "ini": "[db]\npassword = Secret0\n",
    "yaml": "db_password: Secret0\nSecret0: [1, *Secret0, &Secret0 x, !Secret0 y]\nSecret0: 2\n",
    "open quote": "user: 'Secret0\n",
    "tab": "\tSecret0: 1\n",
    "sudoers": "Secret0 ALL=(ALL:ALL) ALL\n%Secret0 ALL\n@Secret0\n`Secret0\n",
    "json": '{"auths": {"Secret0": "Secret0"}}\n',
    "indicator": "@Secret0\n",
    "netrc": "machine example.com login a password Secret0\n",
    "binary": "\0\x01Secret0",
    "after a key": "version: 1\nextends: guest\n$6$Secret0: 1\n",
}


@pytest.mark.parametrize("name", SECRETS)
def test_only_profiles_are_quoted(name: str) -> None:
    assert "Secret0" not in problems_of("x", SECRETS[name])


def problems_or_none(text: str) -> tuple[Finding, ...]:
    """The problems of a text, none if it is a profile; any other exception is raised."""
    try:
        parse(text)
    except ProfileError as error:
        return error.problems
    return ()


@settings(max_examples=200)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@` \t\n#?,1~<=\r\ufeff", max_size=40) | st.text())
def test_any_text_is_a_profile_or_an_error_that_names_the_file(text: str) -> None:
    assert all(
        each.location and each.location.path == "site.yaml" for each in problems_or_none(text)
    )


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_profile_is_a_profile_or_an_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(WHOLE)))
    end = data.draw(st.integers(start, min(len(WHOLE), start + 6)))
    piece = data.draw(st.text(alphabet=":-[]{}&*!|'\" \n#a1~", max_size=3))
    text = WHOLE[:start] + piece + WHOLE[end:]

    assert all(
        each.message and each.location and each.location.line for each in problems_or_none(text)
    )
