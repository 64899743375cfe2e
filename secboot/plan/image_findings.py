"""What to know, and to get, before a Secure Execution image is built again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_image import ALLOWS_DUMP, LEGACY_PARAMETER_LIMIT, PCKMO_FLAGS
from secboot.machine.image_material import HOST_KEYS
from secboot.plan.image_recipe import ANY_CCK, EARLY_BOOT, VERIFIES, chosen_signing_key
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.errors import Location
    from secboot.formats.kernel_image import SecureImage
    from secboot.ipl.installed_kernels import InstalledKernel
    from secboot.machine.discovery import Machine
    from secboot.plan.image_recipe import Builder

_RESOURCE_LINK = "https://www.ibm.com/support/resourcelink"
_CERTIFICATES = f"{_RESOURCE_LINK}/api/content/public/secure-execution-gen2.html"
_OPTIONS_SINCE = {
    "--enable-dump": (2, 21),
    "--enable-pckmo-hmac": (2, 36),
    "--enable-backup-keys": (2, 36),
    "--disable-image-encryption": (2, 37),
    "--enable-cck-update": (2, 38),
}
"""The first releases of s390-tools whose manual pages have them."""


def about_material(machine: Machine, builder: Builder) -> Iterator[Finding]:
    """What of the keys, the certificates and the tool is not there, and where to get it."""
    material = machine.image_material
    if material.unreadable is not None:
        message = f"{material.unreadable}: whether host keys lie there is not known"
        yield Finding("host-keys-unreadable", Severity.WARNING, message, None, "run it as root")
    elif not material.host_keys:
        yield Finding(
            "no-host-key",
            Severity.NOTE,
            f"no host-key document found in {HOST_KEYS}",
            None,
            "get HKD-TYPE-SERIAL.crt of each machine that is to run the guest, from its operator or"
            f" from {_RESOURCE_LINK}, and put it there",
        )
    if builder.is_before(VERIFIES):
        message = "this release of genprotimg does not verify host-key documents"
        yield Finding("host-keys-unverified", Severity.WARNING, message, None, _BY_HAND)
    elif material.unreadable is None:
        yield from _about_certificates(machine)
    if machine.root == "/" and not material.builders:
        message = "neither pvimg nor genprotimg is installed here"
        hint = "install the package of s390-tools that has it, or build the image on a machine you trust"
        yield Finding("no-image-builder", Severity.NOTE, message, None, hint)


_BY_HAND = "verify them first, as IBM's documentation says: Verifying the host key document"


def _about_certificates(machine: Machine) -> Iterator[Finding]:
    material = machine.image_material
    missing = [] if material.signing_keys else ["IBM Z signing-key certificate"]
    missing += [] if material.certificates else ["DigiCert CA certificate"]
    if missing:
        message = f"no {' and no '.join(missing)} found in {HOST_KEYS}"
        hint = f"download what is missing from {_CERTIFICATES} and put it there"
        yield Finding("no-host-key-certificate", Severity.NOTE, message, None, hint)
    if len(material.signing_keys) > 1:
        chosen = chosen_signing_key(material.signing_keys)
        others = ", ".join(visible(each) for each in material.signing_keys if each != chosen)
        message = f"only one signing key can be given: {visible(chosen or '')}, and not {others}"
        yield Finding("signing-keys", Severity.NOTE, message)


def about_parmfile(
    machine: Machine, kernel: InstalledKernel | None, size: int, place: Location
) -> Iterator[Finding]:
    """Whether the kernel has room for a parmfile of `size` bytes and the NUL after it."""
    facts = None if kernel is None else machine.facts.get(kernel.path)
    if kernel is None or facts is None or facts.max_parm_size is None:
        return
    limit = (facts.max_parm_size or LEGACY_PARAMETER_LIMIT) - 1
    if size > limit:
        message = (
            f"the parmfile has {size} bytes with its newline, and {visible(kernel.path)} takes"
            f" {limit}: no image can be built of them"
        )
        yield Finding("parmfile-size", Severity.WARNING, message, place, "shorten it")


def about_kernel(kernel: InstalledKernel | None, place: Location) -> Iterator[Finding]:
    """What is missing of a kernel and a ramdisk to build the image of."""
    if kernel is None:
        message = "no ordinary kernel found to build the image of"
        hint = "install one, without making it the default"
        yield Finding("no-kernel", Severity.WARNING, message, place, hint)
    elif kernel.ramdisk is None:
        message = f"no initial RAM disk found for {visible(kernel.path)}"
        hint = "leave -r out of the command only if the guest boots without one"
        yield Finding("no-ramdisk", Severity.WARNING, message, place, hint)


def about_options(
    image: SecureImage, builder: Builder, options: tuple[str, ...], place: Location
) -> Iterator[Finding]:
    """What of the old image's flags the options of the new one can't say."""
    if image.flags is None:
        message = f"the options that the old image was made with are not known: {image.unsure}"
        yield Finding("image-options", Severity.WARNING, message, place)
        return
    if 0 < image.flags & PCKMO_FLAGS < PCKMO_FLAGS:
        message = (
            "the old image allows some PCKMO functions and forbids others"
            f" (flags {image.flags:#x}): the new one allows all of them"
        )
        hint = "s390-tools 2.44 and later: add --disable-flags with those to forbid"
        yield Finding("image-options", Severity.WARNING, message, place, hint)
    if image.flags & ALLOWS_DUMP and ANY_CCK in options:
        message = (
            f"the old image allows dumps; for that {ANY_CCK} is its customer-communication key"
        )
        hint = "without the key, leave out --enable-dump and what follows it up to that key"
        yield Finding("image-dump", Severity.NOTE, message, place, hint)
    later = [word for word in options if builder.is_before(_OPTIONS_SINCE.get(word, (0, 0)))]
    if later:
        needed = max(_OPTIONS_SINCE[word] for word in later)
        message = f"the installed builder does not have {', '.join(later)}, with which the old image was made"
        hint = f"build it with s390-tools {needed[0]}.{needed[1]} or later"
        yield Finding("image-builder-old", Severity.WARNING, message, place, hint)


def about_early_boot(place: Location, *, by_name: bool) -> Iterator[Finding]:
    """What an image takes that pvics has made for early boot customization."""
    if by_name:
        message = (
            "by its name this image is one of pvics, for early boot customization: these are not"
            f" encrypted, and their line begins with {EARLY_BOOT}"
        )
        hint = (
            f"if its pvics.yaml says `no-ebc: true`: leave out {EARLY_BOOT},"
            " --disable-image-encryption and --enable-cck-update"
        )
        yield Finding("image-early-boot", Severity.WARNING, message, place, hint)
    message = "the add-secret requests in /boot/sics are for the old image alone"
    hint = "make them again for the new one (pvsecret create --hdr), or convert the guest again with pvics"
    yield Finding("image-secrets", Severity.WARNING, message, place, hint)
