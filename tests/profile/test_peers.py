"""How other tools change single values, expressed in a profile and with `set`: their tests, rewritten.

grubby: test.sh and its expected files for --update-kernel (g1.1 to g11.2). coreos-installer:
KargsEditor in src/io/bls.rs. ostree: tests/test-kargs.c. perl-bootloader: --add-option and
--del-option (include/library).
"""

from __future__ import annotations

import pytest

from secboot.formats.kernel_cmdline import CommandLine
from secboot.profile.words import ALL, profile_of_words
from tests.export.requests import NoFiles, from_text

G3 = "ro root=/dev/hda5 hdd=ide-scsi"
G11 = "ro root=LABEL=/ hdd=ide-scsi console=tty0 console=ttyS0,9600n81 single"
BLS = "foo mitigations=auto,nosmt console=tty0 bar console=ttyS0,115200n8 baz"
BARE = "{bare: true}"
S1 = "{includes: ['ttyS1,115200n8'], excludes: ['ttyS0,115200n8']}"
OSTREE = "test=firstval single_key=test test=secondval test= test"

CASES = [
    # grubby --args: the value is replaced in place, and a new name comes last.
    ("g1.1", "root=/dev/hda1", "{root: /dev/hda1}", G3, "ro root=/dev/hda1 hdd=ide-scsi"),
    ("g3.1", "hdd=notide-scsi", "{hdd: notide-scsi}", G3, "ro root=/dev/hda5 hdd=notide-scsi"),
    (
        "g3.2",
        "root=/dev/hdd1 hdd=notide-scsi",
        "{root: /dev/hdd1, hdd: notide-scsi}",
        G3,
        "ro root=/dev/hdd1 hdd=notide-scsi",
    ),
    ("g7.2", "hde=ide-scsi", "{hde: ide-scsi}", G3, f"{G3} hde=ide-scsi"),
    # grubby --remove-args: by name, with one value, with a value that is not set.
    ("g3.4", "hdd-", "{hdd: {absent: true}}", G3, "ro root=/dev/hda5"),
    ("g3.4 value", "hdd-=ide-scsi", "{hdd: {excludes: [ide-scsi]}}", G3, "ro root=/dev/hda5"),
    ("g3.5", "hdd-=foobar", "{hdd: {excludes: [foobar]}}", G3, G3),
    (
        "g3.7",
        "hdd- root- ro-",
        "{hdd: {absent: true}, root: {absent: true}, ro: {absent: true}}",
        G3,
        "",
    ),
    # grubby --args with several console=: afterwards the line has exactly these.
    (
        "g11.1",
        "ro root=LABEL=/ console- console=tty0 console=ttyS1,9600n81 single",
        "{ro: {bare: true}, root: LABEL=/, single: {bare: true}, console: {exactly: [tty0, 'ttyS1,9600n81']}}",
        G11,
        "ro root=LABEL=/ hdd=ide-scsi console=tty0 console=ttyS1,9600n81 single",
    ),
    (
        "g11.2",
        "ro root=LABEL=/ single",
        "{ro: {bare: true}, root: LABEL=/, single: {bare: true}}",
        G11,
        G11,
    ),
    ("bls.rs delete", "foo-", "{foo: {absent: true}}", "foo bar foobar", "bar foobar"),
    ("bls.rs value", "foo-=val", "{foo: {excludes: [val]}}", "foo=val bar baz=val", "bar baz=val"),
    (
        "bls.rs delete, append",
        "mitigations-=auto,nosmt boo bar console+=ttyS1,115200n8 console-=ttyS0,115200n8",
        f"{{mitigations: {{excludes: ['auto,nosmt']}}, boo: {BARE}, bar: {BARE}, console: {S1}}}",
        BLS,
        "foo console=tty0 bar console=ttyS1,115200n8 baz boo",
    ),
    (
        "bls.rs replace",
        "mitigations=auto",
        "{mitigations: auto}",
        BLS,
        "foo mitigations=auto console=tty0 bar console=ttyS0,115200n8 baz",
    ),
    (
        "ostree delete test=secondval",
        "test-=secondval",
        "{test: {excludes: [secondval]}}",
        OSTREE,
        "test=firstval single_key=test test= test",
    ),
    (
        "ostree delete test=",
        "test-=",
        "{test: {excludes: ['']}}",
        OSTREE,
        "test=firstval single_key=test test=secondval test",
    ),
    ("ostree delete test=none", "test-=none", "{test: {excludes: [none]}}", OSTREE, OSTREE),
    (
        "ostree replace test=firstval=newval",
        "test-=firstval test+=newval",
        "{test: {includes: [newval], excludes: [firstval]}}",
        OSTREE,
        "test=newval single_key=test test=secondval test= test",
    ),
    (
        "ostree replace single",
        "single_key=new",
        "{single_key: new}",
        "single_key a",
        "single_key=new a",
    ),
    # pbl --del-option: by name, by name and value; --add-option leaves one with this name.
    ("pbl del", "quiet-", "{quiet: {absent: true}}", "a quiet quiet=off quietly b", "a quietly b"),
    ("pbl del value", "quiet-=off", "{quiet: {excludes: ['off']}}", "quiet a quiet=off", "quiet a"),
    (
        "pbl add",
        "console- console=b",
        "{console: {exactly: [b]}}",
        "console=x a console=y",
        "console=b a",
    ),
    # One of several disks.
    (
        "zfcp",
        "rd.zfcp-=0.0.1940",
        "{rd.zfcp: {excludes: ['0.0.1940']}}",
        "rd.zfcp=0.0.1900 rd.zfcp=0.0.1940 rd.zfcp=0.0.19401",
        "rd.zfcp=0.0.1900 rd.zfcp=0.0.19401",
    ),
]


@pytest.mark.parametrize(("_peer", "words", "parameters", "before", "after"), CASES)
def test_a_profile_and_words_can_express_it(
    _peer: str, words: str, parameters: str, before: str, after: str
) -> None:
    asked = from_text(f"version: 1\nparameters: {parameters}\n").requirements
    said = profile_of_words(words.split(), ALL, NoFiles()).requirements

    for requirements in (asked, said):
        line = CommandLine.parse(before)
        for requirement in requirements:
            line = requirement.fulfil(line)

        assert line.text == after
        assert all(requirement.judge(line).met for requirement in requirements)
