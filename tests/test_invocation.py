"""The command that a user should type next, exactly as it can be typed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer

from secboot.cli.app import application
from secboot.invocation import Invocation
from tests.command import secboot
from tests.trees import make_sample_tree

VERBS = ("plan", "apply", "set", "status", "verify", "rollback", "keep", "history", "show", "check")
TYPED = Invocation("my profile", root="/mnt/it's", state_dir="/srv/state", layout="bls")


def options_of(verb: str) -> set[str]:
    group = typer.main.get_group(application([verb]))
    return {name for each in group.commands[verb].params for name in each.opts}


def test_the_words_are_those_that_were_typed() -> None:
    said = TYPED.for_profile("plan")

    assert shlex.split(said) == [
        *("secboot", "plan", "my profile", "--root", "/mnt/it's"),
        *("--state-dir", "/srv/state", "--layout", "bls"),
    ]


def test_what_was_not_typed_is_not_said() -> None:
    assert Invocation().command("rollback", "7") == "secboot rollback 7"
    assert Invocation().for_profile("verify", "--strict") == "secboot verify PROFILE --strict"


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_gets_the_options_that_it_takes(verb: str) -> None:
    said = {word for word in TYPED.command(verb).split() if word.startswith("--")}

    assert said == options_of(verb) & {"--root", "--state-dir", "--layout"}


def test_commands_in_a_text_get_the_options_that_they_lack() -> None:
    typed = Invocation(root="/mnt", state_dir="/srv/a b")

    found = typed.in_text(
        "`secboot check` lists all; undo it: secboot rollback 3 --root /mnt\n"
        "`secboot-trial` and secboot demo DIR, secboot check-domain FILE stay; secboot history"
    )

    assert found == (
        "`secboot check --root /mnt --state-dir '/srv/a b'` lists all; undo it: secboot rollback"
        " --state-dir '/srv/a b' 3 --root /mnt\n`secboot-trial` and secboot demo DIR, secboot"
        " check-domain FILE stay; secboot history --root /mnt --state-dir '/srv/a b'"
    )
    assert typed.in_text("`secboot profile list`") == "`secboot profile list --root /mnt`"
    assert Invocation().in_text("secboot status") == "secboot status"


def test_words_stand_for_a_profile() -> None:
    typed = Invocation(root="/mnt", words=("note=a b", "quiet-", "--no-rescue"))

    assert typed.for_profile("apply") == "secboot set 'note=a b' quiet- --no-rescue --root /mnt"
    assert typed.for_profile("plan") == (
        "secboot set 'note=a b' quiet- --no-rescue --dry-run --root /mnt"
    )
    assert typed.for_profile("verify") == "secboot status --root /mnt"
    assert typed.command("rollback", "7") == "secboot rollback 7 --root /mnt"


def test_a_check_alone_takes_what_commands_have_in_common(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree("rhel9", tmp_path / "root")
    words = shlex.split(Invocation(root=str(root), state_dir=str(tmp_path / "st")).command("check"))

    assert secboot(capsys, *words[1:]).code == 0
    assert not (tmp_path / "st").exists()
