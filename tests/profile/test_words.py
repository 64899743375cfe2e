"""The words of ``secboot set``, and the profile that they stand for."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.errors import Location, UsageError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel.command_line import LAST_WINS_NAMES, MULTI_VALUED_NAMES, canonical
from secboot.machine.profile_files import read_profile
from secboot.profile.load import parse_profile
from secboot.profile.profile import EntryScope, EntrySelection, Profile, ProfileText
from secboot.profile.words import ALL, PATH, Options, profile_of_words, text_of_words
from secboot.system.root import Root
from tests.command_lines import lines
from tests.export.requests import NoFiles


def said(*words: str, options: Options = ALL) -> Profile:
    return profile_of_words(words, options, NoFiles())


def parameters(*words: str) -> str:
    """The lines of the profile with parameters."""
    text = text_of_words(words)
    return text.split("parameters:\n")[1].replace("  ", "", 1).removesuffix("\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nosmt"], "nosmt: {bare: true}"),
        (["quiet-"], "quiet: {absent: true}"),
        (["loglevel=3"], "loglevel: '3'"),
        (["key="], "key: ''"),
        (["console=ttyS1"], "console: {includes: ['ttyS1']}"),
        (["console=a", "console=b"], "console: {includes: ['a', 'b']}"),
        (["console-=a", "console+=b"], "console: {includes: ['b'], excludes: ['a']}"),
        (["console-", "console=a", "console+=b"], "console: {exactly: ['a', 'b']}"),
        (["hugepages-", "hugepages=2", "hugepages=2"], "hugepages: {exactly: ['2', '2']}"),
        (["x-", "x=1"], "x: {exactly: ['1']}"),
        (["root-", "root=/dev/a"], "root: '/dev/a'"),
        (["x+=1", "x+=2"], "x: {includes: ['1', '2']}"),
        (["x=1", "x-=2"], "x: '1'"),
        (["quiet-=off"], "quiet: {excludes: ['off']}"),
        (["quiet", "quiet-=off"], "quiet: {bare: true}"),
        (["rd.break"], "rd.break: {bare: true}"),
        (['dyndbg="file a +p"'], "dyndbg: {includes: ['file a +p']}"),
        (['"note=a b"'], "note: 'a b'"),
        (['note-="a b"'], "note: {excludes: ['a b']}"),
        (["note=it's"], "note: 'it''s'"),
        (["a=b=c", "a.b-c=#{[&*!|>%@`?:"], "a: 'b=c'\n  a.b-c: '#{[&*!|>%@`?:'"),
        (
            ["on=off", "1e5", "null-"],
            "'on': 'off'\n  '1e5': {bare: true}\n  'null': {absent: true}",
        ),
        (["prot_virt=1"], "prot_virt: '1'"),
        (["prot_virt-"], "prot_virt: {absent: true}"),
        (["swiotlb=262144"], "swiotlb: '262144 blocks'"),
        (["swiotlb=0x40000"], "swiotlb: '262144 blocks'"),
        (["swiotlb-"], "swiotlb: {absent: true}"),
        # The same parameter for the kernel, whatever the spelling.
        (["kvm.a-b=1", "kvm.a_b-=2"], "kvm.a-b: '1'"),
    ],
)
def test_the_profile_that_words_stand_for(words: list[str], expected: str) -> None:
    assert parameters(*words) == expected
    assert said(*words).requirements


@pytest.mark.parametrize(
    ("words", "place", "message", "hint"),
    [
        (["a=1 b=2"], "a=1 b=2", "not one word", "secboot set a=1 b=2"),
        (["note=two words"], "note=two words", "not one word", """set 'note="two words"'"""),
        ([" a"], " a", "not one word", "secboot set a"),
        (['x="a" '], 'x="a" ', "not one word", """for several parameters: secboot set 'x="a"'"""),
        (["x=a\nb"], "x=a\nb", "not one word", "for several parameters: secboot set x=a b"),
        (['x="a'], 'x="a', "opened but never closed", "close the quote"),
        (["--"], "--", "for init", "NAME=VALUE"),
        (["a", "=x"], "=x", "is not the name", "NAME=VALUE"),
        (["-"], "-", "is not the name", "NAME=VALUE"),
        (["a,b=1"], "a,b=1", "is not the name", "NAME=VALUE"),
        (["x=é"], "x=é", "is not ASCII", "printable ASCII"),
        (['x="a\nb"'], 'x="a\nb"', "several lines", "printable ASCII"),
        (['x="a\tb"'], 'x="a\tb"', "control character", "printable ASCII"),
        (['x=a"b"'], 'x=a"b"', "double quote", "printable ASCII"),
        (["x=${A}"], "x=${A}", "zipl replaces ${A}", "the value itself"),
        (["console"], "console", "no effect without a value", "console- to remove it"),
        (["root"], "root", "no effect without a value", "root=VALUE"),
        (["prot_virt"], "prot_virt", "no effect without a value", "prot_virt=VALUE"),
        (["swiotlb+=1"], "swiotlb+=1", "set with a single word", "swiotlb=VALUE"),
        (
            ["prot_virt=1", "prot_virt-"],
            "prot_virt=1 prot_virt-",
            "set with a single word",
            "=VALUE",
        ),
        (["swiotlb=512M"], "swiotlb=512M", "512 blocks (1 MiB) followed by 'M'", "262144"),
        (
            ["swiotlb=65536,force"],
            "swiotlb=65536,force",
            "followed by ',force'",
            "force do not change",
        ),
        (["swiotlb=noforce"], "swiotlb=noforce", "is not a number of blocks", "262144"),
        (["swiotlb=2000000"], "swiotlb=2000000", "is too large", "1 GiB"),
        (["prot_virt=true"], "prot_virt=true", "does not accept 'true'", "write 1"),
        (["quiet", "prot-virt=1"], "prot-virt=1", "does not know", "did you mean 'prot_virt'"),
        (
            ["swiotlbs=1"],
            "swiotlbs=1",
            "misspelling of 'swiotlb'",
            "write 'swiotlb', or use --as-spelled",
        ),
        (["x=1", "x=2"], "x=1 x=2", "can be used only once", "x+=VALUE"),
        (["root=a", "root=b"], "root=a root=b", "= has an effect", "write root=b"),
        (
            ["root-", "root=a", 'root="b c"'],
            'root- root=a root="b c"',
            "= has an effect",
            "write 'root=\"b c\"'",
        ),
        (["root+=a"], "root+=a", "= has an effect", "write root=a"),
        (["quiet", "quiet-"], "quiet quiet-", "contradict one another", "NAME-"),
        (["quiet", "quiet=off"], "quiet quiet=off", "contradict one another", "NAME-"),
        (["x=1", "x-=1"], "x=1 x-=1", "contradict one another", "NAME-"),
        (["x-", "x-=1"], "x- x-=1", "contradict one another", "NAME-"),
        (["console=a", "console-=a"], "console=a console-=a", "contradict one another", "NAME-"),
        (["console=a", "console=a"], "console=a console=a", "twice", "remove one"),
    ],
)
def test_words_that_are_refused(words: list[str], place: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        said(*words)

    assert caught.value.location == Location(place)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    for line in (caught.value.hint or "").splitlines():
        _, typed, command = line.partition(": secboot set ")
        if typed:
            said(*shlex.split(command))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ALL, EntrySelection()),
        (Options(("default",)), EntrySelection(EntryScope.DEFAULT)),
        (Options(rescue=False), EntrySelection(rescue=False)),
        (Options(("a b", "it's*")), EntrySelection(include=("a b", "it's*"))),
        (Options(("x",), rescue=False), EntrySelection(include=("x",), rescue=False)),
    ],
)
def test_entries(options: Options, expected: EntrySelection) -> None:
    assert said("nosmt", options=options).entries == expected


@pytest.mark.parametrize("options", [Options(("default",), rescue=False), Options(("all", "x"))])
def test_options_that_contradict_each_other(options: Options) -> None:
    with pytest.raises(UsageError, match="cannot be combined"):
        said("nosmt", options=options)


@pytest.mark.parametrize("name", ["a\nparameters:", "a\udcff", "\x1b[m"])
def test_a_name_of_an_entry_is_one_line(name: str) -> None:
    with pytest.raises(UsageError, match="one line of printable"):
        said("nosmt", options=Options((name,)))


def test_a_name_that_looks_misspelled_can_be_removed_and_intended() -> None:
    assert [each.describe() for each in said("swiotlbs-", "quietx-=1").requirements] == [
        "swiotlbs absent",
        "no quietx=1",
    ]
    meant = said("loglevle=3", "nosmt", options=Options(as_spelled=True))
    assert [each.describe() for each in meant.requirements] == [
        "loglevle=3",
        "nosmt without a value",
    ]
    assert "as_spelled: ['loglevle']\n" in meant.sources[0].text
    assert meant.words[-1] == "--as-spelled"


def test_warnings_name_the_word() -> None:
    (warning,) = said("quiet", "swiotlb=1000").warnings

    assert warning.location == Location("swiotlb=1000")
    assert [str(each.location) for each in said("quiet", "swiotlb-").requirements] == [
        "quiet",
        "swiotlb-",
    ]


def test_a_word_with_a_shell_variable_is_quoted_in_the_description() -> None:
    profile = said('note="$HOME it\'s"', "quiet-", options=Options(("a b",), rescue=False))

    assert profile.description == (
        """secboot set 'note="$HOME it'"'"'s"' quiet- --entries 'a b' --no-rescue"""
    )
    assert profile.words == ('note="$HOME it\'s"', "quiet-", "--entries", "a b", "--no-rescue")


NAMES = st.one_of(
    st.from_regex(r"[a-z][a-z0-9_.]{0,8}", fullmatch=True),
    st.sampled_from(sorted(MULTI_VALUED_NAMES | LAST_WINS_NAMES)),
    st.sampled_from(["prot_virt", "swiotlb", "on", "null", "kvm.a-b", "kvm.a_b", "1", "y"]),
)
VALUES = st.text(st.sampled_from("ab1 ,.:;=/\\'&<>$`*?!#%{}[]|~-@+\""), max_size=8)


@st.composite
def any_words(draw: st.DrawFn) -> list[str]:
    """Words, many of them with the same names, and some that are not words."""
    names = draw(st.lists(NAMES, min_size=1, max_size=3))
    words = []
    for _ in range(draw(st.integers(1, 5))):
        name = draw(st.sampled_from(names))
        value = draw(st.one_of(VALUES, st.sampled_from(["1", "0", "262144", "a b"])))
        text = f'"{value}"' if draw(st.booleans()) else value
        words.append(draw(st.sampled_from([f"{name}={text}", f"{name}+={text}",
                                           f"{name}-={text}", name, f"{name}-"])))  # fmt: skip
    return words


SELECTIONS = st.builds(
    Options,
    st.sampled_from([("all",), ("default",), ("Red Hat*", "linux"), ("it's",)]),
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=400)
@given(any_words(), SELECTIONS, lines())
def test_loading_the_yaml_gives_the_same_profile(
    words: list[str], options: Options, text: str
) -> None:
    try:
        profile = profile_of_words(words, options, NoFiles())
    except UsageError:
        return

    (source,) = profile.sources
    loaded = parse_profile(ProfileText("site", "/etc/site.yaml", source.text), NoFiles())

    def asked(profile: Profile) -> list[dict[str, object]]:
        return [{**vars(each), "location": None} for each in profile.requirements]

    assert asked(loaded) == asked(profile)
    assert [type(each) for each in loaded.requirements] == [
        type(each) for each in profile.requirements
    ]
    assert loaded.entries == profile.entries
    assert loaded.description == profile.description
    line = CommandLine.parse(text)
    for requirement in profile.requirements:
        line = requirement.fulfil(line)
    assert all(each.judge(line).met for each in loaded.requirements)


@settings(max_examples=200)
@given(any_words())
def test_what_is_set_is_on_the_line(words: list[str]) -> None:
    """Words that are not refused have their effect, on a line with other words."""
    try:
        profile = said(*words)
    except UsageError:
        return
    before = CommandLine.parse("a=b console=x quiet -- c")
    line = before
    for requirement in profile.requirements:
        line = requirement.fulfil(line)

    for word in map(CommandLine.parse, words):
        (typed,) = word.parameters
        if typed.value is not None and typed.name[-1] not in "+-" and typed.name not in _KNOWN:
            given = [each.value for each in line.parameters if canonical(each.name) == canonical(typed.name)]  # fmt: skip
            assert typed.value in given


_KNOWN = {"prot_virt", "swiotlb"}


def test_the_yaml_can_be_saved_as_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "etc/p.yaml"
    path.parent.mkdir()
    path.write_text(text_of_words(["nosmt", "console-=a"]))
    with Root(tmp_path) as root:
        loaded = read_profile(str(path), root)

    assert [each.describe() for each in loaded.requirements] == [
        each.describe() for each in said("nosmt", "console-=a").requirements
    ]
    assert (loaded.words, said("nosmt").path) == ((), PATH)
