"""What the real kiwi reads: its schema, its description, and the boot entry that it writes for zipl."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.errors import RefusedError
from secboot.export.formats import WRITERS
from secboot.export.names import ExportFormat
from secboot.export.request import ExportRequest
from secboot.formats.bls_entry import BlsEntry
from secboot.formats.kernel_cmdline import CommandLine
from tests.available import require_root, unavailable
from tests.export.requests import MADE_REQUESTS, from_text, shipped, site
from tests.export.small_tree import INITRAMFS, small_tree
from tests.packaging.programs import require, run
from tests.s390x.loop_disk import loop_problem

DESCRIPTION = """\
<?xml version="1.0" encoding="utf-8"?>
<image schemaversion="{version}" name="guest">
  <description type="system">
    <author>secboot</author><contact>root@localhost</contact>
    <specification>A guest in IBM Secure Execution mode</specification>
  </description>
  <preferences>
    <version>1.0.0</version>
    <packagemanager>zypper</packagemanager>
    {elements}
  </preferences>
  <repository><source path="obs://project/repository"/></repository>
  <packages type="image"><package name="s390-tools"/></packages>
  <packages type="bootstrap"><package name="filesystem"/></packages>
</image>
"""
VERSIONS = ("7.5", "8.0")
"""Versions of the schema, those of kiwi 9 and kiwi 10; kiwi converts older ones to its own."""

IMAGES = ("oem", "iso", "pxe", "kis")

AWKWARD = (
    "root=/dev/vda1 swiotlb=262144",
    "a='x' b=\"two  words\" c=<&> d=%i e=${bootpath} f=#g h=--> i=\\n j=]]> k=&amp;",
    "root=/dev/vda1 ro -- init-word",
    "  edges   inside",
)


def exported(asked: ExportRequest) -> str:
    return WRITERS[ExportFormat.KIWI].write(asked).text


def described(fragment: str, *, image: str = "oem", version: str = VERSIONS[-1]) -> str:
    """An image description with the attribute merged into its type, as a person would."""
    loader = '><bootloader name="zipl"/></type>' if image == "oem" else "/>"
    elements, merged = re.subn(
        r"^<type (.*)/>$",
        lambda found: f'<type image="{image}" filesystem="ext4" {found[1]}{loader}',
        fragment,
        flags=re.MULTILINE,
    )
    assert merged == 1
    return DESCRIPTION.format(elements=elements, version=version)


def ask(*descriptions: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("ask_kiwi.py")],
        input=json.dumps(descriptions), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_description_with_the_attribute_is_valid(version: str) -> None:
    fragment = exported(site("root=/dev/vda1 quiet"))

    answers = ask(*(described(fragment, image=each, version=version) for each in IMAGES))

    assert [each.get("line") for each in answers] == len(IMAGES) * [
        'root=/dev/vda1 quiet swiotlb=524288 console=ttysclp0 console=hvc0 loglevel=3 note="two words"'
    ]


def test_the_schema_is_checked() -> None:
    fragment = exported(shipped("guest"))
    misspelt = fragment.replace("kernelcmdline=", "kernelcommandline=")

    # A container has no kernel; a Schematron rule of kiwi checks that.
    answers = ask(described(fragment, image="docker"), described(misspelt), described(fragment))

    assert ["refused" in each for each in answers] == [True, True, False]


def test_the_line_is_in_the_boot_entry_that_kiwi_writes() -> None:
    requests = [shipped("guest", line) for line in AWKWARD]

    answers = ask(*(described(exported(asked)) for asked in requests))

    for asked, found in zip(requests, answers, strict=True):
        entry = BlsEntry.parse(found["entry"])
        line = asked.whole_line().strip()
        # kiwi adds the root device if the line does not name one.
        assert entry.options == (line if "root=" in line else f"{line} root=UUID=")
        read = CommandLine.parse(entry.options)
        assert all(each.judge(read).met for each in asked.profile.requirements)


@settings(max_examples=2)
@given(
    st.lists(
        st.tuples(MADE_REQUESTS, st.text(st.sampled_from("ab= <>&'-$%#!]"), max_size=20)),
        min_size=10,
        max_size=10,
    )
)
def test_any_line_is_read_back_byte_for_byte(made: list[tuple[ExportRequest, str]]) -> None:
    requests = [ExportRequest(asked.profile, line=line) for asked, line in made]

    answers = ask(*(described(exported(asked)) for asked in requests))

    assert [each["line"] for each in answers] == [asked.whole_line() for asked in requests]


def test_a_description_of_the_profile_stays_a_comment() -> None:
    asked = from_text(
        "version: 1\ndescription: '--> <type kernelcmdline=\"x\"/> ---'\n"
        "parameters: {swiotlb: 512 MiB}\n"
    )

    (found,) = ask(described(exported(asked)))

    assert found["line"] == "swiotlb=262144"


@pytest.mark.parametrize("control", ["\n", "\t", "\x01"])
def test_a_line_that_is_not_plain_text_is_refused(control: str) -> None:
    with pytest.raises(RefusedError, match="accepts only one line of plain text"):
        exported(shipped("guest", f"root=/dev/vda1{control}quiet"))


def test_an_image_that_is_built_has_the_line(tmp_path: Path) -> None:
    """kiwi's image for a network boot: kernel, initramfs, root file system, and the line for all."""
    require_root()
    if problem := loop_problem():
        unavailable(problem)
    require("rsync")
    tree, target = tmp_path / "tree", tmp_path / "target"
    kernel = small_tree(tree)
    asked = shipped("guest", "ro swiotlb=512M")
    (tree / "image").mkdir()
    (tree / "image/config.xml").write_text(
        described(exported(asked).replace("<type ", '<type archive="false" '), image="kis")
    )

    built = run(
        *(sys.executable, "-c", "from kiwi.kiwi import main; main()", "--target-arch", "s390x"),
        *("system", "create", "--root", tree, "--target-dir", target),
    )

    assert built.returncode == 0, built.stderr
    files = {path.suffix: path for path in target.glob("guest.s390x-1.0.0*")}
    assert re.fullmatch("root=UUID=[0-9a-f-]{36} ro swiotlb=262144", files[".append"].read_text())
    assert files[".kernel"].read_bytes() == kernel
    assert files[".initrd"].read_text() == INITRAMFS
