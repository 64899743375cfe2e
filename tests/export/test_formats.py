"""Each format is checked by its own reader: TOML, YAML, XML, shells, tools."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pykickstart.parser import KickstartParser
from pykickstart.version import makeVersion, versionMap
from ruamel.yaml import YAML

from secboot.errors import RefusedError
from secboot.export.formats import WRITERS
from secboot.export.names import ExportFormat
from secboot.export.request import ExportRequest
from secboot.formats.kernel_cmdline import CommandLine
from tests.export.requests import (
    MADE_REQUESTS,
    SITE,
    SITE_PATH,
    SITE_WORDS,
    from_text,
    shipped,
    site,
)

ADDING = (
    ExportFormat.BOOTC,
    ExportFormat.BUTANE,
    ExportFormat.COREOS_INSTALLER,
    ExportFormat.KICKSTART,
    ExportFormat.MACHINECONFIG,
    ExportFormat.OSBUILD,
    ExportFormat.PVICS,
)
RUNNING_SECBOOT = (
    ExportFormat.ANSIBLE,
    ExportFormat.AUTOINSTALL,
    ExportFormat.CLOUD_INIT,
    ExportFormat.KICKSTART_POST,
)
WHOLE_LINE = (ExportFormat.KIWI, ExportFormat.MKOSI, ExportFormat.PVIMG)


def text_of(form: ExportFormat, asked: ExportRequest) -> str:
    return WRITERS[form].write(asked).text


def yaml(text: str) -> Any:  # noqa: ANN401 - whatever the document holds
    return YAML(typ="safe", pure=True).load(text)


RELEASES = tuple(
    name for name, number in versionMap.items() if name != "DEVEL" and number >= versionMap["RHEL7"]
)
"""RHEL 7 and every later Fedora and RHEL: each has its own version of Kickstart."""


def kickstart(text: str, release: str = "RHEL9") -> Any:  # noqa: ANN401 - pykickstart has no types
    parser = KickstartParser(makeVersion(release))
    parser.readKickstartFromString(text)
    return parser.handler


def shell_words(text: str) -> list[str]:
    """The words that a shell passes to the program that the text calls."""
    script = f'coreos-installer() {{ printf "%s\\0" "$@"; }}\nDEVICE=/dev/dasda\n{text}'
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


def bootc_words(text: str) -> str:
    document = tomllib.loads(text)
    # bootc refuses a file with any other key.
    assert document.keys() == {"kargs", "match-architectures"}
    assert document["match-architectures"] == ["s390x"]
    return " ".join(document["kargs"])


def osbuild_words(text: str) -> str:
    document = tomllib.loads(text)
    # bootc-image-builder reads its config.toml as a blueprint, and refuses any other key.
    assert document.keys() == {"customizations"}
    assert document["customizations"].keys() == {"kernel"}
    assert document["customizations"]["kernel"].keys() == {"append"}
    return str(document["customizations"]["kernel"]["append"])


def butane_words(text: str) -> str:
    document = yaml(text)
    assert document.keys() == {"variant", "version", "kernel_arguments"}
    assert document["variant"] == "fcos"
    return " ".join(document["kernel_arguments"]["should_exist"])


def machineconfig_words(text: str) -> str:
    document = yaml(text)
    assert document["apiVersion"] == "machineconfiguration.openshift.io/v1"
    assert document["kind"] == "MachineConfig"
    assert re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", document["metadata"]["name"])
    return " ".join(document["spec"]["kernelArguments"])


def coreos_installer_words(text: str) -> str:
    words = shell_words(text)
    assert words[0] == "install"
    assert words[-1] == "/dev/dasda"
    assert set(words[1:-1:2]) == {"--append-karg"}
    return " ".join(words[2:-1:2])


def kiwi_line(text: str) -> str:
    (element,) = ET.fromstring(f"<preferences>{text}</preferences>")
    assert element.tag == "type"
    return element.attrib["kernelcmdline"]


def mkosi_line(text: str) -> str:
    parser = ConfigParser(interpolation=None, delimiters=("=",))
    parser.read_string(text)
    assert parser["Match"]["Architecture"] == "s390x"
    return parser["Content"]["KernelCommandLine"]


def pvimg_line(text: str) -> str:
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return text[:-1]


READERS: dict[ExportFormat, Callable[[str], str]] = {
    ExportFormat.BOOTC: bootc_words,
    ExportFormat.BUTANE: butane_words,
    ExportFormat.COREOS_INSTALLER: coreos_installer_words,
    ExportFormat.KICKSTART: lambda text: str(kickstart(text).bootloader.appendLine),
    ExportFormat.KIWI: kiwi_line,
    ExportFormat.MACHINECONFIG: machineconfig_words,
    ExportFormat.MKOSI: mkosi_line,
    ExportFormat.OSBUILD: osbuild_words,
    ExportFormat.PVICS: lambda text: str(yaml(text)["convert"]["sel-kernel-parameter"]),
    ExportFormat.PVIMG: pvimg_line,
}
"""The parameters as one line, as read by each format's own reader."""


@pytest.mark.parametrize("form", ADDING)
def test_parameters_are_read_back(form: ExportFormat) -> None:
    assert READERS[form](text_of(form, shipped("guest"))) == "swiotlb=262144"
    assert READERS[form](text_of(form, site())) == " ".join(SITE_WORDS)


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_reads_kickstart_the_same(release: str) -> None:
    handler = kickstart(text_of(ExportFormat.KICKSTART, site()), release)
    assert handler.bootloader.appendLine == " ".join(SITE_WORDS)

    (script,) = kickstart(text_of(ExportFormat.KICKSTART_POST, site()), release).scripts
    assert script.inChroot
    assert script.errorOnFail
    assert script.script.endswith("secboot apply site\n")


@pytest.mark.parametrize("form", ADDING)
@settings(max_examples=40)
@given(asked=MADE_REQUESTS)
def test_any_value_is_read_back_unchanged(form: ExportFormat, asked: ExportRequest) -> None:
    line = CommandLine.parse(READERS[form](text_of(form, asked)))

    assert [parameter.text for parameter in line.parameters] == [
        word for requirement in asked.requirements for word in requirement.words
    ]
    assert all(each.judge(line).met for each in asked.profile.requirements)


@pytest.mark.parametrize("form", ADDING)
@pytest.mark.parametrize("name", ["guest-off", "host-off"])
def test_removals_are_refused_by_formats_that_only_add(form: ExportFormat, name: str) -> None:
    with pytest.raises(RefusedError, match="but the profile requires: ") as caught:
        text_of(form, shipped(name))

    assert caught.value.location is not None
    assert caught.value.hint is not None


@pytest.mark.parametrize("form", ADDING)
def test_what_cannot_be_expressed_is_reported(form: ExportFormat) -> None:
    text = text_of(form, site())

    assert "# Not expressed: a larger size that is set elsewhere is not kept" in text
    assert "# Not expressed: console is added even if it is already set" in text
    assert "# Not expressed: another loglevel= is not removed" in text
    assert "# Not expressed: the profile is for all entries except rescue entries" in text


def test_nothing_is_reported_if_adding_is_enough() -> None:
    # Any prot_virt=1 on the line enables hosting, whatever else is there.
    for form in set(ADDING) - {ExportFormat.PVICS}:
        assert "Not expressed" not in text_of(form, shipped("host"))


def test_a_host_has_no_secure_execution_image() -> None:
    for form in (ExportFormat.PVICS, ExportFormat.PVIMG):
        with pytest.raises(RefusedError, match="for a host"):
            text_of(form, shipped("host", "root=/dev/vda1"))


@pytest.mark.parametrize("form", WHOLE_LINE)
@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("guest", "root=/dev/vda1 swiotlb=512M quiet", "root=/dev/vda1 swiotlb=262144 quiet"),
        ("guest", "swiotlb=524288", "swiotlb=524288"),
        ("guest-off", "root=/dev/vda1 swiotlb=5", "root=/dev/vda1"),
        ("guest", "", "swiotlb=262144"),
    ],
)
def test_a_whole_line_meets_the_profile(
    form: ExportFormat, name: str, before: str, after: str
) -> None:
    assert READERS[form](text_of(form, shipped(name, before))) == after


@pytest.mark.parametrize("form", [ExportFormat.KIWI, ExportFormat.PVIMG])
@settings(max_examples=40)
@given(asked=MADE_REQUESTS, before=st.text(st.sampled_from("ab= <>&'-"), max_size=20))
def test_any_line_meets_any_profile(form: ExportFormat, asked: ExportRequest, before: str) -> None:
    asked = ExportRequest(asked.profile, line=before)

    line = CommandLine.parse(READERS[form](text_of(form, asked)))

    assert all(each.judge(line).met for each in asked.profile.requirements)


@pytest.mark.parametrize("form", WHOLE_LINE)
def test_an_empty_line_is_refused(form: ExportFormat) -> None:
    with pytest.raises(RefusedError, match=r"would be empty"):
        text_of(form, shipped("guest-off"))


def codes(request: ExportRequest, form: ExportFormat = ExportFormat.PVIMG) -> list[str]:
    return [each.code for each in WRITERS[form].write(request).notes]


def test_words_that_would_open_a_secure_guest_are_reported() -> None:
    assert codes(shipped("guest", "root=/dev/vda1 rd.break")) == [
        *("image-line.rd-break", "image-line.root", "image-line.shell-by-default"),
    ]
    assert codes(shipped("guest-secure", "root=/dev/mapper/root")) == []
    # pvics adds to an existing line, which may have what is missing here.
    assert codes(shipped("guest"), ExportFormat.PVICS) == []


def test_pvimg_reports_that_its_line_is_whole_and_limited() -> None:
    sound = "root=/dev/mapper/root rd.shell=0"
    assert "export.whole-line" in codes(shipped("guest"))
    assert codes(shipped("guest", sound)) == []
    longest = "x" * (4095 - len(" swiotlb=262144\n"))
    assert len(text_of(ExportFormat.PVIMG, shipped("guest", longest))) == 4095
    with pytest.raises(RefusedError, match="4096 bytes long with its newline"):
        text_of(ExportFormat.PVIMG, shipped("guest", longest + "x"))


def test_pvimg_reports_what_kernels_before_5_16_do_not_accept() -> None:
    longest = "x" * (895 - len(" swiotlb=262144\n"))

    assert "export.parmfile-size" not in codes(shipped("guest", longest))
    note, *_ = WRITERS[ExportFormat.PVIMG].write(shipped("guest", longest + "x")).notes
    assert note.message.startswith(
        "the parmfile is 896 bytes long: kernels before 5.16 accept at most 895"
    )


def called_by_grubby_script(text: str, lines: list[str]) -> list[list[str]]:
    """The changing commands that a shell runs, on a machine whose entries have these lines."""
    info = "".join(
        f'index={at}\nkernel="/boot/vmlinuz-{at}"\nargs="{line}"\ntitle="Linux"\n'
        for at, line in enumerate(lines)
    )
    script = (
        f"grubby() {{ case $1 in --info=*) printf %s {shlex.quote(info)};;"
        ' *) printf "%s\\0" grubby "$@"; echo;; esac; }\n'
        f'zipl() {{ printf "zipl\\0\\n"; }}\n{text}'
    )
    done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line.split("\0")[:-1] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("guest", ["--update-kernel=ALL", "--args=swiotlb=262144"]),
        ("host", ["--update-kernel=ALL", "--args=prot_virt=1"]),
        ("guest-off", ["--update-kernel=ALL", "--remove-args=swiotlb"]),
        ("host-off", ["--update-kernel=ALL", "--remove-args=prot_virt"]),
    ],
)
def test_grubby_adds_removes_and_runs_zipl(name: str, options: list[str]) -> None:
    called = called_by_grubby_script(text_of(ExportFormat.GRUBBY, shipped(name)), ["root=/dev/a"])

    assert called == [["grubby", *options], ["zipl"]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("parameters: {console: [hvc0]}", "when grubby adds console="),
        ("parameters: {console: {exactly: [tty0, hvc0]}}", "when grubby adds console="),
        ("parameters: {console: {includes: [tty0], excludes: [hvc0]}}", "when grubby adds"),
        ("parameters: {isolcpus: {excludes: ['(1)']}}", r"values that contain '\('"),
        ("parameters: {acpi_osi: 'a&b'}", "grubby damages values that contain '&'"),
        ("parameters: {note: a b}", "grubby damages values"),
        ("parameters: {quiet: {present: true}}\nentries: {include: [x]}", "by pattern"),
    ],
)
def test_values_that_grubby_damages_are_refused(text: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        text_of(ExportFormat.GRUBBY, from_text(f"version: 1\n{text}\n"))


def test_grubby_removes_one_value_and_adds_its_own() -> None:
    asked = from_text(
        "version: 1\nparameters: {quiet: {excludes: ['off']}, console: {exactly: [hvc0]},"
        " nosmt: {bare: true}, audit: {absent: true}}\n"
    )
    called = called_by_grubby_script(text_of(ExportFormat.GRUBBY, asked), ["root=/dev/a"])

    options = ["--args=console=hvc0 nosmt", "--remove-args=audit quiet=off"]
    assert called == [["grubby", "--update-kernel=ALL", *options], ["zipl"]]


SINGLE_VALUES = from_text(
    "version: 1\nparameters: {console: {includes: [hvc0], excludes: [tty0]},"
    " quiet: {excludes: ['off']}}\n"
)
EXCLUDING = from_text("version: 1\nparameters: {quiet: {excludes: ['off']}}\n")
REMOVING_WORDS = (ExportFormat.BUTANE, ExportFormat.COREOS_INSTALLER)


@pytest.mark.parametrize("form", [each for each in ADDING if each not in REMOVING_WORDS])
def test_a_value_to_remove_is_reported_or_refused(form: ExportFormat) -> None:
    beside = from_text("version: 1\nparameters: {console: {includes: [hvc0], excludes: [tty0]}}\n")

    assert READERS[form](text_of(form, beside)) == "console=hvc0"
    assert "# Not expressed: console=tty0 is not removed" in text_of(form, beside)
    for asked in (EXCLUDING, SINGLE_VALUES):
        with pytest.raises(RefusedError, match="but the profile requires: no quiet=off"):
            text_of(form, asked)


@pytest.mark.parametrize("form", REMOVING_WORDS)
def test_a_word_is_removed_by_formats_that_remove_words(form: ExportFormat) -> None:
    text = text_of(form, SINGLE_VALUES)

    assert "not removed" not in text
    assert removed_and_added(form, text) == (["console=tty0", "quiet=off"], ["console=hvc0"])
    assert removed_and_added(form, text_of(form, EXCLUDING)) == (["quiet=off"], [])


def removed_and_added(form: ExportFormat, text: str) -> tuple[list[str], list[str]]:
    if form is ExportFormat.BUTANE:
        arguments = yaml(text)["kernel_arguments"]
        return arguments.get("should_not_exist", []), arguments.get("should_exist", [])
    words = shell_words(text)[1:-1]
    pairs = list(zip(words[::2], words[1::2], strict=True))
    return (
        [word for option, word in pairs if option == "--delete-karg"],
        [word for option, word in pairs if option == "--append-karg"],
    )


def test_ignition_does_not_accept_an_argument_twice() -> None:
    twice = from_text("version: 1\nparameters: {hugepages: {exactly: ['2', '2']}}\n")

    with pytest.raises(RefusedError, match="same argument twice"):
        text_of(ExportFormat.BUTANE, twice)
    assert coreos_installer_words(text_of(ExportFormat.COREOS_INSTALLER, twice)) == (
        "hugepages=2 hugepages=2"
    )


@pytest.mark.parametrize("form", [ExportFormat.KIWI, ExportFormat.MKOSI])
def test_a_whole_line_loses_single_values(form: ExportFormat) -> None:
    asked = SINGLE_VALUES._replace(line="console=tty0 quiet quiet=off a")

    assert READERS[form](text_of(form, asked)) == "console=hvc0 quiet a"


def test_grubby_changes_the_default_entry() -> None:
    asked = from_text("version: 1\nparameters: {loglevel: 3}\nentries: default\n")

    assert "--update-kernel=DEFAULT " in text_of(ExportFormat.GRUBBY, asked)


def test_cloud_init_writes_the_profile_and_applies_it() -> None:
    document = yaml(text_of(ExportFormat.CLOUD_INIT, site()))

    assert document == {
        "write_files": [{"path": SITE_PATH, "content": SITE}],
        "runcmd": [["secboot", "apply", "site"]],
    }
    assert yaml(text_of(ExportFormat.CLOUD_INIT, shipped("host"))) == {
        "runcmd": [["secboot", "apply", "host"]]
    }


def test_ansible_gets_the_profile() -> None:
    (play,) = yaml(text_of(ExportFormat.ANSIBLE, site()))

    assert play["roles"] == [{"role": "secboot.boot.secboot_apply"}]
    assert play["vars"] == {
        "secboot_apply_profile": "site",
        "secboot_apply_profile_files": {SITE_PATH: SITE},
    }


@pytest.mark.parametrize("text", ["{{ a }}", "{% a %}", "{# a #}", "{a}"])
def test_ansible_does_not_read_a_profile_as_a_template(text: str) -> None:
    exported = text_of(ExportFormat.ANSIBLE, from_text(f"{SITE}# {text}\n"))

    assert (f'"{SITE_PATH}": !unsafe |\n' in exported) == (text != "{a}")


def scripts_of(form: ExportFormat, asked: ExportRequest) -> list[str]:
    if form is ExportFormat.KICKSTART_POST:
        (script,) = kickstart(text_of(form, asked)).scripts
        assert script.inChroot
        assert script.errorOnFail
        return [script.script]
    document = yaml(text_of(form, asked))
    assert document["autoinstall"]["version"] == 1
    commands: list[str] = document["autoinstall"]["late-commands"]
    return commands


@pytest.mark.parametrize("form", [ExportFormat.KICKSTART_POST, ExportFormat.AUTOINSTALL])
@pytest.mark.parametrize("tail", ["", "# EOF\n", "# 'quotes' $HOME `id` \\n\n"])
def test_installers_write_the_profile_and_apply_it(
    form: ExportFormat, tail: str, tmp_path: Path
) -> None:
    text = SITE + tail
    scripts = scripts_of(form, from_text(text))
    # The machine's root is a directory here, and calls of programs are recorded.
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("secboot", "curtin"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/called\n')
        (programs / name).chmod(0o755)

    for script in scripts:
        moved = re.sub(r"(/target)?/etc/secboot", f"{tmp_path}/etc/secboot", script)
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        subprocess.run(["sh", "-eu", "-c", moved], env=environment, check=True)

    assert Path(f"{tmp_path}{SITE_PATH}").read_text() == text
    called = (tmp_path / "called").read_text()
    assert called.endswith("secboot apply site\n")
    assert called.count("\n") == 1
    if form is ExportFormat.AUTOINSTALL:
        assert called.startswith("curtin in-target --target=/target -- ")


def test_a_line_that_ends_the_post_section_is_refused() -> None:
    # YAML allows it inside a block of text, but Kickstart would end the section there.
    text = "version: 1\ndescription: |\n  %end\nparameters: {loglevel: 3}\n"

    with pytest.raises(RefusedError, match="would end the %post section"):
        text_of(ExportFormat.KICKSTART_POST, from_text(text))


@pytest.mark.parametrize("form", sorted(READERS))
def test_a_description_stays_a_comment(form: ExportFormat) -> None:
    text = "version: 1\ndescription: '--> --- %end # \"'\nparameters: {swiotlb: 512 MiB}\n"
    asked = from_text(text)

    assert READERS[form](text_of(form, asked)) == "swiotlb=262144"


def test_every_format_is_tested_here() -> None:
    tested = {*ADDING, *RUNNING_SECBOOT, *WHOLE_LINE, ExportFormat.GRUBBY}

    assert tested == set(ExportFormat) == set(WRITERS)


def test_requirements_know_what_they_remove() -> None:
    assert [not each.words for each in shipped("host-off").profile.requirements] == [True]
    assert [each.words for each in site().profile.requirements] == [
        ("swiotlb=524288",),
        ("console=ttysclp0", "console=hvc0"),
        ("loglevel=3",),
        ('note="two words"',),
    ]


SMALL = """\
version: 1
role: guest
parameters:
  swiotlb: {at_least: 64 MiB}
"""


@pytest.mark.parametrize("form", ADDING)
def test_the_kernel_default_size_is_still_set(form: ExportFormat) -> None:
    """The lines elsewhere are unknown, so the size is set, and what cannot be expressed is reported."""
    text = text_of(form, from_text(SMALL))

    assert "swiotlb=32768" in text
    assert "a larger size that is set elsewhere is not kept" in text


def test_grubby_keeps_a_buffer_that_is_large_enough() -> None:
    text = text_of(ExportFormat.GRUBBY, from_text(SMALL))
    add = "--args=swiotlb=32768"

    assert called_by_grubby_script(text, ["root=/dev/a swiotlb=262144 quiet"]) == [["zipl"]]
    assert called_by_grubby_script(
        text, ["root=/dev/a swiotlb=262144,force", "root=/dev/a", "swiotlb=512M", "swiotlb=noforce"]
    ) == [
        ["grubby", "--update-kernel=1", add],
        ["grubby", "--update-kernel=2", add],
        ["grubby", "--update-kernel=3", add],
        ["zipl"],
    ]
    # With nothing to keep it is a single call, which also covers new kernels.
    assert called_by_grubby_script(text, ["root=/dev/a", "swiotlb=512M"]) == [
        ["grubby", "--update-kernel=ALL", add],
        ["zipl"],
    ]


def test_grubby_keeps_any_value_if_any_meets_the_profile() -> None:
    text = text_of(
        ExportFormat.GRUBBY, from_text("version: 1\nparameters: {audit: {present: true}}\n")
    )

    assert called_by_grubby_script(text, ["audit=0 quiet", "noaudit audits=1", "audit"]) == [
        ["grubby", "--update-kernel=1", "--args=audit"],
        ["zipl"],
    ]


SWIOTLB_WORDS = st.sampled_from(
    (
        "swiotlb=32768", "swiotlb=65536,4", "swiotlb=040000", "swiotlb=0x10000", "swiotlb=1048576",
        "swiotlb=262144,force", "swiotlb=262144,noforce", "swiotlb=64M", "swiotlb", "swiotlb=",
        "swiotlb=force", "swiotlb=99999999999999999999", "--", "quiet", "swiotlbx=9", "a=swiotlb=5",
    )
)  # fmt: skip


@settings(max_examples=40)
@given(words=st.lists(SWIOTLB_WORDS, max_size=5))
def test_grubby_keeps_only_what_meets_the_profile(words: list[str]) -> None:
    request = from_text(SMALL)
    (requirement,) = request.profile.requirements
    line = " ".join(words)

    called = called_by_grubby_script(text_of(ExportFormat.GRUBBY, request), [line])

    if called == [["zipl"]]:
        assert requirement.judge(CommandLine.parse(line)).met
    else:
        assert called == [["grubby", "--update-kernel=ALL", "--args=swiotlb=32768"], ["zipl"]]
