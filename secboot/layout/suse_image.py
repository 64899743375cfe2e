"""SUSE's Secure Execution image: whether grub2-zipl-setup builds it, and from which files.

It replaces zipl's first system with an image of the same kernel, with a separate initrd (in
/dev/shm, since it may contain the key of the root file system) and the line of a template. Its
grub2-emu starts the real kernel, also in Secure Execution, with the line from grub.cfg (openSUSE's
grub2-s390x-secure-execution-support.patch, in util/s390x/zipl2grub.pl.in).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.formats.grub_default import GrubDefault
from secboot.ipl.next_ipl import Renewal
from secboot.layout.suse_files import GRUB_DEFAULT, SE_TEMPLATE
from secboot.lines.changes import StorePlan, StoreStatus, edited_store
from secboot.lines.fulfil import fulfil_line
from secboot.lines.stores import ParameterLine, Store, StoreKind, Stores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile

LINUX, LINUX_DEFAULT = (
    Store(StoreKind.LAYOUT_FILE, GRUB_DEFAULT, name)
    for name in ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")
)
"""The variables that form a parameter line, in this order."""
_ENABLE = "SUSE_S390_SE_ENABLE"
_YES = frozenset({"yes", "true", "1"})
_KEYS = ("SUSE_S390_SE_HOST_KEY", "SUSE_S390_SE_HOST_KEY_SIGNING_KEY", "SUSE_S390_SE_CA_CERT")
"""The variables whose files must be readable; otherwise no image is built, even if enabled."""
_LIST = re.compile(r"[,\s]+")
_IMAGE_LINE = "The Secure Execution image that grub2-zipl-setup builds"
_PLACEHOLDER = r"@([^@\s]+)@"


def key_files(documents: Mapping[str, object]) -> tuple[str, ...]:
    """Return the paths of the key files that the image is built with."""
    document = documents.get(GRUB_DEFAULT)
    if not isinstance(document, GrubDefault):
        return ()
    return tuple(path for name in _KEYS for path in _paths(document, name))


def image_build(machine: Machine, program: str) -> Renewal | None:
    """Return what the next run of grub2-zipl-setup makes of the first stage.

    Every machine has the template, so only the variable says whether an image is wanted. None if
    /etc/default/grub does not exist.
    """
    document = machine.document(GRUB_DEFAULT, GrubDefault)
    if document is None:
        return None
    assignment = document.get(_ENABLE)
    set_it = f'set {_ENABLE}="true" in {GRUB_DEFAULT}'
    if assignment is None:
        return Renewal(program, False, False, f"{_ENABLE} is not set in {GRUB_DEFAULT}", set_it)
    where = f"{GRUB_DEFAULT}:{assignment.number}"
    if assignment.value is None:
        reason = f"{where} sets {_ENABLE} in a way that the programs do not read the same way"
        return Renewal(program, None, False, reason, set_it)
    said = f'{_ENABLE} is "{assignment.value}" ({where})'
    if assignment.value not in _YES:
        return Renewal(program, False, False, said, set_it)
    obstacles = list(_obstacles(machine, document))
    if not obstacles:
        return Renewal(program, True, True, said)
    known = [reason for is_known, reason in obstacles if is_known]
    reason = (known or [reason for _, reason in obstacles])[0]
    return Renewal(program, False if known else None, True, reason, f"fix this: {reason}")


def _obstacles(machine: Machine, document: GrubDefault) -> Iterator[tuple[bool, str]]:
    """Yield the reasons why no image is built although one is wanted, each with whether it is certain.

    The files may be added to a tree later. The patch splits a list of them to build an image, but
    first checks whether a file with the whole name can be read; a later release may fix this.
    """
    is_running = machine.running_line is not None
    for name in _KEYS:
        paths = _paths(document, name)
        missing = [path for path in paths if machine.named_files.get(path) is False]
        unseen = [path for path in paths if machine.named_files.get(path) is None]
        if not paths:
            yield True, f"{name} is not set in {GRUB_DEFAULT}"
        elif missing:
            yield is_running, f"{name} names {missing[0]}, which does not exist"
        elif unseen:
            yield False, f"{name} names {unseen[0]}, which can't be accessed"
        elif len(paths) > 1 and not boots_image(machine):
            reason = f"{name} names several files, which not every release of its program supports"
            yield False, reason


def boots_image(machine: Machine) -> bool:
    """Whether zipl's configuration has such an image."""
    return any(machine.secure_image(entry) is not None for entry in machine.configuration.entries)


def _paths(document: GrubDefault, name: str) -> list[str]:
    assignment = document.get(name)
    value = None if assignment is None else assignment.value
    return [path for path in _LIST.split(value or "") if path]


def plan_template(profile: Profile, machine: Machine, stores: Stores) -> StorePlan | None:
    """Update the template of the image's line to match the profile; None if no image is built.

    Must be called after the variables are planned, since the template refers to them as ``@NAME@``
    (``root=@GRUB_DEVICE@ ... initgrub quiet ...``).
    """
    file = machine.file(SE_TEMPLATE)
    document = machine.document(GRUB_DEFAULT, GrubDefault)
    enabled = None if document is None else document.get(_ENABLE)
    if file is None or enabled is None or enabled.value not in _YES:
        return None
    store = Store(StoreKind.PARMFILE, SE_TEMPLATE)
    stores.add(store, file.text)
    location = Location(file.path, 1)
    line = ParameterLine(_IMAGE_LINE, location, (store,), lambda: _filled(stores, store))
    before = stores.line(_filled(stores, store, found=True))
    fulfil_line(stores, line, profile.requirements)
    after = stores.line(line.joined())
    changed = stores.text(store) != file.text
    return edited_store(profile, _IMAGE_LINE, location, before, after)._replace(
        status=StoreStatus.CHANGE if changed else StoreStatus.UNCHANGED,
        note="" if changed or before.text == after.text else f"follows {GRUB_DEFAULT}",
    )


def _filled(stores: Stores, template: Store, *, found: bool = False) -> str:
    """Return the template with the variables' values, found or planned, and without other names."""
    text = stores.found if found else stores.text
    values = {store.section: text(store) or "" for store in (LINUX, LINUX_DEFAULT)}
    return re.sub(_PLACEHOLDER, lambda match: values.get(match[1], ""), text(template) or "")
