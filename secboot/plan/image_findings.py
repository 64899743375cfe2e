"""Findings about what a rebuild of a Secure Execution image needs."""

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
"""The first s390-tools releases whose manual pages describe these options."""


def about_material(machine: Machine, builder: Builder) -> Iterator[Finding]:
    """Yield which keys, certificates and tools are missing, and where to get them."""
    material = machine.image_material
    if material.unreadable is not None:
        message = f"{material.unreadable}: cannot look for host keys there"
        yield Finding(
            "host-keys-unreadable", Severity.WARNING, message, None, "run secboot as root"
        )
    elif not material.host_keys:
        yield Finding(
            "no-host-key",
            Severity.NOTE,
            f"no host-key document found in {HOST_KEYS}",
            None,
            "for each machine that will run the guest, get HKD-TYPE-SERIAL.crt from its operator or"
            f" from {_RESOURCE_LINK} and put it there",
        )
    if builder.is_before(VERIFIES):
        message = "this release of genprotimg does not verify host-key documents"
        yield Finding("host-keys-unverified", Severity.WARNING, message, None, _BY_HAND)
    elif material.unreadable is None:
        yield from _about_certificates(machine)
    if machine.root == "/" and not material.builders:
        message = "neither pvimg nor genprotimg is installed here"
        hint = (
            "install the s390-tools package that contains them, or build the image on a machine"
            " that you trust"
        )
        yield Finding("no-image-builder", Severity.NOTE, message, None, hint)


_BY_HAND = 'verify them first: see "Verifying the host key document" in IBM\'s documentation'


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
        message = (
            f"the tool accepts only one signing key: using {visible(chosen or '')}, not {others}"
        )
        yield Finding("signing-keys", Severity.NOTE, message)


def about_parmfile(
    machine: Machine, kernel: InstalledKernel | None, size: int, place: Location
) -> Iterator[Finding]:
    """Warn if the kernel has no room for a parmfile of `size` bytes and the NUL after it."""
    facts = None if kernel is None else machine.facts.get(kernel.path)
    if kernel is None or facts is None or facts.max_parm_size is None:
        return
    limit = (facts.max_parm_size or LEGACY_PARAMETER_LIMIT) - 1
    if size > limit:
        message = (
            f"the parmfile is {size} bytes long with its newline, but {visible(kernel.path)} accepts"
            f" only {limit}: an image cannot be built from them"
        )
        yield Finding("parmfile-size", Severity.WARNING, message, place, "shorten the parmfile")


def about_kernel(kernel: InstalledKernel | None, place: Location) -> Iterator[Finding]:
    """Warn if the kernel or the ramdisk for the image is missing."""
    if kernel is None:
        message = "no plain kernel image found to build the Secure Execution image from"
        hint = "install one, without making it the default"
        yield Finding("no-kernel", Severity.WARNING, message, place, hint)
    elif kernel.ramdisk is None:
        message = f"no initial RAM disk found for {visible(kernel.path)}"
        hint = "omit -r from the command only if the guest boots without one"
        yield Finding("no-ramdisk", Severity.WARNING, message, place, hint)


def about_options(
    image: SecureImage, builder: Builder, options: tuple[str, ...], place: Location
) -> Iterator[Finding]:
    """Yield which of the old image's flags the options for the new one cannot express."""
    if image.flags is None:
        message = f"unknown with which options the old image was built: {image.unsure}"
        yield Finding("image-options", Severity.WARNING, message, place)
        return
    if 0 < image.flags & PCKMO_FLAGS < PCKMO_FLAGS:
        message = (
            "the old image allows some PCKMO functions and forbids others"
            f" (flags {image.flags:#x}); the new one allows all of them"
        )
        hint = "with s390-tools 2.44 or later, list the functions to forbid in --disable-flags"
        yield Finding("image-options", Severity.WARNING, message, place, hint)
    if image.flags & ALLOWS_DUMP and ANY_CCK in options:
        message = (
            f"the old image allows dumps: replace {ANY_CCK} with its customer-communication key"
        )
        hint = "without the key, omit --enable-dump and what follows it up to that key"
        yield Finding("image-dump", Severity.NOTE, message, place, hint)
    later = [word for word in options if builder.is_before(_OPTIONS_SINCE.get(word, (0, 0)))]
    if later:
        needed = max(_OPTIONS_SINCE[word] for word in later)
        message = (
            f"the old image was built with {', '.join(later)}, which the installed builder does not"
            " support"
        )
        hint = f"build it with s390-tools {needed[0]}.{needed[1]} or later"
        yield Finding("image-builder-old", Severity.WARNING, message, place, hint)


def about_early_boot(place: Location, *, by_name: bool) -> Iterator[Finding]:
    """Yield what an image needs that pvics has built for early boot customization."""
    if by_name:
        message = (
            "by its name, pvics built this image for early boot customization: such images are not"
            f" encrypted, and their parameter line starts with {EARLY_BOOT}"
        )
        hint = (
            f"if its pvics.yaml sets `no-ebc: true`, omit {EARLY_BOOT},"
            " --disable-image-encryption and --enable-cck-update"
        )
        yield Finding("image-early-boot", Severity.WARNING, message, place, hint)
    message = "the add-secret requests in /boot/sics are valid only for the old image"
    hint = (
        "create them again for the new one (pvsecret create --hdr), or convert the guest again with"
        " pvics"
    )
    yield Finding("image-secrets", Severity.WARNING, message, place, hint)
