"""The commands that rebuild a Secure Execution image and replace the old one with it.

Their options are those of genprotimg(1) and pvimg-create(1) in the installed release (s390-tools,
CHANGELOG.md and the manual pages). The old image may be the only one that boots. So the new one is
built next to it, tested, and only then renamed. The blocks of the old one stay in place until zipl
has run, because the boot record points to them.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from secboot.formats.kernel_image import (
    ALLOWS_DUMP,
    BACKUP_KEYS,
    NO_COMPONENT_ENCRYPTION,
    PCKMO_FLAGS,
    PCKMO_HMAC,
)
from secboot.invocation import Invocation
from secboot.named_tuple import NamedTuple
from secboot.profile.search import invocation_for
from secboot.zipl.order import rpm_version_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secboot.formats.kernel_image import SecureImage
    from secboot.lines.changes import Command
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile

ANY_HOST_KEY = "HOST-KEY-DOCUMENT.crt"
ANY_SIGNING_KEY = "IBM-Z-HOST-KEY-SIGNING.crt"
ANY_CA = "DIGICERT-CA.crt"
ANY_KERNEL = "VMLINUZ"
ANY_RAMDISK = "INITRD"
ANY_CCK = "CCK-FILE"
EARLY_BOOT = "rd.sel-ebc"
EARLY_BOOT_IMAGE = "sel-ebc.img"
"""How the line of an image from pvics starts, and its file name (scripts/pvics, convert)."""
_PVIMG = (2, 36)
"""Since then genprotimg is a link to ``pvimg create``, and ``pvimg test`` exists."""
VERIFIES = (2, 16)
_SETS_PCKMO = (2, 17)
_NAMES_CCK = (2, 37)


class ImageBuild(NamedTuple):
    """An image to build; paths are absolute, inside the tree.

    `parmfile` is also inside the tree, or a user's path outside it if `parmfile_outside`. `kernel`
    and `ramdisk` are None if unknown. `output` is the final path of the image, `untested` its path
    until it has been tested. `replaces` says that `output` exists now, `leaves` that zipl would make
    a plain kernel image the default, `writes_parmfile` that the user must still have secboot write
    the parmfile, `adds_entry` that secboot adds the boot entry once the image exists. `boots_here` is
    false if the machine only prepares the image of another one. `options` are further options for the
    builder.
    """

    output: str
    parmfile: str
    kernel: str | None = None
    ramdisk: str | None = None
    untested: str | None = None
    parmfile_outside: bool = False
    replaces: bool = True
    leaves: bool = False
    writes_parmfile: bool = False
    adds_entry: bool = False
    boots_here: bool = True
    options: tuple[str, ...] = ()


class Builder(NamedTuple):
    """How to call the builder for a tree.

    `release` is that of s390-tools, None if unknown. `has_pvimg` tells whether pvimg is installed.
    `before` are the words before a command, `prefix` precedes the paths in its arguments.
    """

    release: tuple[int, int] | None = None
    has_pvimg: bool = False
    before: tuple[str, ...] = ()
    prefix: str = ""

    def knows(self, release: tuple[int, int]) -> bool:
        """Whether the release is known to be this one or a later one."""
        return self.release is not None and self.release >= release

    def is_before(self, release: tuple[int, int]) -> bool:
        """Whether the release is known to be earlier than this one."""
        return self.release is not None and self.release < release


def builder_for(machine: Machine, *, parmfile_outside: bool = False) -> Builder:
    """Return the builder of the running system, or of a tree if it has one that can see all files.

    Otherwise the machine on which the tree is mounted builds the image. Nothing is known about its
    builder, but genprotimg exists in every release.
    """
    installed = machine.image_material.builders
    release = None if machine.zipl_version_is_assumed else machine.zipl_version[:2]
    if release is None and "pvimg" in installed:
        release = _PVIMG
    has_pvimg = release is not None and release >= _PVIMG and installed != ("genprotimg",)
    if machine.root == "/":
        return Builder(release, has_pvimg)
    if installed and not parmfile_outside:
        return Builder(release, has_pvimg, ("chroot", machine.root))
    return Builder(prefix=machine.root)


def recipe(
    machine: Machine,
    builder: Builder,
    build: ImageBuild,
    commit: Iterable[Command],
    profile: Profile,
) -> tuple[str, ...]:
    """Return the commands in order, one per line; each can be typed as shown.

    `commit` are the layout's programs. All commands act only on the machine in the tree.
    """
    untested = build.untested or f"{build.output}.new"
    root = "" if machine.root == "/" else machine.root
    invocation = invocation_for(profile, machine.root)
    before = []
    if profile.words:
        # The other verbs need a profile file.
        before = [f"{invocation.command('set', *profile.words, '--show-profile')} > set.yaml"]
        invocation = Invocation.on(machine.root, "./set.yaml")
    output = f"{root}{build.output}"
    lines = [*before]
    if build.writes_parmfile:
        parmfile = build.parmfile if build.parmfile_outside else f"{root}{build.parmfile}"
        lines.append(invocation.for_profile("plan", "--parmfile", parmfile))
    lines.append(shlex.join([*builder.before, *_create(machine, builder, build, untested)]))
    if builder.has_pvimg:
        test = shlex.join([*builder.before, *_test(machine, untested)])
        lines.append(f"{test}  # continue only if this succeeds")
    if build.replaces:
        keep = shlex.join(["ln", "-f", output, f"{output}.old"])
        lines.append(f"{keep}  # the boot record needs it until zipl has run")
    lines.append(shlex.join(["mv", f"{root}{untested}", output]))
    if build.leaves:
        return (
            *lines,
            "# before running zipl, make its boot entry the default to stay in Secure Execution",
        )
    if build.boots_here and build.adds_entry:
        lines.append(invocation.for_profile("apply"))
    else:
        lines += [invocation.of_programs((command.argv,)) for command in commit]
    if build.boots_here and not root:
        lines.append("reboot")
    return (*lines, invocation.for_profile("verify"))


def _create(machine: Machine, builder: Builder, build: ImageBuild, untested: str) -> list[str]:
    def path(found: str | None, otherwise: str) -> str:
        return otherwise if found is None else f"{builder.prefix}{found}"

    files = machine.image_material
    parmfile = build.parmfile if build.parmfile_outside else f"{builder.prefix}{build.parmfile}"
    words = ["pvimg", "create"] if builder.has_pvimg else ["genprotimg"]
    words += ["-i", path(build.kernel, ANY_KERNEL), "-r", path(build.ramdisk, ANY_RAMDISK)]
    words += ["-p", parmfile]
    words += _each("-k", [path(key, "") for key in files.host_keys] or [ANY_HOST_KEY])
    if not builder.is_before(VERIFIES):
        signing = chosen_signing_key(files.signing_keys)
        words += ["-C", path(signing, ANY_SIGNING_KEY)]
        words += _each("-C", [path(each, "") for each in files.certificates] or [ANY_CA])
        words += _each("--crl", [path(each, "") for each in files.revocation_lists])
    return [*words, *build.options, "-o", f"{builder.prefix}{untested}"]


def _test(machine: Machine, image: str) -> list[str]:
    """Return the test whether this host can start the image, or whether it has the host's documents."""
    if machine.image_material.knows_its_host:
        return ["pvimg", "test", "--key-hashes", image]
    return [
        "pvimg",
        "test",
        *_each("-k", machine.image_material.host_keys or [ANY_HOST_KEY]),
        image,
    ]


def chosen_signing_key(keys: tuple[str, ...]) -> str | None:
    """Return the newest key by its name: genprotimg and pvimg refuse more than one."""
    return max(keys, key=lambda key: rpm_version_key(key.rpartition(".")[0]), default=None)


def is_early_boot(image: SecureImage, path: str, line: str | None) -> bool:
    """Tell whether pvics built an image for early boot customization (EBC).

    `line` is the line inside, if known; for EBC it starts with ``rd.sel-ebc``. Otherwise the file name
    decides, unless the header says that the image is encrypted: pvics also builds encrypted images
    (``no-ebc: true``). It sets flags in every image, so a header without flags proves nothing.
    """
    if line is not None:
        return line.split(maxsplit=1)[:1] == [EARLY_BOOT]
    is_encrypted = image.encrypted is True and bool(image.flags)
    return path.rpartition("/")[2] == EARLY_BOOT_IMAGE and not is_encrypted


def kept_options(image: SecureImage, builder: Builder, *, early_boot: bool) -> tuple[str, ...]:
    """Return the options with which a new image allows what the old one does.

    For early boot customization they are those that pvics uses, because the flag that allows a
    change of the customer-communication key is encrypted.
    """
    if early_boot:
        flags = image.flags or PCKMO_FLAGS | PCKMO_HMAC
        start = ("--disable-image-encryption", "--enable-cck-update")
        return (*start, *_flag_options(flags & ~NO_COMPONENT_ENCRYPTION, builder, with_key=False))
    return () if image.flags is None else tuple(_flag_options(image.flags, builder))


def _flag_options(flags: int, builder: Builder, *, with_key: bool = True) -> Iterator[str]:
    if flags & NO_COMPONENT_ENCRYPTION:
        yield "--disable-image-encryption"
    if flags & ALLOWS_DUMP:
        yield "--enable-dump"
        if with_key:
            yield "--cck" if builder.knows(_NAMES_CCK) else "--comm-key"
            yield ANY_CCK
    if not flags & PCKMO_FLAGS and not builder.is_before(_SETS_PCKMO):
        yield "--disable-pckmo"
    if flags & PCKMO_HMAC:
        yield "--enable-pckmo-hmac"
    if flags & BACKUP_KEYS:
        yield "--enable-backup-keys"


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
