"""Check whether a libvirt domain is suitable for a guest in Secure Execution mode.

The rules are those of libvirt's docs/kbase/s390_protected_virt.rst and QEMU's
docs/system/s390x/protvirt.rst; for rules beyond those, a comment names the source. What a domain
does not show is not judged: the host, the releases of libvirt and QEMU, and the guest's image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.domain.cpu import judge_cpu, judge_machine
from secboot.domain.virtio import (
    device_title,
    is_emulated,
    needs_shared_memory,
    virtio_devices,
)
from secboot.errors import Location, ParseError
from secboot.finding import Finding, Severity
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.domain.virtio import VirtioDevice
    from secboot.formats.domain_xml import Element

LAUNCH_SECURITY = "<launchSecurity type='s390-pv'/>"
SHARED_MEMORY = "<source type='memfd'/><access mode='shared'/>"
_QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
_NO_PASSTHROUGH = frozenset({"vfio-ccw", "vfio-pci"})


def require_kvm_guest(domain: Element) -> None:
    """Raise ParseError for a domain that the rules do not cover: not KVM, or not s390x."""
    kind = visible(domain.get("type"))
    if kind != "kvm":
        raise ParseError(
            f"a domain of type '{kind}' cannot run in Secure Execution mode; only KVM guests can",
            location=domain.location,
            hint="for a KVM guest write: <domain type='kvm'>",
        )
    named = domain.find("os", "type")
    if named is not None and named.get("arch") not in {"", "s390x"}:
        raise ParseError(
            f"this guest is for {visible(named.get('arch'))}; IBM Secure Execution is for s390x",
            location=named.location,
        )


def judge_domain(domain: Element) -> tuple[Finding, ...]:
    """Return what prevents Secure Execution mode, or may prevent it, in the order of the text.

    Raises ParseError as `require_kvm_guest` does.
    """
    require_kvm_guest(domain)
    found = [
        *_architecture(domain),
        *_launch_security(domain),
        *judge_machine(domain),
        *judge_cpu(domain),
        *_memory(domain),
        *_balloon(domain),
        *_passthrough(domain),
        *_beyond_virtio(domain),
        *_qemu_arguments(domain),
        *_direct_boot(domain),
    ]
    return tuple(sorted(found, key=lambda each: _order(each.location)))


def launch_security(domain: Element) -> str:
    """Return the type of launch security that the domain sets; empty for none."""
    element = domain.find("launchSecurity")
    return "" if element is None else element.get("type")


def finding(
    rule: str, severity: Severity, element: Element, message: str, hint: str | None = None
) -> Finding:
    """Return a finding about an element."""
    return Finding(f"domain.{rule}", severity, message, element.location, hint)


def _order(location: Location | None) -> tuple[int, int]:
    return (0, 0) if location is None else (location.line or 0, location.column or 0)


def _architecture(domain: Element) -> Iterator[Finding]:
    named = domain.find("os", "type")
    where = named or domain
    if not where.get("arch") and not where.get("machine").startswith("s390"):
        message = "the architecture is not set: libvirt uses that of the host"
        hint = "write in <os>: <type arch='s390x'>hvm</type>"
        yield finding("architecture", Severity.NOTE, where, message, hint)


def _launch_security(domain: Element) -> Iterator[Finding]:
    element = domain.find("launchSecurity")
    devices = tuple(virtio_devices(domain))
    if element is not None and element.get("type") == "s390-pv":
        yield from (_iommu_off(each) for each in devices if each.iommu == "off")
        return
    if element is not None:
        yield finding(
            "launch-security-type",
            Severity.ERROR,
            element,
            f"launch security of type '{visible(element.get('type'))}' is not IBM Secure Execution",
            f"write: {LAUNCH_SECURITY}",
        )
    lacking = [each for each in devices if each.iommu != "on"]
    if element is None:
        yield _no_launch_security(domain, bool(lacking))
    yield from map(_no_iommu, lacking)


def _no_launch_security(domain: Element, needed: bool) -> Finding:
    if not needed:
        message = (
            "every virtio device has iommu='on'; since libvirt 7.6 one element covers all of them"
        )
        hint = f"with libvirt 7.6 or later, add to <domain>: {LAUNCH_SECURITY}"
        return finding("no-launch-security", Severity.NOTE, domain, message, hint)
    return finding(
        "no-launch-security",
        Severity.ERROR,
        domain,
        "the domain has no launchSecurity, and not every virtio device has iommu='on'",
        f"with libvirt 7.6 or later, add to <domain>: {LAUNCH_SECURITY}\n"
        "with an older libvirt, set iommu='on' on each device listed here",
    )


def _no_iommu(device: VirtioDevice) -> Finding:
    what = f"{device.title} bypasses the bounce buffer, the only memory of the guest that its host can read"
    if device.added:
        what = f"libvirt adds {device.title} for this device, without iommu='on'"
    if not device.has_options:
        hint = f"libvirt cannot set iommu='on' for it: add {LAUNCH_SECURITY} to <domain>"
        return finding("no-iommu", Severity.ERROR, device.element, what, hint)
    inside = "<devices>" if device.added else f"<{device.element.name}>"
    hint = f"without launchSecurity, write in {inside}: {device.written()}"
    return finding("no-iommu", Severity.ERROR, device.element, what, hint)


def _iommu_off(device: VirtioDevice) -> Finding:
    # A property that is set wins over the default from confidential-guest-support.
    message = f"{device.title} has iommu='off', which overrides launchSecurity"
    hint = f"remove iommu='off', or write: {device.written()}"
    return finding("iommu-off", Severity.ERROR, device.element, message, hint)


def _memory(domain: Element) -> Iterator[Finding]:
    backing = domain.find("memoryBacking", "hugepages")
    if backing is not None:
        yield finding(
            "hugepages",
            Severity.ERROR,
            backing,
            "huge pages of the host back the guest's memory, which Secure Execution does not support",
            "remove <hugepages> from <memoryBacking>; the guest itself can still use huge pages",
        )
    devices = domain.find("devices")
    for device in () if devices is None else devices.every("memory"):
        if device.get("model") == "virtio-mem":
            # s390_machine_protect() disables discarding RAM, which virtio-mem requires.
            yield finding(
                "virtio-mem",
                Severity.ERROR,
                device,
                "QEMU cannot switch a guest with virtio-mem to Secure Execution mode",
                "remove it, and give the guest all of its memory in <memory>",
            )
    if devices is not None and not _shares_memory(domain):
        has_backing = domain.find("memoryBacking") is not None
        needing = filter(needs_shared_memory, devices.children)
        yield from (_private_memory(each, has_backing=has_backing) for each in needing)


def _shares_memory(domain: Element) -> bool:
    access = domain.find("memoryBacking", "access")
    numa = domain.find("cpu", "numa")
    cells = () if numa is None else numa.every("cell")
    return (access is not None and access.get("mode") == "shared") or (
        bool(cells) and all(each.get("memAccess") == "shared" for each in cells)
    )


def _private_memory(element: Element, *, has_backing: bool) -> Finding:
    message = f"{device_title(element)} needs shared memory, and this guest's memory is private"
    hint = f"add to <domain>: <memoryBacking>{SHARED_MEMORY}</memoryBacking>"
    if has_backing:
        hint = f"write in <memoryBacking>, without huge pages: {SHARED_MEMORY}"
    return finding("private-memory", Severity.ERROR, element, message, hint)


def _balloon(domain: Element) -> Iterator[Finding]:
    """Unless it is ``none``, libvirt adds a balloon to every guest, even with launchSecurity."""
    devices = domain.find("devices")
    balloon = None if devices is None else devices.find("memballoon")
    if balloon is not None and balloon.get("model") == "none":
        return
    where = balloon or devices or domain
    message = "ballooning does not work in Secure Execution mode: QEMU blocks it"
    if balloon is None:
        message = f"libvirt adds a balloon unless it is disabled; {message}"
    hint = f"write in <devices>{'' if balloon is None else ' instead'}: <memballoon model='none'/>"
    yield finding("balloon", Severity.ERROR, where, message, hint)


def _passthrough(domain: Element) -> Iterator[Finding]:
    devices = domain.find("devices")
    for device in () if devices is None else devices.children:
        model = device.get("model")
        if device.name == "hostdev" and device.get("type") == "mdev" and model == "vfio-ap":
            yield finding(
                "crypto-passthrough",
                Severity.NOTE,
                device,
                "crypto adapters work in a secure guest only if host, firmware and guest support it",
                "in the guest, `lszcrypt` shows whether they can be bound",
            )
        elif (
            (device.name == "interface" and device.get("type") == "hostdev")
            or (device.name == "hostdev" and device.get("type") == "pci")
            or (device.name == "hostdev" and model in _NO_PASSTHROUGH)
        ):
            yield finding(
                "passthrough",
                Severity.ERROR,
                device,
                f"{device_title(device)} is passed through, which Secure Execution does not support",
                "remove it, and use a virtio device",
            )


def _beyond_virtio(domain: Element) -> Iterator[Finding]:
    """Devices that QEMU emulates access guest memory; a secure guest shares only its bounce buffer."""
    devices = domain.find("devices")
    for device in () if devices is None else filter(is_emulated, devices.children):
        yield finding(
            "not-virtio",
            Severity.WARNING,
            device,
            f"{device_title(device)} is emulated by QEMU, but secure guests do their I/O through virtio",
            "remove it, or use a virtio model or bus",
        )


def _qemu_arguments(domain: Element) -> Iterator[Finding]:
    for name in ("commandline", "override"):
        for element in domain.every(f"{_QEMU}{name}"):
            yield finding(
                "qemu-arguments",
                Severity.WARNING,
                element,
                f"<qemu:{name}> changes QEMU's arguments; secboot cannot check the result",
                "use libvirt elements instead, or check the result by hand",
            )


def _direct_boot(domain: Element) -> Iterator[Finding]:
    """With a Secure Execution image in ``-kernel``, QEMU's ``-initrd`` and ``-append`` have no effect."""
    system = domain.find("os")
    for name in ("initrd", "cmdline"):
        element = None if system is None else system.find(name)
        if element is not None and system is not None and system.find("kernel") is not None:
            yield finding(
                "direct-boot",
                Severity.NOTE,
                element,
                f"<{name}> has no effect when <kernel> is a Secure Execution image",
                "the image contains its own: pass it to genprotimg",
            )
