"""Help as a user sees it: on either side of the verb, in 80 columns, with commands that work."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer

from secboot.cli.app import VERBS, application
from secboot.cli.help import EXAMPLES, MEANINGS
from secboot.errors import ExitCode
from tests.command import secboot
from tests.trees import make_sample_tree

COMMANDS = [command for examples in EXAMPLES.values() for command, _ in examples]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_is_a_command_line(command: str) -> None:
    group = typer.main.get_command(application(()))
    context = typer.Context(group)
    _, *words = shlex.split(command)
    while isinstance(group, typer.core.TyperGroup):
        _, found, words = group.resolve_command(context, words)
        assert found is not None
        group = found

    made = group.make_context(command, words)

    assert made.params


def test_every_verb_has_examples_and_every_code_a_meaning() -> None:
    assert set(EXAMPLES) == {"", *VERBS}
    assert list(MEANINGS) == list(ExitCode)


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_fits_a_terminal(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    said = secboot(capsys, *[verb][: len(verb)], "--help")

    # An option with all its choices is one word, which cannot be wrapped.
    wide = [line for line in said.out.splitlines() if len(line) > 80 and "<" not in line]
    assert wide == []
    assert "Examples:" in said.out
    assert "Exit codes:" in said.out
    assert said.out.rstrip().endswith("for profiles.")


def test_the_commands_fit_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    whole = secboot(capsys, "--help").out

    said = secboot(capsys)

    lines = said.err.splitlines()
    commands = whole.partition("\nCommands:\n")[2].partition("\n\n")[0].splitlines()
    assert (said.code, said.out) == (2, "")
    assert lines[:2] == [
        "Usage: secboot [OPTIONS] COMMAND [ARGS]...",
        "Try 'secboot --help' for options, examples and exit codes.",
    ]
    assert lines[2:] == ["", "Commands:", *commands]
    assert len(lines) < 24, "the prompt has a row, too"


@pytest.mark.parametrize("words", [["plan"], ["profile", "list"], []])
def test_help_is_a_verb_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert secboot(capsys, "help", *words) == secboot(capsys, *words, "--help")


def test_the_version_is_asked_for_in_three_ways(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [secboot(capsys, *words) for words in (["-V"], ["--version"], ["--debug", "-V"])]

    assert asked[0].code == 0
    assert asked[0].out.startswith("secboot ")
    assert asked[1:] == [asked[0]] * 2


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_sample_tree("rhel9", tmp_path / "root")


def test_colour_is_chosen_on_either_side_of_the_verb(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("plan", "guest", "--root", root)

    def coloured(*words: object) -> bool:
        said = secboot(capsys, *words)
        assert said.code == 0
        return "\x1b[" in said.out

    assert not coloured(*command)
    assert coloured("--color=always", *command)
    assert coloured(*command, "--colour", "always")
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    assert coloured(*command)
    assert not coloured(*command, "--color", "never")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(*command)
    assert coloured(*command, "--color=always")
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.delenv("CLICOLOR_FORCE")
    monkeypatch.setenv("FORCE_COLOR", "0")
    assert not coloured(*command)
    monkeypatch.setenv("FORCE_COLOR", "3")
    assert coloured(*command)


@pytest.mark.parametrize("words", [["--color"], ["--color="], ["--color", "sometimes"]])
def test_an_invalid_colour(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "show", *words)

    assert said.code == ExitCode.USAGE
    assert "--color" in said.err


def test_quiet_leaves_the_exit_code_and_what_was_asked_for(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on_root = ("--root", root)
    plan = secboot(capsys, "plan", "guest", "--detailed-exitcode", "-q", *on_root)
    document = secboot(capsys, "--quiet", "plan", "guest", "-o", "json", *on_root)
    exported = secboot(capsys, "-q", "export", "guest", "--format", "grubby")
    wrong = secboot(capsys, "-q", "plan", "nobody", *on_root)

    assert (plan.code, plan.out, plan.err) == (5, "", "")
    assert document.out.startswith("{")
    assert "swiotlb" in exported.out
    assert (wrong.code, wrong.out) == (2, "")
    assert "nobody" in wrong.err


def test_words_after_two_dashes_are_not_options(capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "plan", "--", "--quiet")

    assert said.code == ExitCode.USAGE
    assert "--quiet" in said.err
