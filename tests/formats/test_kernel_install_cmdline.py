from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.errors import RefusedError
from secboot.formats.kernel_cmdline import CommandLine, KernelInstallCmdline

texts = st.lists(st.sampled_from(["root=/dev/a ro", "# c", "", " ", "\tquiet", "x=1\r"])).map(
    "\n".join
)


@given(text=st.text() | texts)
@settings(max_examples=200)
def test_every_text_survives(text: str) -> None:
    document = KernelInstallCmdline.parse(text)

    assert document.render() == text
    assert bool(document.words) == any(
        line.strip() and not line.lstrip().startswith("#") for line in text.split("\n")
    )


@pytest.mark.parametrize(
    ("text", "before", "words", "after"),
    [
        ("ro\n", "", "ro\n", ""),
        ("ro", "", "ro", ""),
        ("\n\nro\nquiet\n\n", "\n\n", "ro\nquiet\n", "\n"),
        ("# why\nro\n# end\n", "# why\n", "ro\n", "# end\n"),
        ("# only\n\n", "# only\n\n", "", ""),
        ("ro\n# between\nquiet\n", "", "ro\n# between\nquiet\n", ""),
    ],
)
def test_where_the_parameters_are(text: str, before: str, words: str, after: str) -> None:
    document = KernelInstallCmdline.parse(text)

    assert (document.before, document.words, document.after) == (before, words, after)


def test_a_comment_among_the_parameters_hinders_an_edit() -> None:
    with pytest.raises(RefusedError, match="comment"):
        KernelInstallCmdline.parse("ro\n# between\nquiet\n").with_lines(
            {"": CommandLine.parse("ro")}
        )


@pytest.mark.parametrize(
    ("text", "codes", "line"),
    [
        ("root=UUID=1 ro\n", [], 0),
        ("# c\nro\n", ["kernel-cmdline-comment"], 1),
        ("ro\nquiet\n", ["kernel-cmdline-lines"], 2),
        ("\nro BOOT_IMAGE=0\n", ["kernel-cmdline-word"], 2),
        ("ro initrd=\\initrd\n", ["kernel-cmdline-word"], 1),
        ("root=/dev/loop0p2 ro\n", ["kernel-cmdline-word"], 1),
        ("root=/dev/nbd3p1 ro\n", ["kernel-cmdline-word"], 1),
        ("root=/dev/loopback ro\n", [], 0),
        ("a=b#c\n", ["kernel-cmdline-word"], 1),
        ("a=b c\r\n", ["kernel-cmdline-word"], 1),
        ("a=b&c\n", ["kernel-cmdline-word"], 1),
    ],
)
def test_what_does_not_belong_there(text: str, codes: list[str], line: int) -> None:
    problems = KernelInstallCmdline.parse(text).problems

    assert [problem.code for problem in problems] == codes
    assert {str(problem.location) for problem in problems} <= {f"/etc/kernel/cmdline:{line}"}
