from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from secboot.finding import Severity
from secboot.zipl.configuration import BootConfiguration, ConfFile, interpret
from secboot.zipl.entry import BootEntry, Origin
from secboot.zipl.file_facts import FileFacts, PathKind
from secboot.zipl.order import BlsFile, order_bls
from secboot.zipl.scan import EntryKind
from secboot.zipl.version import ZiplVersion
from tests.strategies import Paths, Setup, setups
from tests.zipl.files import BOOT, DIRECTORY, KERNEL, FakeFiles

NEW = ZiplVersion(2, 40)
OLD = ZiplVersion(2, 16)
AUTO = "[defaultboot]\ndefaultauto\ntarget=/boot\n"
LINUX = '[linux]\ntarget=/boot\nimage=/boot/vmlinuz\nparameters="root=/dev/a"\n'


def read(
    conf: str,
    *entries: str,
    version: ZiplVersion = NEW,
    files: FakeFiles = BOOT,
) -> BootConfiguration:
    bls = [BlsFile(f"/e/{index}.conf", text) for index, text in enumerate(entries)]
    return interpret(ConfFile("/etc/zipl.conf", conf), bls, files, version)


def bls(title: str, version: str = "1", options: str = "a") -> str:
    return f"title {title}\nversion {version}\nlinux /boot/vmlinuz\noptions {options}\n"


def named(configuration: BootConfiguration, name: str) -> BootEntry:
    return next(entry for entry in configuration.entries if entry.name == name)


def installed(configuration: BootConfiguration) -> list[tuple[str, int | None, bool]]:
    return [(x.entry.name, x.position, x.is_default) for x in configuration.to_install]


def codes(configuration: BootConfiguration) -> list[str]:
    return [problem.code for problem in configuration.problems]


def test_a_single_default_section_is_installed_without_a_menu() -> None:
    configuration = read(f"[defaultboot]\ndefault=old\n{LINUX}{LINUX.replace('linux', 'old')}")

    assert configuration.accepted
    assert installed(configuration) == [("old", None, True)]
    assert [entry.name for entry in configuration.entries] == ["linux", "old"]
    assert configuration.default is named(configuration, "old")
    assert not named(configuration, "linux").is_default


def test_a_section_is_read_in_full() -> None:
    entry = read(
        "[defaultboot]\ndefault=a\n[a]\n  target = '/boot'\n  image=/boot/vmlinuz,0x10000\n"
        "ramdisk = /boot/initrd.img,0x2000000\nparmfile=/boot/parmfile\n"
        'parameters="root=/dev/a quiet"\noptional=1\nkdump=auto\n'
    ).entries[0]

    assert (entry.kind, entry.origin, str(entry.location)) == (
        EntryKind.IPL,
        Origin.SECTION,
        "/etc/zipl.conf:3:1",
    )
    assert entry.image is not None
    assert (entry.image.path, entry.image.address) == ("/boot/vmlinuz", 0x10000)
    assert entry.ramdisk is not None
    assert entry.ramdisk.path == "/boot/initrd.img"
    assert entry.parameters == "root=/dev/a quiet"
    assert str(entry.parameters_location) == "/etc/zipl.conf:8:1"
    assert entry.parmline == "from=parmfile second root=/dev/a quiet"
    assert (entry.max_parm_size, entry.target) == (4096, "/boot")
    assert entry.optional
    assert entry.kdump


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("image=/k\ntarget=/boot", EntryKind.IPL),
        ("image=/k\ntape=/dev/t", EntryKind.TAPE_IPL),
        ("segment=/k,0x1\ntarget=/boot", EntryKind.SEGMENT),
        ("dumpto=/dev/d", EntryKind.DUMP),
        ("dumptofs=/dev/d", EntryKind.DUMPFS),
        ("mvdump=/list", EntryKind.MVDUMP),
        ("target=/boot", EntryKind.UNKNOWN),
    ],
)
def test_a_section_is_what_its_keywords_make_it(body: str, kind: EntryKind) -> None:
    assert named(read(f"{AUTO}[a]\n{body}\n"), "a").kind is kind


def test_an_automatic_menu_holds_sections_before_bls_entries() -> None:
    configuration = read(f"{AUTO}{LINUX}[d]\ndumpto=/dev/d\n", bls("A", "1"), bls("B", "2"))

    assert configuration.accepted
    assert installed(configuration) == [("linux", 1, True), ("B", 2, False), ("A", 3, False)]
    assert [entry.name for entry in configuration.entries] == ["linux", "d", "B", "A"]
    assert [entry.menu_position for entry in configuration.entries] == [1, None, 2, 3]


def test_the_default_of_an_automatic_menu_is_named_by_title() -> None:
    configuration = read(
        f"{AUTO}default = Debian GNU/Linux 12\n", bls("Debian GNU/Linux 12"), bls("B", "2")
    )

    assert installed(configuration) == [("B", 1, False), ("Debian GNU/Linux 12", 2, True)]


def test_a_menu_is_installed_in_the_order_of_its_lines() -> None:
    conf = f"[defaultboot]\ndefaultmenu=m\n:m\n7=linux\n2=old\ndefault=2\ntarget=/boot\n{LINUX}"

    configuration = read(conf + LINUX.replace("linux", "old"))

    assert installed(configuration) == [("linux", 7, False), ("old", 2, True)]


def test_the_first_line_of_a_menu_is_its_default() -> None:
    conf = f"[defaultboot]\ndefaultmenu=m\n:m\n2=linux\n1=linux\ntarget=/boot\n{LINUX}"

    configuration = read(conf)

    assert installed(configuration) == [("linux", 2, True), ("linux", 1, False)]
    assert configuration.default is not None
    assert configuration.default.menu_position == 2


def test_what_lacks_a_target_inherits_it_from_the_automatic_menu() -> None:
    configuration = read(f"{AUTO}[linux]\nimage=/boot/vmlinuz\n", bls("A"), version=OLD)

    assert configuration.accepted
    assert {entry.target for entry in configuration.entries} == {"/boot"}


def test_bls_entries_inherit_the_target_of_the_default_menu_since_2_21() -> None:
    conf = "[defaultboot]\ndefaultmenu=m\n:m\ntarget=/boot\n1=A\n"

    assert read(conf, bls("A")).accepted
    refused = read(conf, bls("A"), version=OLD).refusals[0]
    assert refused.zipl_message == "Line 0: missing keyword 'target' in section 'A'"
    assert str(refused.finding.location) == "/e/0.conf:1:1"


def test_entries_are_sorted_by_version_since_2_22() -> None:
    files = [
        BlsFile("a.conf", bls("A", "6.1.9")),
        BlsFile("b.conf", bls("B", "6.1.10")),
        BlsFile("c.conf", bls("C", "6.1.8")),
        BlsFile("d.conf.bak", "nothing"),
        BlsFile(".conf", bls("hidden", "0")),
    ]

    def titles(version: ZiplVersion) -> list[str | None]:
        return [entry.title for entry in order_bls(files, version)]

    assert titles(NEW) == ["B", "A", "C", "hidden"]
    assert titles(OLD) == ["C", "B", "A", "hidden"]
    files.append(BlsFile("x.conf", "title X\nlinux /k\n"))
    assert titles(NEW) == ["X", "C", "B", "A", "hidden"]


def test_a_path_is_tried_below_the_target_too() -> None:
    configuration = read(AUTO, bls("A").replace("/boot/vmlinuz", "/vmlinuz"))

    entry = configuration.entries[0]
    assert configuration.accepted
    assert entry.image is not None
    assert entry.image.path == "/boot/vmlinuz"


def test_a_path_is_left_alone_where_neither_way_works() -> None:
    configuration = read(AUTO, bls("A").replace("/boot/vmlinuz", "/none"))

    assert codes(configuration) == ["zipl.image"]
    assert configuration.problems[0].message == (
        "Section 'A': Could not read image file '/none': No such file or directory"
    )


def test_all_violations_are_found_in_one_run_and_in_order() -> None:
    configuration = read(
        "target=/x\n[defaultboot]\ndefault=none\n[a]\nfoo\nimage=/k\n[a]\n[b]\nimage=/k\nsegment=/k\n",
        "linux /k\nx\n",
    )

    assert [refusal.zipl_message for refusal in configuration.refusals] == [
        "Line 5: unknown keyword",
        "no title in /e/0.conf",
        "Incorrect BLS field in config file /e/0.conf",
        "Line 3: no such section 'none'",
        "Line 1: keyword assignment not allowed outside of section",
        "Line 7: section name 'a' already specified",
        "Line 4: missing keyword 'target' in section 'a'",
        (
            "Line 7: section 'a' must contain either one of keywords 'image', 'segment',"
            " 'dumpto', 'dumptofs', 'mvdump' or 'tape'"
        ),
        "Line 10: keyword 'segment' not allowed in section 'b'",
        "Line 8: missing keyword 'target' in section 'b'",
        "Line 10: keyword 'segment' requires load address",
        "Line 0: missing keyword 'target' in section '0.conf'",
    ]
    assert [entry.name for entry in configuration.entries] == ["a", "a", "b", "0.conf"]
    assert not configuration.accepted


def test_a_titleless_entry_continues_the_section_before_it() -> None:
    entry = "titlefoo x\nlinux /boot/vmlinuz\n"

    configuration = read(f"{AUTO}[y]\nramdisk=/boot/initrd.img\n", entry)

    assert configuration.accepted
    assert [found.name for found in configuration.entries] == ["y"]
    assert configuration.entries[0].image is not None


def test_no_defaultboot_is_an_error_without_a_line() -> None:
    configuration = read(LINUX)

    refusal = configuration.refusals[0]
    assert (refusal.zipl_line, str(refusal.finding.location)) == (None, "/etc/zipl.conf")
    assert [entry.name for entry in configuration.entries] == ["linux"]
    assert configuration.default is None


@pytest.mark.parametrize(
    ("kernel", "version", "length", "accepted"),
    [
        ("vmlinuz", NEW, 4096, True),
        ("vmlinuz", NEW, 4097, False),
        ("legacy", NEW, 896, True),
        ("legacy", NEW, 897, False),
        ("vmlinuz", OLD, 896, True),
        ("vmlinuz", OLD, 897, False),
    ],
)
def test_a_parameter_line_has_a_limit(
    kernel: str, version: ZiplVersion, length: int, accepted: bool
) -> None:
    conf = f"[defaultboot]\ndefault=a\n[a]\ntarget=/boot\nimage=/boot/{kernel}\nparameters={'x' * length}\n"

    assert read(conf, version=version).accepted is accepted


def test_a_length_counts_bytes() -> None:
    line = "\xe4" * 448
    conf = f"[defaultboot]\ndefault=a\n[a]\ntarget=/boot\nimage=/boot/legacy\nparameters={line}\n"

    assert read(conf).entries[0].parmline_length == 896
    assert read(conf).accepted
    assert not read(conf.replace(line, f"{line}x")).accepted


OPTIONAL = f"{AUTO}{LINUX}[old]\nimage=/boot/none\noptional=1\n"


def test_an_optional_entry_without_its_files_is_left_out() -> None:
    configuration = read(OPTIONAL)

    assert configuration.accepted
    assert [member.skipped for member in configuration.to_install] == [False, True]


def test_a_default_entry_can_not_be_left_out() -> None:
    configuration = read(OPTIONAL.replace("defaultauto", "defaultauto\ndefault=old"))

    assert [problem.message for problem in configuration.problems] == [
        "Cannot ignore default entry"
    ]


def test_zipl_compares_the_default_position_with_the_place_in_the_menu() -> None:
    # The default is at position 5; the skipped entry is the first of the menu.
    menu = "[defaultboot]\ndefaultmenu=m\n:m\ntarget=/boot\n5=linux\n1=old\n"
    sections = OPTIONAL.removeprefix(AUTO).replace("[old]\n", "[old]\ntarget=/boot\n")

    assert read(menu + sections).accepted
    assert codes(read(f"{menu}default=1\n{sections}")) == []
    swapped = menu.replace("5=linux\n1=old", "5=old\n1=linux")
    assert codes(read(f"{swapped}default=1\n{sections}")) == ["zipl.default-ignored"]


def test_optional_is_unknown_before_2_16() -> None:
    problem = read(OPTIONAL, version=ZiplVersion(2, 15)).refusals[0]

    assert problem.zipl_message == "Line 10: unknown keyword"


def test_kdump_had_a_limit_of_32_mib_before_2_17() -> None:
    conf = (
        "[defaultboot]\ndefault=a\n[a]\ntarget=/boot\nimage=/boot/vmlinuz,0x2000000\nkdump=auto\n"
    )

    assert read(conf).accepted
    assert read(conf, version=OLD).problems[0].message == (
        "Section 'a': Component 'kernel image' exceeds available address space"
        " (limit is 0x02000000)"
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            "image=/boot/vmlinuz\nramdisk=/boot/initrd.img,0x10000",
            "Components 'kernel image' and 'initial ramdisk' overlap",
        ),
        (
            "image=/boot/vmlinuz,0x1000",
            "Component 'kernel image' falls below available address space (limit is 0x00010000)",
        ),
        (
            "image=/boot/vmlinuz\nparmfile=/boot/parmfile,0x20000",
            "Components 'kernel image' and 'parmline' overlap",
        ),
    ],
)
def test_load_addresses_must_not_collide(files: str, message: str) -> None:
    configuration = read(f"[defaultboot]\ndefault=a\n[a]\ntarget=/boot\n{files}\n")

    assert configuration.problems[0].message == f"Section 'a': {message}"


@pytest.mark.parametrize(
    ("name", "text", "rescue"),
    [
        ("m-0-rescue-1.conf", bls("A"), True),
        ("a.conf", bls("A", "0-rescue-12"), True),
        ("a.conf", bls("Linux (0-rescue-12)"), True),
        ("linux-0-rescue-12.conf", bls("A"), True),
        ("a.conf", bls("linux-0-rescue-12"), True),
        ("a.conf", bls("Rescue"), True),
        ("a.conf", bls("A").replace("/boot/vmlinuz", "/boot/vmlinuz-0-rescue-12"), True),
        ("rescue.conf", bls("A"), False),
        ("m-4.18.0-rescue.conf", bls("A", "5.10-rescue"), False),
        ("a.conf", bls("10-rescue-12"), False),
    ],
)
def test_a_rescue_entry_is_known_by_its_names(name: str, text: str, rescue: bool) -> None:
    configuration = interpret(ConfFile("z", AUTO), [BlsFile(f"/e/{name}", text)], BOOT, NEW)

    assert configuration.entries[0].is_rescue is rescue


@pytest.mark.parametrize(
    ("name", "rescue"),
    [
        ("Rescue", True),
        ("linux-0-rescue-fedcba9876543210fedcba9876543210", True),
        ("0-rescue", True),
        ("3.10.0-rescue", False),
        ("rescue-disk", False),
    ],
)
def test_a_section_is_a_rescue_entry_by_its_name(name: str, rescue: bool) -> None:
    assert read(f"{AUTO}{LINUX.replace('linux', name)}").entries[0].is_rescue is rescue


def test_a_section_that_boots_the_rescue_kernel_is_a_rescue_entry() -> None:
    conf = f"{AUTO}{LINUX.replace('/boot/vmlinuz', '/boot/vmlinuz-0-rescue-0123')}"

    assert read(conf).entries[0].is_rescue


@pytest.mark.parametrize(
    ("body", "facts", "message"),
    [
        ("tape=/dev/t\nimage=/boot/vmlinuz", {}, "Tape device '/dev/t' in section 'a': No such file or directory"),
        ("tape=/dev/t\nimage=/boot/vmlinuz", {"/dev/t": KERNEL}, "Tape device '/dev/t' in section 'a': Not a device"),
        ("dumpto=/dev/d,1G", {}, "Dump device '/dev/d' in section 'a': No such file or directory"),
        ("dumpto=/dev/d", {"/dev/d": FileFacts(PathKind.OTHER)}, ""),
        ("mvdump=/l,12", {}, "Dump target list '/l' in section 'a': No such file or directory"),
        ("segment=/boot,0x1\ntarget=/boot", {}, "Segment file '/boot' in section 'a': Not a regular file"),
        ("image=/x\ntarget=/boot", {"/x": FileFacts(PathKind.UNREADABLE, 2**20)}, ""),
        ("image=/boot/initrd.img\ntarget=/boot", {}, "Image file '/boot/initrd.img' in section 'a'"),
        ("image=/boot/vmlinuz\ntarget=/none", {}, "Could not open bootmap dir: No such file or directory"),
        ("image=/boot/vmlinuz\ntarget=/boot/vmlinuz", {}, "Target directory '/boot/vmlinuz' in section 'a': Not a directory"),
        ("image=/boot/vmlinuz\ntarget=/boot\nparmfile=/none", {}, "Parmfile '/none' in section 'a': No such file or directory"),
        ("image=/boot/vmlinuz\ntarget=/boot\nkdump=1", {}, "Invalid kdump setting '1'"),
        ("image=/boot/vmlinuz\ntarget=/boot\nsecure=2", {}, "Invalid secure boot setting '2'"),
        ("image=/boot/vmlinuz\ntarget=/boot\nramdisk=/none", {}, "Section 'a': Missing ramdisk file '/none': No such file or directory"),
    ],
)  # fmt: skip
def test_the_files_of_the_default_section_are_looked_at(
    body: str, facts: dict[str, FileFacts], message: str
) -> None:
    files = replace(BOOT, facts={**BOOT.facts, **facts})

    configuration = read(f"[defaultboot]\ndefault=a\n[a]\n{body}\n", files=files)

    assert [problem.message for problem in configuration.problems] == [message] * bool(message)


def test_files_of_other_sections_are_not_looked_at() -> None:
    configuration = read(f"[defaultboot]\ndefault=linux\n{LINUX}[b]\ntarget=/x\nimage=/none\n")

    assert configuration.accepted


def test_a_menu_holds_only_sections_with_a_kernel() -> None:
    conf = "[defaultboot]\ndefaultmenu=m\n:m\ntarget=/boot\n1=d\n[d]\ndumpto=/dev/d\n"

    assert read(conf).problems[0].message == "Section 'd' cannot be included in menu 'm'"


def test_a_parmline_is_unknown_where_the_parmfile_is() -> None:
    conf = f"{AUTO}[a]\nimage=/boot/vmlinuz\nparmfile=/none\nparameters=a\n"

    assert read(conf).entries[0].parmline is None


@settings(max_examples=150)
@given(setups(Paths()))
def test_any_set_up_can_be_interpreted(setup: Setup) -> None:
    files = [BlsFile(f"/e/{name}", text) for name, text in setup.bls.items()]
    configuration = interpret(ConfFile("z", setup.conf), files, BOOT, NEW)

    entries = configuration.entries
    assert all(member.entry in entries for member in configuration.to_install)
    # zipl refuses a menu with a duplicate number; both entries are shown with that number.
    assert not configuration.accepted or sum(entry.is_default for entry in entries) <= 1
    assert {p.severity for p in configuration.problems} <= {Severity.ERROR}
    assert {p.severity for p in configuration.warnings} <= {Severity.WARNING}
    assert configuration.conf.render() == setup.conf
    if configuration.accepted:
        assert configuration.default is not None
        assert configuration.default.kind is not EntryKind.UNKNOWN


def test_a_directory_for_an_image_is_not_an_image() -> None:
    files = replace(BOOT, facts={**BOOT.facts, "/boot/vmlinuz": DIRECTORY})

    configuration = read(f"[defaultboot]\ndefault=linux\n{LINUX}", files=files)

    assert configuration.problems[0].message.endswith("'/boot/vmlinuz': Not a regular file")
