"""Words that are never right in a text of this project, each with what to write instead.

All texts that people read are searched: comments, docstrings and messages in the sources,
documentation, manual pages, and the expected output of the tests. A phrase is also found if it is
wrapped over two lines or two string literals.
"""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parent.parent
PLACES = ("ansible", "benchmarks", "docs", "hooks", "packaging", "profiles", "secboot", "tests")
NOT_OURS = {
    "ansible/secboot/boot/LICENSE",
    "packaging/debian/copyright.bundled",
    "tests/checkpoint/data",
    "tests/data/bootmaps",
    "tests/data/parameter-names.txt",
    "tests/data/samples",
    "tests/data/schemas",
    "tests/fuzz/corpus",
    "tests/test_words.py",
    "tests/zipl/data",
}
"""Licenses, files of other projects, published schemas, damaged input, and this list."""
UNTOUCHED = {
    # A change of this file makes `tests/s390x/setup` build the test bed again.
    "tests/s390x/build_guest.py",
}
"""Files that keep an old word until they change for another reason."""

NEVER_RIGHT = {
    "all else": "everything else",
    "anew": "again",
    "(?:is|are) as the profile": "matches the profile",
    "at work": "running",
    "(?<!left )behind(?! (?:a|the) (?:firewall|proxy))": "after",
    "beside": "next to, or with",
    "(?:come|comes|came) up(?! with)": "boots, or starts",
    "brings? [a-z ]{3,30} to the profile": "updates to match the profile",
    "cut short": "interrupted",
    "for ever": "forever, or always",
    "(?:has|have) got": "has, or has reached",
    "(?:has|have) to be": "must be",
    "(?:holds|takes|knows) no(?! longer| more)": "has no, does not accept, or does not know",
    "in force": "active",
    "in the end(?! of| user)": "at the end, or finally",
    "in line [0-9]": "on line 3",
    "in the place of": "instead of",
    r"(?<!there )(?:is|are|was|were) no (?!longer|more|different|better|later|newer|less)[a-z`]+": "is not a",
    "(?:is|are|was|were) said": "is reported",
    "(?:is|are|was|were|be|been) told": "is detected, is reported, or is configured",
    "(?:is|are|was|were) not known(?! to| here)": "is unknown",
    "kernels? (?:that (?:is|are) )?installed (?:later|tomorrow)": "future kernels",
    "(?:lie|lies) (?:beside|elsewhere|there)": "is",
    "mend(?:s|ed)?": "repair, or fix",
    "of before": "as before",
    "one a (?:line|machine|verb)": "one per",
    "ordinary kernels?": "plain kernel image",
    "(?:is|are) put back": "is restored",
    "sealed[ -]+(?:guest[ -]+)?images?": "Secure Execution image, which is IBM's term",
    "shall": "should, must or will",
    "(?:take|takes) over (?:a|its|the)": "inherits",
    "table of programs": "program table",
    "there (?:is|are|was|were) no such": "not found, or does not exist",
    "those there are": "available",
    "to be had": "available",
    "told apart": "distinguished",
    "truth values?": "boolean",
    "without a word": "silently",
}
"""Phrases as regular expressions, where a blank is any space between two words."""


class Found(NamedTuple):
    """A phrase in a file, and what to write instead."""

    path: str
    line: int
    phrase: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: '{self.phrase}': write {self.instead}"


def texts() -> Iterator[tuple[str, str]]:
    """The path of each file, relative to the checkout, and what people read in it."""
    files = [path for place in PLACES for path in sorted((CHECKOUT / place).rglob("*"))]
    for path in (*files, *CHECKOUT.glob("*.md"), CHECKOUT / "dev", CHECKOUT / "pyproject.toml"):
        name = path.relative_to(CHECKOUT).as_posix()
        parents = {parent.as_posix() for parent in Path(name).parents}
        left_out = (NOT_OURS | UNTOUCHED) & {name, *parents}
        if left_out or not path.is_file() or path.is_symlink():
            continue
        if "__pycache__" in name:
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            continue
        yield name, words_of_python(text) if path.suffix == ".py" else text


def words_of_python(text: str) -> str:
    """Blank out everything but comments and strings: names in the code are another matter."""
    kept = [[" "] * len(line) for line in text.split("\n")]
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT and "STRING" not in tokenize.tok_name[token.type]:
            continue
        (first, start), (last, end) = token.start, token.end
        for number in range(first, last + 1):
            begin = start if number == first else 0
            stop = end if number == last else len(lines[number - 1])
            kept[number - 1][begin:stop] = lines[number - 1][begin:stop]
    return "\n".join("".join(line) for line in kept)


_BETWEEN = r"""[ \t\n"'#>|]++(?:f["'] *+)?"""


def _pattern(phrase: str) -> re.Pattern[str]:
    literal = phrase.replace("[ -]", "\0").replace("(?<!there )", "\1").replace("(?<!left )", "\2")
    words = literal.replace(" ", _BETWEEN).replace("\0", "[ -]")
    words = words.replace("\1", r"(?<!there[ \n])").replace("\2", r"(?<!left[ \n])")
    return re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE)


_PATTERNS = {phrase: _pattern(phrase) for phrase in NEVER_RIGHT}


def found_in(path: str, text: str) -> Iterator[Found]:
    """Yield every phrase in a text that is never right."""
    for phrase, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            words = re.sub(_BETWEEN, " ", match[0])
            line = text.count("\n", 0, match.start()) + 1
            yield Found(path, line, words, NEVER_RIGHT[phrase])


def test_no_text_has_a_word_that_is_never_right() -> None:
    found = [str(each) for path, text in texts() for each in found_in(path, text)]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("one\nmade anew\n", "t.md:2: 'anew': write again"),
        ("the profile in\nforce", "t.md:1: 'in force': write active"),
        ("    # the profile in\n    # force", "t.md:1: 'in force': write active"),
        ('"the profile in"\n        f" force"', "t.md:1: 'in force': write active"),
        ("In force", "t.md:1: 'In force': write active"),
        ("in forces, renew, enforce", ""),
        ("left behind", ""),
        ("there is no file", ""),
        ("it is no longer there", ""),
        ("behind a proxy, it takes no longer", ""),
        ("it is no file", "t.md:1: 'is no file': write is not a"),
    ],
)
def test_what_is_found(text: str, found: str) -> None:
    assert "\n".join(map(str, found_in("t.md", text))) == found


def test_names_in_python_are_not_searched() -> None:
    text = 'beside = 1  # beside\nprint("beside", f"beside {beside}")\n'

    found = [each.line for each in found_in("t.py", words_of_python(text))]

    assert found[:3] == [1, 2, 2]
    assert "beside = 1" not in words_of_python(text)
