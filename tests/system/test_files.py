from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secboot.codec import decode, encode
from secboot.errors import ParseError
from secboot.system.file_errors import AccessError
from secboot.system.files import (
    AttributeRefusedError,
    FileAttributes,
    give_attributes,
    read_attributes,
)
from secboot.system.root import Root
from tests.available import not_here, require_root, unavailable
from tests.system.editing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

# An access control list in the kernel's format (include/uapi/linux/posix_acl_xattr.h): version 2, then
# tag, permissions, and ID of each entry. This one allows UID 1234 to read.
ACL = bytes.fromhex(
    "02000000"
    "0100" "0600" "ffffffff"
    "0200" "0400" "d2040000"
    "0400" "0400" "ffffffff"
    "1000" "0400" "ffffffff"
    "2000" "0000" "ffffffff"
)  # fmt: skip
LABEL = b"system_u:object_r:boot_t:s0\0"


@contextmanager
def opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


def set_or_skip(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        reason = f"{name} can't be set here: {error.strerror}"
        (not_here if error.errno == errno.ENOTSUP else unavailable)(reason)


def replaced(tmp_path: Path) -> FileAttributes:
    """Return the attributes of ``file`` after its content was replaced."""
    with Root(tmp_path) as root:
        before = root.read_file("/file")
        replace(root, "/file", b"new", before)
        after = root.read_file("/file")
    assert after.data == b"new"
    assert after.attributes == before.attributes
    return after.attributes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    return file


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444, 0o000, 0o4755, 0o2711])
def test_the_mode_stays(tmp_path: Path, file: Path, mode: int) -> None:
    if mode == 0:
        require_root()
    file.chmod(mode)

    assert replaced(tmp_path).mode == mode
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path, file: Path) -> None:
    file.chmod(0o666)
    umask = os.umask(0o077)
    try:
        assert replaced(tmp_path).mode == 0o666
    finally:
        os.umask(umask)


@pytest.mark.usefixtures("as_root")
def test_the_owner_stays(tmp_path: Path, file: Path) -> None:
    os.chown(file, 1234, 5678)
    file.chmod(0o4750)

    after = replaced(tmp_path)

    assert (after.uid, after.gid, after.mode) == (1234, 5678, 0o4750)
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 5678)


def test_user_attributes_stay(tmp_path: Path, file: Path) -> None:
    set_or_skip(file, "user.origin", b"any \0 bytes \xff")

    replaced(tmp_path)

    assert os.getxattr(file, "user.origin") == b"any \0 bytes \xff"


@pytest.mark.usefixtures("as_root")
def test_the_selinux_label_stays(tmp_path: Path, file: Path) -> None:
    set_or_skip(file, "security.selinux", LABEL)

    replaced(tmp_path)

    assert os.getxattr(file, "security.selinux") == LABEL


@pytest.mark.usefixtures("as_root")
def test_trusted_attributes_stay(tmp_path: Path, file: Path) -> None:
    set_or_skip(file, "trusted.x", b"1")

    replaced(tmp_path)

    assert os.getxattr(file, "trusted.x") == b"1"


def test_the_access_control_list_stays(tmp_path: Path, file: Path) -> None:
    set_or_skip(file, "system.posix_acl_access", ACL)

    after = replaced(tmp_path)

    assert os.getxattr(file, "system.posix_acl_access") == ACL
    assert after.mode == 0o640


def test_a_default_list_of_the_directory_is_not_handed_down(tmp_path: Path, file: Path) -> None:
    set_or_skip(tmp_path, "system.posix_acl_default", ACL)

    replaced(tmp_path)

    assert os.listxattr(file) == []


@pytest.mark.usefixtures("as_root")
def test_digests_of_the_content_are_left_out(file: Path) -> None:
    set_or_skip(file, "security.ima", b"\x04\x04" + bytes(32))

    with opened(file) as descriptor:
        assert read_attributes(descriptor).xattrs == ()


def test_an_attribute_that_can_not_be_given_is_refused(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_or_skip(file, "user.origin", b"1")

    def setxattr(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(os, "setxattr", setxattr)
    with Root(tmp_path) as root, pytest.raises(AccessError, match=r"user\.origin"):
        replace(root, "/file", b"new", root.read_file("/file"))

    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_attribute_that_did_not_take_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    wanted = FileAttributes(0o600, os.geteuid(), os.getegid())

    with opened(file) as descriptor, pytest.raises(AttributeRefusedError, match="mode"):
        give_attributes(descriptor, wanted)


@pytest.mark.usefixtures("as_root")
def test_an_ordinary_user_can_not_replace_what_belongs_to_others() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as name:
        # Not below `tmp_path`, which other users cannot enter.
        place = Path(name)
        file = place / "file"
        file.write_bytes(b"old")
        os.chown(place, 1234, -1)
        os.chown(file, 4321, -1)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setresuid(1234, 1234, 1234)
                with Root(place) as root:
                    replace(root, "/file", b"new", root.read_file("/file"))
            except AccessError as error:
                code = 0 if "owner" in str(error) else 2
            finally:
                os._exit(code)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert file.read_bytes() == b"old"
        assert [path.name for path in place.iterdir()] == ["file"]


def test_the_document_of_attributes_is_read_back() -> None:
    attributes = FileAttributes(0o4755, 1, 2, (("security.selinux", b"\0x"), ("user.a", b"\xff")))
    document = encode(attributes)

    assert document == {
        "mode": "4755",
        "uid": 1,
        "gid": 2,
        "xattrs": {"security.selinux": "AHg=", "user.a": "/w=="},
    }
    assert decode(FileAttributes, document, "f") == attributes


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mode", "0o644", "must have a mode in octal digits, not '0o644'"),
        ("mode", 420, "mode: must be a string, not 420"),
        ("uid", "0", "uid: must be an integer"),
        ("xattrs", {"user.a": "?"}, "xattrs.user.a: must be base64"),
    ],
)
def test_a_damaged_document_of_attributes(key: str, value: object, message: str) -> None:
    document = {"mode": "0644", "uid": 0, "gid": 0, "xattrs": {}, key: value}

    with pytest.raises(ParseError, match=re.escape(message)):
        decode(FileAttributes, document, "f")
