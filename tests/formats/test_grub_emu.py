"""The real GRUB boots what secboot predicts: Debian's grub-emu on scripts and menus.

Its release does not have ``linux``, so a function replaces it that prints the words and exits.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from secboot.formats.grub_cfg import GrubCfg
from tests.available import unavailable
from tests.formats.grub_scripts import BLOCK, ENTRIES, FILES, HEADER, SUSE_HEADER
from tests.packaging.programs import require
from tests.s390x.apt import AptError, Suite, native_architecture, unpack
from tests.s390x.cache import locked_cache
from tests.s390x.recipe import BASE_SUITE
from tests.workshop import Workshop

PACKAGES = (
    *("grub-emu", "libsdl1.2debian", "libcaca0", "libslang2", "libncursesw6", "libtinfo6"),
    *("libx11-6", "libxext6", "libpulse0", "libdevmapper1.02.1"),
)
PRINTS = 'function linux { echo "<<<$@>>>"; halt; }\n'
NAMES = ("a", "b", "Linux > 1", "id", "x y", "0", "it is")


def _unpack_all(directory: Path) -> None:
    with locked_cache() as cache:
        files = Suite(BASE_SUITE, native_architecture(), cache).fetch(PACKAGES)
    for file in files.values():
        unpack(file, directory)


@pytest.fixture(scope="module")
def grub_emu(workshop: Workshop) -> tuple[list[str], dict[str, str]]:
    """The command that runs grub-emu, and its environment."""
    script = shutil.which("script")
    if script is None:
        unavailable("script (Debian's package bsdutils) is not installed")
    installed = shutil.which("grub-emu")
    environment = {"TERM": "dumb", "PATH": os.defpath}
    if installed is None:
        try:
            directory = workshop.directory("grub-emu", _unpack_all)
        except (AptError, OSError) as error:
            unavailable(f"grub-emu is neither installed nor available: {error}")
        libraries = [
            *directory.glob("usr/lib/*-linux-gnu"),
            *directory.glob("usr/lib/*/pulseaudio"),
        ]
        environment["LD_LIBRARY_PATH"] = ":".join(map(str, libraries))
        installed = str(directory / "usr/bin/grub-emu")
        if subprocess.run([installed, "--version"], env=environment, check=False).returncode != 0:
            unavailable("the grub-emu of Debian's package does not run here")
    return [script, "-qec", f"{installed} -r host -d .", "/dev/null"], environment


def booted(
    emulator: tuple[list[str], dict[str, str]], directory: Path, text: str, kept: str = ""
) -> str | None:
    """What grub-emu passes to the kernel; None if it does not start one."""
    directory.mkdir()
    argv, environment = emulator
    argv = [word.replace(" -d .", f" -d {directory}") for word in argv]
    (directory / "grub.cfg").write_text(f"{PRINTS}{text}\nset timeout=0\n")
    (directory / "grubenv").write_text((BLOCK + kept).ljust(1024, "#"))
    done = subprocess.run(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    match = re.search(rb"<<<(.*?)>>>", re.sub(rb"[\r\n]|\x1b\[[0-9;]*[A-Za-z]", b"", done.stdout))
    return None if match is None else match[1].decode()


def told(text: str, kept: str = "") -> str | None:
    """What secboot predicts: kernel and parameters."""
    files = {**FILES, "/boot/grub2/grubenv": (BLOCK + kept).ljust(1024, "#")}
    menu = GrubCfg.parse(text, "/boot/grub2/grub.cfg").menu(files)
    assert menu.default is not None, menu.unsure
    assert menu.default.unsure is None
    return f"{menu.default.kernel} {menu.default.parameters}".strip()


@pytest.mark.parametrize("header", [HEADER, SUSE_HEADER])
@pytest.mark.parametrize(
    "kept",
    [
        "",
        "saved_entry=1>2\n",
        "saved_entry=gnulinux-advanced-1>gnulinux-21-1\n",
        "saved_entry=2\nnext_entry=1>1\n",
        "saved_entry=gone\n",
        "saved_entry=gnulinux-advanced-1>gone\n",
    ],
)
def test_mkconfigs_scripts(
    header: str, kept: str, grub_emu: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    assert booted(grub_emu, tmp_path / "grub", header + ENTRIES, kept) == told(
        header + ENTRIES, kept
    )


@pytest.mark.parametrize(
    "body",
    [
        "linux /k  a\tb",
        "linux /k a=\"b c\" 'd e' f\\ g",
        r"linux /k a=\"b c\" \$d 'a\b' \\",
        "set x='p  q'; linux /k 'a $x' \"$x\" $x ${x}y $none ${none}z",
        "g '1 2' 3",
        "set x='a '; set y=' b '; set z=' '; linux /k ${x}1 2$y ${y}3 4${z}5 $z 6",
        "if [ $grub_platform = xen ]; then linux /k a; else linux /k b; fi",
        'if [ -z "$none" -a x$feature_menuentry_id = xy ]; then linux /k a; fi',
        "if [ ! -n '' -o a = b ]; then linux /k a; else linux /k b; fi",
        "if ! false; then linux /k a; else linux /k b; fi",
        "if [ ]; then linux /k a; elif [ ! a = b ]; then linux /k c; fi",
        'for i in a b; do set all="$all$i"; done; linux /k $all',
        "linux /k a#b # c",
        "linux /k a \\\n b",
        "while true; do if true; then break; fi; linux /k b; done; linux /k a",
        'until [ "$n" = xx ]; do n="x$n"; done; linux /k $n',
        "load_nothing_like_this; linux /k a",
        'n=1; unset n; linux /k "$n" b',
        "if [ 10 -gt 9 -a 1 -eq 01 ]; then linux /k a; else linux /k b; fi",
        "if [ 8 -eq 010 ]; then linux /k a; else linux /k b; fi",
        "if [ 10 -eq 010 -o 08 -lt 8 ]; then linux /k a; else linux /k b; fi",
    ],
)
def test_words_and_statements(
    body: str, grub_emu: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    text = f"function g {{ linux /k $1 $2 $3; }}\nmenuentry a {{\n{body}\n}}"

    assert booted(grub_emu, tmp_path / "grub", text) == told(text)


SCRIPT_WORDS = (
    *("if", "then", "else", "elif", "fi", "while", "do", "done", "for", "in", "until", "!"),
    *("menuentry", "'a'", '"q"', "a=$a", "true", "echo", "f", "function f", "[", "]", "${x}"),
    *("{", "}", ";", "\n", ";;", "a{", "}b", "{a", "#x", "'", '"', "|", "&&", "<", "case", "esac"),
)


def statement(dice: random.Random, depth: int = 0) -> str:
    def inner() -> str:
        return statement(dice, depth + 1)

    forms = (
        lambda: dice.choice(["true", "echo a", "a=1", "set b=$a", "[ a = b ]", "! f x"]),
        lambda: f"if {inner()}; then {inner()}; else {inner()}; fi",
        lambda: f"menuentry 'x' {{ {inner()}\n }}",
        lambda: f"while {inner()}; do {inner()}; done",
        lambda: f"for i in a b; do {inner()}; done",
        lambda: f"{inner()}{dice.choice([chr(10), '; '])}{inner()}",
    )
    return forms[0]() if depth > 3 else dice.choice(forms)()


@pytest.mark.parametrize("seed", range(4))
def test_a_script_that_grub_refuses_is_refused(seed: int) -> None:
    """What grub-script-check refuses is refused; what only GRUB accepts is unknown."""
    program = require("grub-script-check")
    dice = random.Random(seed)  # noqa: S311 - a test that can be repeated
    accepted = 0
    for _ in range(100):
        words = statement(dice).split(" ")
        for _ in range(dice.randint(0, 2)):
            words[dice.randrange(len(words))] = dice.choice(SCRIPT_WORDS)
        text = "true\n" + " ".join(words) + "\n"
        done = subprocess.run([program], input=text, capture_output=True, text=True, check=False)
        problem = GrubCfg.parse(text).problem
        assert done.returncode == 0 or problem is not None, text
        accepted += problem is None
    assert accepted > 20


VALUES = (
    *("x", "1", "2", "0", "10", "$a", "$b", "${c}y", '"$a $b"', "'$a'", '""', "'p  q'", "$d"),
    *("\\$a", "x\\ y", '"a\\"b"', "$none", "${none}"),
)


def values(dice: random.Random) -> str:
    return " ".join(dice.choice(VALUES) for _ in range(dice.randint(1, 4)))


def condition(dice: random.Random, depth: int = 0) -> str:
    if depth < 2 and dice.random() < 0.3:
        joined = dice.choice(["-a", "-o", ""])
        return f"{condition(dice, depth + 1)} {joined} {condition(dice, depth + 1)}"
    one, other = dice.choice(VALUES), dice.choice(VALUES)
    forms = (
        f"! {one}",
        f"{one} {dice.choice(['=', '!=', '=='])} {other}",
        f"10 {dice.choice(['-eq', '-lt', '-ge'])} {dice.randrange(12)}",
        f"{dice.choice(['-n', '-z'])} {one}",
        one,
    )
    return dice.choice(forms)


def effect(dice: random.Random, call: str, depth: int = 0) -> str:
    """A statement that changes variables, or calls a function."""

    def inner() -> str:
        return effect(dice, call, depth + 1)

    name = dice.choice("abcd")
    leave = dice.choice(["break", "continue"])
    forms = (
        lambda: f"set {name}={dice.choice(VALUES)}",
        lambda: f"{name}={dice.choice(VALUES)}",
        lambda: f"unset {name}",
        lambda: f"{call} {values(dice)}",
        lambda: f"if [ {condition(dice)} ]; then {inner()}; else {inner()}; fi",
        lambda: f"if ! [ {condition(dice)} ]; then {inner()}; fi",
        lambda: (
            f"for {name} in {values(dice)}; do {inner()}; if [ ${name} ]; then {leave}; fi; done"
        ),
        lambda: f"while true; do {inner()}; break; done",
        lambda: f"{inner()}\n{inner()}",
    )
    return dice.choice(forms[: 4 if depth > 2 else None])()


@pytest.mark.parametrize("seed", range(25))
def test_generated_scripts(
    seed: int, grub_emu: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    dice = random.Random(seed)  # noqa: S311 - a test that can be repeated
    body = effect(dice, "true")
    text = f'function f {{\nset a="$a$1"\n{body}\nset b=$2\n}}\nexport a\n'
    text += "".join(f"{effect(dice, 'f')}\n" for _ in range(5))
    text += (
        f'menuentry one {{ {effect(dice, "f")}\nlinux /k a=$a b=${{b}} "$c" $d {values(dice)}; }}\n'
    )
    text += "submenu two { menuentry three { linux /k $a $b $c $d; } }\n"
    text += dice.choice(["", "set default=1\n"])

    assert (booted(grub_emu, tmp_path / "grub", text) or "").strip() == told(text), text


def entries(dice: random.Random, depth: int) -> Iterator[str]:
    for number in range(dice.randint(1, 4)):
        name = dice.choice(NAMES)
        ident = f" --id '{dice.choice(NAMES)}'" if dice.random() < 0.5 else ""
        if depth < 2 and dice.random() < 0.4:
            yield f"submenu '{name}'{ident} {{\n{''.join(entries(dice, depth + 1))}}}\n"
        else:
            line = f"linux /k{depth} n={number} r={dice.randrange(10**6)}"
            yield f"menuentry '{name}' --class a{ident} {{ {line}; }}\n"


def wanted(dice: random.Random) -> str:
    def one() -> str:
        return dice.choice([str(dice.randrange(6)), dice.choice(NAMES).replace(">", ">>")])

    return ">".join(one() for _ in range(dice.randint(1, 3)))


@pytest.mark.parametrize("seed", range(16))
def test_defaults_of_generated_menus(
    seed: int, grub_emu: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    dice = random.Random(seed)  # noqa: S311 - a test that can be repeated
    text = "".join(entries(dice, 0)) + f"set default='{wanted(dice)}'\n"

    assert booted(grub_emu, tmp_path / "grub", text) == told(text), text
