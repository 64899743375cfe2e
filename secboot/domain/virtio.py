"""The virtio devices of a domain, and how they access the guest's memory.

On s390x nearly every device is a virtio device. In a secure guest each must offer
VIRTIO_F_ACCESS_PLATFORM, so that its driver copies all data through the bounce buffer. libvirt sets
that with ``iommu='on'`` in the device's ``<driver>`` (since 3.5). With ``<launchSecurity
type='s390-pv'/>`` QEMU sets it by itself (hw/core/machine.c: `iommu_platform` is on by default with
confidential-guest-support).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from secboot.formats.domain_xml import Element

VIRTIO_MODELS = frozenset({"", "virtio", "virtio-transitional", "virtio-non-transitional"})
"""On s390x a missing model means virtio, for all kinds that use this (src/qemu/qemu_domain.c)."""
WITHOUT_OPTIONS = frozenset({"hostdev", "sound"})
"""Kinds whose virtio options libvirt cannot set (domaincommon.rng has no virtioOptions for them)."""

_NONE = frozenset({"", "none"})
_DRIVER = "<driver iommu='on'/>"


class VirtioDevice(NamedTuple):
    """A virtio device: `element`, or one that libvirt adds because of it.

    For a device that libvirt adds, `added` is the XML to write; otherwise it is empty.
    """

    element: Element
    title: str
    added: str = ""

    @property
    def iommu(self) -> str:
        """The value in its driver: ``on``, ``off``, or empty."""
        return "" if self.added else _of_child(self.element, "driver", "iommu")

    @property
    def has_options(self) -> bool:
        """Whether libvirt can set ``iommu`` for it."""
        return self.element.name not in WITHOUT_OPTIONS or bool(self.added)

    def written(self) -> str:
        """Return the XML with which it uses the bounce buffer."""
        driver = self.element.find("driver")
        own = _DRIVER if driver is None else driver.written(iommu="on")
        return self.added or own


def virtio_devices(domain: Element) -> Iterator[VirtioDevice]:
    """Yield the virtio devices of a domain; those that libvirt adds come last.

    The balloon is not among them: a secure guest cannot have one.
    """
    devices = domain.find("devices")
    if devices is None:
        return
    for element in devices.children:
        if _is_virtio(element):
            yield VirtioDevice(element, device_title(element))
    yield from _added(devices)


def device_title(element: Element) -> str:
    """Return a name that distinguishes the device from similar ones: ``<disk> vda``."""
    names = {
        "disk": _of_child(element, "target", "dev"),
        "filesystem": _of_child(element, "target", "dir"),
        "interface": _of_child(element, "mac", "address"),
        "controller": f"{element.get('type')} {element.get('index')}",
        "input": element.get("type"),
        "hostdev": element.get("type"),
    }
    return f"<{element.name}> {visible(names.get(element.name, ''))}".strip()


def disk_bus(disk: Element) -> str:
    """Return the bus of a disk: the one it sets, or the one its name implies (``vda``: virtio).

    As in libvirt's virDomainDiskDefPostParse and virDiskNameToBusDeviceIndex.
    """
    by_name = {"vd": "virtio", "sd": "scsi", "hd": "ide", "xv": "xen"}
    name = _of_child(disk, "target", "dev")
    return _of_child(disk, "target", "bus") or by_name.get(name[:2], "")


def is_emulated(element: Element) -> bool:
    """Tell whether QEMU emulates a device, on a PCI bus or a bus below it; not a virtio device."""
    address = _of_child(element, "address", "type")
    model, type_of_model = element.get("model"), _of_child(element, "model", "type")
    if element.name in {"hostdev", "memballoon"} or _is_virtio(element):
        return False
    return (
        address == "pci"
        or (element.name == "disk" and disk_bus(element) not in {"", "scsi"})
        or (element.name == "input" and element.get("bus") == "usb")
        or (element.name == "interface" and element.get("type") != "hostdev")
        or (element.name == "controller" and element.get("type") == "scsi")
        or (element.name == "controller" and element.get("type") == "usb" and model not in _NONE)
        or (element.name == "video" and type_of_model != "none")
        or element.name in {"shmem", "sound"}
    )


def needs_shared_memory(element: Element) -> bool:
    """Tell whether a program on the host accesses the guest's memory for this device."""
    if element.name == "filesystem":
        return _of_child(element, "driver", "type") == "virtiofs"
    return element.get("type") == "vhostuser" and element.name in {"disk", "interface"}


def _is_virtio(element: Element) -> bool:
    rule = _RULES.get(element.name)
    return rule is not None and rule(element)


def _model_is_virtio(element: Element) -> bool:
    return element.get("model") in VIRTIO_MODELS


def _type_of_model_is_virtio(element: Element) -> bool:
    return _of_child(element, "model", "type") in VIRTIO_MODELS


def _controller_is_virtio(element: Element) -> bool:
    is_scsi = element.get("type") == "scsi"
    return element.get("type") == "virtio-serial" or (
        is_scsi and (element.get("model") == "virtio-scsi" or _model_is_virtio(element))
    )


_RULES: Mapping[str, Callable[[Element], bool]] = {
    "controller": _controller_is_virtio,
    "crypto": _model_is_virtio,
    "disk": lambda each: disk_bus(each) == "virtio",
    "filesystem": lambda _: True,  # 9p and virtiofs
    "hostdev": lambda each: each.get("type") == "scsi_host",  # vhost-scsi
    "input": lambda each: each.get("bus") in {"", "virtio"},
    "interface": lambda each: each.get("type") != "hostdev" and _type_of_model_is_virtio(each),
    "rng": _model_is_virtio,
    "sound": lambda each: each.get("model") == "virtio",
    "video": _type_of_model_is_virtio,
    "vsock": _model_is_virtio,
}
"""Which devices are virtio, by element name."""


def _added(devices: Element) -> Iterator[VirtioDevice]:
    """Yield the devices that libvirt adds because others need them; dumped XML contains them all."""
    controllers = {each.get("type") for each in devices.every("controller")}
    for kind, written, users in (
        (
            "scsi",
            f"<controller type='scsi' model='virtio-scsi'>{_DRIVER}</controller>",
            _scsi_users(devices),
        ),
        (
            "virtio-serial",
            f"<controller type='virtio-serial'>{_DRIVER}</controller>",
            _serial_users(devices),
        ),
    ):
        if kind not in controllers and users:
            yield VirtioDevice(users[0], f"<controller> {kind}", written)
    graphics = devices.every("graphics")
    if graphics and not devices.every("video"):
        video = f"<video><model type='virtio'/>{_DRIVER}</video>"
        yield VirtioDevice(graphics[0], "<video>", video)


def _scsi_users(devices: Element) -> tuple[Element, ...]:
    disks = (each for each in devices.every("disk") if disk_bus(each) == "scsi")
    return (*disks, *(each for each in devices.every("hostdev") if each.get("type") == "scsi"))


def _serial_users(devices: Element) -> tuple[Element, ...]:
    users = (*devices.every("channel"), *devices.every("console"))
    return tuple(each for each in users if _of_child(each, "target", "type") == "virtio")


def _of_child(element: Element, child: str, attribute: str) -> str:
    found = element.find(child)
    return "" if found is None else found.get(attribute)
