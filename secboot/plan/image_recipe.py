"""The commands that build an IBM Secure Execution image again and put it in the place of the old one.

Their options are those of genprotimg(1) and pvimg-create(1) of the release that is installed
(s390-tools, CHANGELOG.md and the manual pages). The old image may be the only one that boots. So the
new one is built beside it, tested, and only then given its name; the blocks of the old one stay
where they are until zipl has run, since the boot record points to them.
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
"""What the line begins with, and the name, of an image that pvics has made (scripts/pvics, convert)."""
_PVIMG = (2, 36)
"""genprotimg is a link to ``pvimg create`` since then, and ``pvimg test`` is there."""
VERIFIES = (2, 16)
_SETS_PCKMO = (2, 17)
_NAMES_CCK = (2, 37)


class ImageBuild(NamedTuple):
    """An image that is to be built; paths are absolute, inside the tree.

    `parmfile` is a path inside the tree, too, or one of the user's outside of it where
    `parmfile_outside` says so. `kernel` and `ramdisk` are None where none is known. `output` is the
    path that the image is to have in the end, `beside` one for as long as it is not tested.
    `replaces` says that there is an image under `output` now, `leaves` that zipl would make an
    ordinary kernel the default, `writes_parmfile` that secboot is still to be told to write the
    parmfile, `adds_entry` that it adds the boot entry once the image is there. The machine
    `boots_here` unless it prepares an image for another one. `options` are more options for the
    builder.
    """

    output: str
    parmfile: str
    kernel: str | None = None
    ramdisk: str | None = None
    beside: str | None = None
    parmfile_outside: bool = False
    replaces: bool = True
    leaves: bool = False
    writes_parmfile: bool = False
    adds_entry: bool = False
    boots_here: bool = True
    options: tuple[str, ...] = ()


class Builder(NamedTuple):
    """How the builder is called for a tree.

    `release` is that of s390-tools, None where it is not known. `has_pvimg` is whether pvimg is there.
    `before` are the words before a command, `prefix` is what comes before the paths that it is given.
    """

    release: tuple[int, int] | None = None
    has_pvimg: bool = False
    before: tuple[str, ...] = ()
    prefix: str = ""

    def knows(self, release: tuple[int, int]) -> bool:
        """Whether it is known to be that release or a later one."""
        return self.release is not None and self.release >= release

    def is_before(self, release: tuple[int, int]) -> bool:
        """Whether it is known to be an earlier one."""
        return self.release is not None and self.release < release


def builder_for(machine: Machine, *, parmfile_outside: bool = False) -> Builder:
    """Return the builder of the running system, or of a tree, where it has one that sees all files.

    Else a tree's image is built by the machine that the tree is mounted on, of whose builder nothing
    is known; genprotimg exists in every release.
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
    """Return the commands, one a line, in their order; each can be typed as it is shown.

    `commit` are the layout's programs. None of the commands acts on another machine than the one in
    the tree.
    """
    beside = build.beside or f"{build.output}.new"
    root = "" if machine.root == "/" else machine.root
    invocation = invocation_for(profile, machine.root)
    before = []
    if profile.words:
        # Further verbs need a file.
        before = [f"{invocation.command('set', *profile.words, '--show-profile')} > set.yaml"]
        invocation = Invocation.on(machine.root, "./set.yaml")
    output = f"{root}{build.output}"
    lines = [*before]
    if build.writes_parmfile:
        lines.append(invocation.for_profile("plan", "--parmfile", f"{root}{build.parmfile}"))
    lines.append(shlex.join([*builder.before, *_create(machine, builder, build, beside)]))
    if builder.has_pvimg:
        test = shlex.join([*builder.before, *_test(machine, beside)])
        lines.append(f"{test}  # go on only if it succeeds")
    if build.replaces:
        keep = shlex.join(["ln", "-f", output, f"{output}.old"])
        lines.append(f"{keep}  # the boot record needs it until zipl has run")
    lines.append(shlex.join(["mv", f"{root}{beside}", output]))
    if build.leaves:
        return (*lines, "# before zipl runs: make its boot entry the default, to stay inside")
    if build.boots_here and build.adds_entry:
        lines.append(invocation.for_profile("apply"))
    else:
        lines += [invocation.of_programs((command.argv,)) for command in commit]
    if build.boots_here and not root:
        lines.append("reboot")
    return (*lines, invocation.for_profile("verify"))


def _create(machine: Machine, builder: Builder, build: ImageBuild, beside: str) -> list[str]:
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
    return [*words, *build.options, "-o", f"{builder.prefix}{beside}"]


def _test(machine: Machine, image: str) -> list[str]:
    """Whether this host can start it; where that can't be asked, whether its documents are in it."""
    if machine.image_material.knows_its_host:
        return ["pvimg", "test", "--key-hashes", image]
    return [
        "pvimg",
        "test",
        *_each("-k", machine.image_material.host_keys or [ANY_HOST_KEY]),
        image,
    ]


def chosen_signing_key(keys: tuple[str, ...]) -> str | None:
    """Return the newest one by its name: genprotimg and pvimg refuse more than one."""
    return max(keys, key=lambda key: rpm_version_key(key.rpartition(".")[0]), default=None)


def is_early_boot(image: SecureImage, path: str, line: str | None) -> bool:
    """Whether pvics has made an image for early boot customization (EBC).

    `line` is that inside, where it is known; such a one begins with ``rd.sel-ebc``. Else the name tells
    it, unless the header says that the image is encrypted: pvics makes such, too (``no-ebc: true``),
    but sets flags in each, so that a header without any tells nothing.
    """
    if line is not None:
        return line.split(maxsplit=1)[:1] == [EARLY_BOOT]
    is_encrypted = image.encrypted is True and bool(image.flags)
    return path.rpartition("/")[2] == EARLY_BOOT_IMAGE and not is_encrypted


def kept_options(image: SecureImage, builder: Builder, *, early_boot: bool) -> tuple[str, ...]:
    """Return the options that make a new image allow what the old one does.

    Those of an image for early boot customization are what pvics gives: that the
    customer-communication key can be changed is a flag that is encrypted.
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
