from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.errors import ParseError, RefusedError
from secboot.formats.grub_default import GrubDefault
from tests.trees import SAMPLES

NAME = "GRUB_CMDLINE_LINUX_DEFAULT"
SUSE = (SAMPLES / "sles/etc-default-grub").read_text()


@given(text=st.text())
@settings(max_examples=100)
def test_every_text_survives(text: str) -> None:
    assert GrubDefault.parse(text).render() == text


def test_only_the_value_changes() -> None:
    document = GrubDefault.parse(SUSE)
    old = document.get(NAME)
    assert old is not None

    after = document.set_value(NAME, f"{old.value} prot_virt=1")

    assert after.render() == SUSE.replace("crashkernel=163M", "crashkernel=163M prot_virt=1")
    assert document.get("GRUB_CMDLINE_LINUX") is not None
    assert document.get("GRUB_NONE") is None


def test_the_last_assignment_counts_and_a_comment_after_it_stays() -> None:
    text = f'{NAME}="a"\n{NAME}="b" # why\n'

    after = GrubDefault.parse(text).set_value(NAME, "c")

    assert after.render() == f'{NAME}="a"\n{NAME}="c" # why\n'


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (f"{NAME}='a'", 1),
        (f"{NAME}=a", 1),
        (f' {NAME}="a"', 2),
        (f'export {NAME}="a"', 8),
        (f'{NAME} = "a"', 1),
        (f'{NAME}+=" b"', 1),
        (f'{NAME}="a', 1),
        (f'{NAME}="a" b', 1),
        (f'{NAME}="$GRUB_X a"', 1),
        (f'{NAME}="a \\\\"', 1),
        (f'{NAME}="`date`"', 1),
    ],
)
def test_what_its_programs_read_differently_is_refused(line: str, column: int) -> None:
    with pytest.raises(ParseError) as info:
        GrubDefault.parse(f"# comment\n{line}\n").set_value(NAME, "a")

    assert str(info.value.location) == f"/etc/default/grub:2:{column}"


def test_comments_and_other_names_are_not_assignments() -> None:
    text = f'#{NAME}="a"\n# {NAME}=\nX{NAME}="b"\n{NAME}_XEN="c"\n'

    assert GrubDefault.parse(text).get(NAME) is None


@pytest.mark.parametrize("value", ["$x", "a\\b", "`a`", "a\nb"])
def test_a_value_that_has_no_way_to_be_written_is_refused(value: str) -> None:
    with pytest.raises(RefusedError):
        GrubDefault.parse(f'{NAME}=""\n').set_value(NAME, value)


def test_a_variable_that_is_not_assigned_is_refused() -> None:
    with pytest.raises(RefusedError, match="not assigned"):
        GrubDefault.parse("").set_value(NAME, "a")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("''", ""),
        ("", ""),
        ("'a \"b\" $c'", 'a "b" $c'),
        ("a=b,c", "a=b,c"),
        ('"a\\\\b"', None),
        ('"$a"', None),
        ("a\\ b", None),
        ("`a`", None),
    ],
)
def test_other_ways_to_write_a_value_are_read_where_they_can_be(
    written: str, value: str | None
) -> None:
    found = GrubDefault.parse(f"{NAME}={written} # why\n").get(NAME)

    assert found is not None
    assert found.value == value
    assert found.problem is not None


def test_what_update_bootloader_writes_is_read_and_kept() -> None:
    document = GrubDefault.parse(f'{NAME}="quiet a=\\"b  c\\" d"\n')
    found = document.get(NAME)
    assert found is not None
    assert found.value == 'quiet a="b  c" d'

    after = document.set_value(NAME, f"{found.value} prot_virt=1")

    assert after.render() == f'{NAME}="quiet a=\\"b  c\\" d prot_virt=1"\n'


value = st.text(st.sampled_from("ab= \",.!*#&;|<>()'/-_%~{}"), max_size=30)


@given(value=value)
@settings(max_examples=40)
def test_a_shell_reads_the_value_that_was_written(value: str) -> None:
    text = GrubDefault.parse(f'{NAME}=""\n').set_value(NAME, value).render()
    shell = shutil.which("sh")
    assert shell is not None

    read = subprocess.run(
        [shell, "-c", f'{text}printf %s "${NAME}"'], capture_output=True, text=True, check=True
    )

    assert read.stdout == value
