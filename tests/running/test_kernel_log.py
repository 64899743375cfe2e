"""Kernel messages: those in the samples, and the log that they are read from."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.running.kernel_log import NO_MESSAGES, KernelMessages, read_kernel_log
from tests.trees import SAMPLES

RECORDS = "6,{first},0,-;Linux version 6.1\n6,{next},63,-;prot_virt: Reserving 98MB as ultravisor base storage\n SUBSYSTEM=x\n"


def read(name: str) -> KernelMessages:
    lines = (SAMPLES / "dmesg" / name).read_text().splitlines()
    return KernelMessages.read(lines, complete=True)


@pytest.mark.parametrize("name", ["host-ok-upstream", "host-ok-ubuntu-kmsg-id"])
def test_a_host_says_what_it_reserves(name: str) -> None:
    assert (read(name).reserved_mib, read(name).failures) == (98, ())


def test_every_line_of_a_failure_is_one() -> None:
    assert len(read("host-fail-all").failures) == 5
    assert read("host-fail-all").reserved_mib is None


def test_the_bounce_buffer_in_the_log() -> None:
    found = read("guest-swiotlb")

    assert (found.bounce_buffer_mib, found.adjusted) == (512, (524288, 262144))
    assert found.no_buffer
    assert len(found.bounce_buffer_full) == 1


@given(st.lists(st.text()))
def test_any_text_can_be_read(lines: list[str]) -> None:
    KernelMessages.read(lines, complete=False)


def test_the_log_and_whether_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "kmsg"
    log.write_text(RECORDS.format(first=0, next=1))
    whole = read_kernel_log(log)
    log.write_text(RECORDS.format(first=77, next=78))
    rest = read_kernel_log(log)

    assert (whole.complete, whole.reserved_mib) == (True, 98)
    assert (rest.complete, rest.reserved_mib) == (False, 98)


def test_a_log_that_can_not_be_read_says_nothing(tmp_path: Path) -> None:
    assert read_kernel_log(tmp_path / "none") == NO_MESSAGES
