"""Whether a domain's machine type and CPU model can have facility 161 (``unpack``).

Without it the guest cannot ask the ultravisor to unpack its image (diagnose 308, subcodes 8 to 10).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.formats.domain_xml import Element

_HOST_MODES = frozenset({"host-model", "host-passthrough", "maximum"})
_MACHINE = re.compile(r"s390-ccw-virtio(?:-(?:rhel)?(\d{1,4})\.(\d{1,4})(?:\.\d+)?|-([a-z].*))?")
_UBUNTU = {
    "xenial": (2, 5), "yakkety": (2, 6), "zesty": (2, 8), "artful": (2, 10), "bionic": (2, 11),
    "cosmic": (2, 12), "disco": (3, 1), "eoan": (4, 0),
}  # fmt: skip
"""The QEMU releases of Ubuntu's machine type names; names that are not listed are newer."""
_RHEL_7 = (2, 9)
"""At least this release; RHEL 7 has its own names, and none of its releases hosts secure guests."""
_CPU_MODELS_SINCE = (2, 8)
"""Older machine types have no CPU models, and therefore no `unpack` (hw/s390x/s390-virtio-ccw.c,
cpu_model_allowed)."""
_SECURE_SINCE = (4, 2)
"""The oldest QEMU that hosts secure guests, with patches of Ubuntu 20.04, SLES 15 SP2 and RHEL 8.2;
upstream since 5.1."""
_GENERATION = re.compile(r"gen(\d{1,4})[ab](?:-base)?")
_FIRST_GENERATION = 15
"""z15. No model includes `unpack` by default, but it can be added since this one (gen-features.c)."""
_REQUIRE = "<feature policy='require' name='unpack'/>"
_HOST_MODEL = "<cpu mode='host-model'/>"


def judge_machine(domain: Element) -> Iterator[Finding]:
    """Yield what is wrong with the machine type; libvirt's default, QEMU's newest, is fine."""
    element = domain.find("os", "type")
    if element is None or not element.get("machine"):
        return
    machine = visible(element.get("machine"))
    hint = f"write: {element.written(machine='s390-ccw-virtio')}"
    match = _MACHINE.fullmatch(machine)
    if match is None:
        message = f"machine type '{machine}' cannot run secure guests"
        yield Finding("domain.machine-type", Severity.ERROR, message, element.location, hint)
        return
    release = _qemu_release(machine, match)
    if release is not None and release < _CPU_MODELS_SINCE:
        message = f"machine type '{machine}' does not support CPU models, and so not 'unpack'"
        yield Finding("domain.machine-type", Severity.ERROR, message, element.location, hint)
    elif release is not None and release < _SECURE_SINCE:
        message = (
            f"machine type '{machine}' is older than any QEMU with Secure Execution;"
            " it is unknown whether it works with a newer QEMU"
        )
        yield Finding("domain.machine-type", Severity.WARNING, message, element.location, hint)


def judge_cpu(domain: Element) -> Iterator[Finding]:
    """Yield why the guest's CPU model lacks ``unpack``.

    Without a model, the guest gets the host's, which includes it if the host supports it.
    """
    cpu = domain.find("cpu")
    if cpu is None:
        return
    features = [each for each in cpu.every("feature") if each.get("name") == "unpack"]
    for each in features:
        if each.get("policy") in {"disable", "forbid"}:
            message = "the CPU model disables 'unpack', which the guest needs to start its image"
            yield _cpu_finding(each, message, f"remove this, or write: {_REQUIRE}")
            return
    model = cpu.find("model")
    mode = cpu.get("mode") or "custom"
    if mode in _HOST_MODES or model is None or not model.text:
        return
    generation = _GENERATION.fullmatch(model.text)
    if generation is None or int(generation[1]) < _FIRST_GENERATION:
        message = f"the CPU model '{visible(model.text)}' does not support 'unpack'; gen15a (z15) or later does"
        yield _cpu_finding(cpu, message, f"write: {_HOST_MODEL}")
    elif not any(each.get("policy") in {"require", "force"} for each in features):
        message = f"the CPU model '{visible(model.text)}' does not include 'unpack' by default"
        hint = f"write in <cpu>: {_REQUIRE}\nor replace it: {_HOST_MODEL}"
        yield _cpu_finding(cpu, message, hint)


def _cpu_finding(element: Element, message: str, hint: str) -> Finding:
    return Finding("domain.cpu-model", Severity.ERROR, message, element.location, hint)


def _qemu_release(machine: str, match: re.Match[str]) -> tuple[int, int] | None:
    """Return the QEMU release of a machine type; None for the newest one, or a new one."""
    major, minor, name = match.groups()
    if name is not None:
        return _UBUNTU.get(name)
    if major is None:
        return None
    if "-rhel" in machine:
        return _RHEL_7 if int(major) < 8 else None
    return int(major), int(minor)
