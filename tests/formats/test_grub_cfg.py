"""The menu that GRUB builds from grub.cfg, its default entry, and when these are unknown."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.formats.grub_cfg import GrubCfg, GrubMenu
from secboot.formats.grub_variables import Files
from tests.formats.grub_scripts import BLOCK, ENTRIES, FILES, HEADER, SUSE_HEADER


def menu(text: str, files: Files | None = None) -> GrubMenu:
    return GrubCfg.parse(text, "/boot/grub2/grub.cfg").menu(FILES if files is None else files)


def default(text: str, files: Files | None = None) -> str:
    """The parameters of the default entry, or why they are unknown."""
    found = menu(text, files)
    if found.default is None:
        return f"? {found.unsure}"
    return found.default.parameters or f"? {found.default.unsure}"


def test_an_entry_says_what_it_starts() -> None:
    first = next(menu(HEADER + ENTRIES).walk())

    assert (first.title, first.id, first.place) == ("SLES 15-SP6", "gnulinux-simple-1", (0,))
    assert first.kernel == "/boot/image-6.4.0-150600.23-default"
    assert first.parameters == "root=UUID=1 hvc_iucv=8 quiet"
    assert first.ramdisk == "/boot/initrd-6.4.0-150600.23-default"
    assert (first.number, first.linux_number) == (40, 45)


def test_entries_of_submenus_have_places_of_their_own() -> None:
    assert [(each.place, each.title.partition(", ")[2]) for each in menu(ENTRIES).walk()] == [
        ((0,), ""),
        ((1, 0), "with Linux 6.4.0-150600.23-default"),
        ((1, 1), "with Linux 6.4.0-150600.23-default (recovery mode)"),
        ((1, 2), "with Linux 6.4.0-150600.21-default"),
        ((2,), ""),
    ]


@pytest.mark.parametrize("header", [HEADER, SUSE_HEADER])
@pytest.mark.parametrize(
    ("kept", "place"),
    [
        ("", (0,)),
        ("saved_entry=1>2\n", (1, 2)),
        ("saved_entry=gnulinux-advanced-1>gnulinux-21-1\n", (1, 2)),
        ("saved_entry=Advanced options for SLES 15-SP6>1\n", (1, 1)),
        ("saved_entry=1\n", (1, 0)),
        ("saved_entry=an entry that was removed\n", (0,)),
        ("saved_entry=2\nnext_entry=1>1\n", (1, 1)),
    ],
)
def test_the_default_is_the_saved_one(header: str, kept: str, place: tuple[int, ...]) -> None:
    found = menu(header + ENTRIES, {**FILES, "/boot/grub2/grubenv": BLOCK + kept})

    assert found.default is not None
    assert found.default.place == place
    assert found.once == ("next_entry" in kept)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "source /boot/grub2/other.cfg\n" + ENTRIES,
            "? /boot/grub2/grub.cfg:1 continues with a file",
        ),
        (
            "configfile /boot/x\n" + ENTRIES,
            "? secboot does not know what 'configfile' in /boot/grub2/grub.cfg:1 does",
        ),
        (
            "if sleep 1; then menuentry a { linux a; }; fi\n" + ENTRIES,
            "? the result of a condition in /boot/grub2/grub.cfg:1 is unknown",
        ),
        (
            "if sleep 1; then set default=1; fi\n" + ENTRIES,
            "? the result of a condition in /boot/grub2/grub.cfg:1 is unknown",
        ),
        ("regexp -s 1:default (.) 1\n" + ENTRIES, "? 'regexp' in /boot/grub2/grub.cfg:1 sets it"),
        ("probe --set=default -u $root\n" + ENTRIES, "? 'probe' in /boot/grub2/grub.cfg:1 sets it"),
        ("while sleep 1; do default=1; done\n" + ENTRIES, "? the result of a condition in"),
        ("while true; do default=1; done\n" + ENTRIES, "? /boot/grub2/grub.cfg does not end"),
        ("for x in $?; do default=$x; done\n" + ENTRIES, "? the value of $? is unknown"),
        ("default=2x\n" + ENTRIES, "? whether GRUB reads '2x' as a number"),
        ("", "? its menu is empty"),
        (
            "if true; then function f { true; }; fi\n" + ENTRIES,
            "? /boot/grub2/grub.cfg:1: GRUB can't read this: a function is defined inside",
        ),
        (ENTRIES[:200], "? /boot/grub2/grub.cfg:5: GRUB can't read this: the file is truncated"),
        (f"{ENTRIES}menuentry 'a", "? /boot/grub2/grub.cfg:27: GRUB can't read this: a quote"),
    ],
)
def test_an_unknown_result_has_a_reason(text: str, said: str) -> None:
    assert default(text).startswith(said)


def test_a_kept_environment_that_may_not_be_read_leaves_the_default_unknown() -> None:
    files = {path: text for path, text in FILES.items() if path != "/boot/grub2/grubenv"}

    assert "is unknown" in default(HEADER + ENTRIES, files)


def test_what_comes_after_the_default_can_be_unknown() -> None:
    text = ENTRIES + "if sleep 1; then menuentry a { linux a; }; fi\n"

    assert default(text) == "root=UUID=1 hvc_iucv=8 quiet"
    assert [each.doubt is None for each in menu(text).walk()] == [True] * 5 + [False]


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        ("linux /k  a\tb", "a b"),
        ('linux /k a="b  c" d', "a=b  c d"),
        (r"linux /k a=\"b c\" \$d", 'a="b c" $d'),
        ("linux /k 'a $x' \"$x\" $x ${x}y", "a $x p  q p q p qy"),
        ("set x=1; linux /k $x$none", "1"),
        ("g '1 2' 3", "1 2 3"),
        ("if [ $grub_platform = xen ]; then linux /k a; else linux /k b; fi", "b"),
        ('if [ -z "$none" -a x$feature_menuentry_id = xy ]; then linux /k a; fi', "a"),
        ("if [ ! -n '' -o a = b ]; then linux /k a; fi", "a"),
        ('for i in a b; do set all="$all$i"; done; linux /k $all', "ab"),
        ("linux /k a\nlinux /k b # c", "b"),
        ("linux /k a \\\n b", "a b"),
        ("search --set=root x; linux ($root)/k a", "a"),
        ('until [ "$n" = 1 ]; do set n=1; done; linux /k $n', "1"),
        ("while true; do if true; then break; fi; done; linux /k a", "a"),
        ("f; linux /k a", "a"),
        ("if ! false; then linux /k a; fi", "a"),
        ("if ! sleep 1; then linux /k a; fi", "? the result of a condition in"),
        ("if sleep 1; then set y=1; fi; linux /k $y", "? the result of a condition in"),
        ("if sleep 1; then linux /k 1; fi", "? the result of a condition in"),
        ("linux /k ${unknown_to_all}a", "a"),
    ],
)
def test_words_are_those_of_grub(body: str, parameters: str) -> None:
    functions = "function f { f; f; }\nfunction g { linux /k $1 $2; }\n"
    found = default(f"{functions}set x='p  q'\nmenuentry a {{\n{body}\n}}\n")

    assert found == parameters or (parameters[0] == "?" and found.startswith(parameters))


def test_a_submenu_sees_exported_variables_alone() -> None:
    text = "set a=1\nset b=2\nexport b\nsubmenu s { menuentry e { linux /k $a $b; } }\n"

    assert default(text) == "2"


def test_files_that_it_goes_on_with_are_read() -> None:
    text = "if [ -f $prefix/custom.cfg ]; then source $prefix/custom.cfg; fi\n" + ENTRIES

    assert default(text, {**FILES, "/boot/grub2/custom.cfg": "set default=2\n"}) == "own"
    assert default(text) == "root=UUID=1 hvc_iucv=8 quiet"


def test_ten_thousand_entries_are_read_in_linear_time() -> None:
    def seconds(count: int) -> float:
        text = HEADER + "".join(
            f"menuentry 'Linux {n}' --id i{n} {{\n\tload_video\n\tlinux /k root=1 a b c n={n}\n}}\n"
            for n in range(count)
        )
        begin = time.process_time()
        found = list(menu(text).walk())
        assert len(found) == count
        assert found[-1].parameters == f"root=1 a b c n={count - 1}"
        return time.process_time() - begin

    seconds(100)
    # Quadratic time would be a hundred times as long in every run; a busy machine is only slow at times.
    assert any(seconds(10_000) < 20 * seconds(1_000) + 1 for _ in range(3))


WORDS = (
    *("if", "then", "else", "fi", "while", "do", "done", "{", "}", "menuentry", "'a'", "[", "]"),
    *("set a=$a", "true", ";", "\n", "#", '"', "$", "\\", "for", "in", "function f", "f"),
    *("linux /k", "break", "return", "load_env", "source", "<", "&", "$default", "submenu"),
)


@given(words=st.lists(st.sampled_from(WORDS), max_size=30))
@settings(max_examples=300)
def test_no_text_is_too_much(words: list[str]) -> None:
    found = menu(" ".join(words))

    assert found.default is not None or found.unsure
    list(found.walk())


@given(text=st.text(st.sampled_from("ab${}'\"\\ \n;#&|<>=[]"), max_size=60))
@settings(max_examples=200)
def test_no_word_is_too_much(text: str) -> None:
    list(menu(text).walk())
