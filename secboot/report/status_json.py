"""A status as JSON (schema ``secboot/status/1``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.report.location import location_document
from secboot.running.firmware import INDICATIONS_NOTE

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.ipl.boot_record import BootRecord
    from secboot.running.firmware import IplSource
    from secboot.running.system import RunningSystem
    from secboot.status.stages import (
        EntryResults,
        LineOrigin,
        RequirementResults,
        Result,
        Status,
    )

SCHEMA = "secboot/status/1"
Document = dict[str, Any]


def status_document(status: Status) -> Document:
    """Return the status as a JSON document; it has all that the text has."""
    profile = status.profile
    return {
        "schema": SCHEMA,
        "root": status.root,
        "layout": status.layout,
        "profile": None
        if profile is None
        else {
            "name": profile.name,
            "path": profile.path,
            "digest": profile.digest,
            "role": profile.role,
            "description": profile.description,
        },
        "requirements": [_requirement(each) for each in status.requirements],
        "entries": [_entry(each) for each in status.entries],
        "boot_record": _record(status.record),
        "new_kernel": {
            "source": status.new_kernel.source.value,
            "description": status.new_kernel.description,
            "line": status.new_kernel.line,
        },
        "running": None if status.running is None else _running(status.running, status.origin),
        "notices": [
            {"code": n.code, "message": n.message, "next_step": n.hint or ""}
            for n in status.notices
        ],
    }


def advice_document(causes: tuple[Finding, ...]) -> list[Document]:
    """Return causes and next steps, the likeliest first."""
    return [{"why": each.message, "next_step": each.hint or ""} for each in causes]


def _requirement(requirement: RequirementResults) -> Document:
    return {
        "name": requirement.name,
        "wanted": requirement.wanted,
        "stages": {each.stage.value: _result(each) for each in requirement.stages},
    }


def _result(result: Result) -> Document:
    return {
        "verdict": result.verdict.value,
        "reason": result.reason,
        "advice": advice_document(result.causes),
    }


def _entry(entry: EntryResults) -> Document:
    return {
        "name": entry.name,
        "location": location_document(entry.location),
        "menu_position": entry.menu_position,
        "default": entry.is_default,
        "rescue": entry.is_rescue,
        "note": entry.note,
        "parameters": entry.parmline,
        "recorded_parameters": entry.recorded,
        "configured": [_result(each) for each in entry.configured],
        "installed": [_result(each) for each in entry.installed],
    }


def _record(record: BootRecord) -> Document:
    bootmap = record.bootmap
    return {
        "path": record.path,
        "unreadable": record.unreadable,
        "stale": record.stale,
        "differences": list(record.differences),
        "younger_files": list(record.younger_files),
        "programs": None
        if bootmap is None
        else [
            {
                "numbers": list(program.numbers),
                "default": program.is_default,
                "parameters": program.parmline,
                "image_size": program.image_size,
                "ramdisk_size": program.ramdisk_size,
                "kdump": program.kdump,
            }
            for program in bootmap.programs
        ],
        "environment": None
        if bootmap is None or bootmap.environment is None
        else dict(bootmap.environment.variables),
    }


def _running(running: RunningSystem, origin: LineOrigin | None) -> Document:
    facilities = running.cpu.facilities
    return {
        "command_line": running.command_line,
        "origin": "" if origin is None else origin.description,
        "kernel": running.release_text,
        "ibm_z": running.cpu.is_s390,
        "machine_type": running.cpu.machine or running.sysinfo.machine,
        "hypervisors": list(running.sysinfo.control_programs),
        "runs_in": running.sysinfo.level.value,
        "facilities": None if facilities is None else sorted(facilities),
        "kdump": running.capture,
        "kvm_hpage": running.huge_pages,
        "ultravisor": {
            "present": running.ultravisor.present,
            "prot_virt_host": running.ultravisor.host,
            "prot_virt_guest": running.ultravisor.guest,
            "query": dict(running.ultravisor.query),
            "note": INDICATIONS_NOTE,
        },
        "messages": {
            "complete": running.messages.complete,
            "reserved_mib": running.messages.reserved,
            "failures": list(running.messages.failures),
            "bounce_buffer_mib": running.messages.bounce_buffer,
            "bounce_buffer_full": list(running.messages.full),
        },
        "bounce_buffer_blocks": running.bounce_blocks,
        "ipl": _source(running.ipl),
        "reipl": _source(running.reipl),
        "boot_record_disks": list(running.boot_disks),
    }


def _source(source: IplSource | None) -> Document | None:
    if source is None:
        return None
    return {
        "type": source.type,
        "device": source.device,
        "loadparm": source.loadparm,
        "parm": source.parm,
    }
