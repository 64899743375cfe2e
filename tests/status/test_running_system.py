"""The origin of the running line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.formats.zipl_parameters import ZiplEnvironment
from secboot.running.firmware import IplSource
from secboot.status.running_system import KnownLine, explain
from tests.trees import SAMPLES

DEFAULT = KnownLine("the default", "root=/dev/dasda1 quiet")
OTHER = KnownLine("another", "root=/dev/dasda1")
BOTH = (DEFAULT, OTHER)


def ipl(parm: str | None) -> IplSource:
    return IplSource("ccw", "0.0.0120", "", parm)


@pytest.mark.parametrize(
    ("running", "parm", "said"),
    [
        ("root=/dev/dasda1 quiet", None, "it matches the default"),
        ("root=/dev/dasda1", None, "it matches another"),
        (
            "root=/dev/dasda1 quiet BOOT_IMAGE=2",
            None,
            "it matches the default, the boot menu added BOOT_IMAGE=2",
        ),
        (
            "root=/dev/dasda1 quiet BOOT_IMAGE=2 prot_virt=1",
            "PROT_VIRT=1",
            (
                "it matches the default, the boot menu added BOOT_IMAGE=2,"
                " IPL PARM added 'prot_virt=1'"
            ),
        ),
        (
            "root=/dev/dasda1 quiet single",
            None,
            (
                "it matches the default,"
                " 'single' was added at IPL (at the boot menu, or as IPL PARM)"
            ),
        ),
        (
            "root=/dev/sda1",
            "=root=/dev/sda1",
            "IPL PARM begins with '=' and replaced the whole line",
        ),
    ],
)
def test_layers(running: str, parm: str | None, said: str) -> None:
    assert explain(running, BOTH, ipl=ipl(parm)).description == said


def test_the_text_has_the_name_that_its_device_gives_it() -> None:
    source = IplSource("fcp", "0.0.1700", "", "=single")

    assert explain("single", BOTH, ipl=source).description == (
        "SCPDATA begins with '=' and replaced the whole line"
    )


def test_a_line_of_no_entry() -> None:
    said = explain("init=/bin/sh", BOTH)

    assert said.description.startswith("it matches no boot entry")
    assert not said.of_entry


def test_a_longer_word_is_not_an_added_word() -> None:
    assert not explain("root=/dev/dasda1quiet", (OTHER,)).of_entry


@pytest.mark.parametrize(
    ("running", "how"),
    [
        ("root=/dev/a ro", "with ${DISK} from the zIPL environment"),
        ("root=/dev/b ro", "with ${DISK} from site 3 of the zIPL environment"),
        (
            "root=${DISK} ro",
            "with ${DISK} unexpanded, although this boot loader would have expanded it",
        ),
    ],
)
def test_variables_of_the_zipl_environment(running: str, how: str) -> None:
    environment = ZiplEnvironment((("DISK", "/dev/a"), ("3DISK", "/dev/b")))

    said = explain(running, (KnownLine("an entry", "root=${DISK} ro"),), environment)

    assert said.description == f"it matches an entry, {how}"


def test_the_sample_of_a_menu_on_rhel_8() -> None:
    running = (SAMPLES / "cmdline" / "rhel8-lpar-tuned-boot_image").read_text()
    entry = KnownLine("'RHEL'", running.replace(" BOOT_IMAGE=0", ""))

    assert explain(running, (entry,)).description == (
        "it matches 'RHEL', the boot menu added BOOT_IMAGE=0"
    )


@given(st.text(), st.lists(st.text(), max_size=4), st.none() | st.text(max_size=20))
def test_any_line_gets_an_explanation(running: str, known: list[str], parm: str | None) -> None:
    lines = tuple(KnownLine(str(number), text) for number, text in enumerate(known))

    assert explain(running, lines, ipl=ipl(parm)).description
