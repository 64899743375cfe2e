"""Whether a guest stays in Secure Execution: what its next IPL starts, and with which kernel.

A guest in Secure Execution mode boots an IBM Secure Execution image, and a kernel update adds a
plain kernel image next to it. Nothing fails then, but the next IPL leaves Secure Execution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_release import release_in_name
from secboot.ipl.installed_kernels import InstalledKernel, newest_release, version_of
from secboot.ipl.next_ipl import is_meant_secure, is_or_can_be_secure
from secboot.named_tuple import NamedTuple
from secboot.visible import visible
from secboot.zipl.order import rpm_version_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.ipl.next_ipl import Choice, EntryState, NextIpl, Renewal
    from secboot.machine.discovery import Machine
    from secboot.zipl.entry import BootEntry

UNSEALED_DEFAULT = "unsealed-default"
"""The code of the finding that the next IPL leaves Secure Execution."""
UNSEALED_ENTRY = "unsealed-entry"
UNSEALED_AFTER_ZIPL = "unsealed-after-zipl"
SECURE_UNKNOWN = "secure-default-unknown"
IMAGE_OUTDATED = "image-outdated"
IMAGE_UNCLEAR = "image-unclear"
OF_THE_SECURE_GUEST = frozenset(
    {
        *(UNSEALED_DEFAULT, UNSEALED_ENTRY, UNSEALED_AFTER_ZIPL, SECURE_UNKNOWN),
        *(IMAGE_OUTDATED, IMAGE_UNCLEAR),
    }
)
"""The codes of `findings`."""
_NAMED = 3
_ITSELF = "according to the image"


class _Release(NamedTuple):
    """The release of a kernel, and in words how it is known."""

    text: str
    known_by: str


def findings(machine: Machine, found: NextIpl) -> Iterator[Finding]:
    """Yield what takes the system out of Secure Execution, or keeps it on an old kernel.

    Nothing for a system that is not in Secure Execution and has no boot entry for it.
    """
    if is_meant_secure(machine, found):
        yield from _default(machine, found)
        yield from _others(found)
        yield from _outdated(machine, found)
        yield from _unclear(machine, found)


def leaves_by_files(machine: Machine, found: NextIpl) -> EntryState | None:
    """Return the boot files' default entry if it takes the system out of Secure Execution.

    This is what starts after zipl, or the program that generates zipl's configuration, has run.
    None if the system is not in Secure Execution and has no image for it.
    """
    default = _by_files(found)
    if default is None or not is_or_can_be_secure(machine, found):
        return None
    secure = default.secure if found.renewal is None else found.renewal.secure
    return default if secure is False else None


def _by_files(found: NextIpl) -> EntryState | None:
    return next((each for each in found.entries if each.is_default), None)


def _default(machine: Machine, found: NextIpl) -> Iterator[Finding]:
    starts, by_files = found.default, _by_files(found)
    leaves = leaves_by_files(machine, found)
    meant = _meant(machine, found)
    if starts is not None and starts.secure is False:
        name = _started(starts)
        message = f"the next IPL starts {name}, a plain kernel image, by default; {meant}"
        yield Finding(UNSEALED_DEFAULT, Severity.ERROR, message, starts.location)
    elif starts is None and by_files is not None and by_files.secure is False:
        message = f"the default in the boot files is {_of(by_files)}, a plain kernel image; {meant}"
        yield Finding(UNSEALED_DEFAULT, Severity.ERROR, message, by_files.location)
    elif starts is not None and starts.secure is None:
        message = "it is unknown whether the next IPL starts in Secure Execution"
        yield Finding(SECURE_UNKNOWN, Severity.WARNING, f"{message}; {meant}")
    elif leaves is not None and found.renewal is None:
        message = f"after zipl runs, the default is {_of(leaves)}, a plain kernel image; {meant}"
        yield Finding(UNSEALED_AFTER_ZIPL, Severity.WARNING, message, leaves.location)
    if found.renewal is not None and not found.renewal.secure:
        yield from _renewed(found.renewal, meant)


def _renewed(renewal: Renewal, meant: str) -> Iterator[Finding]:
    """Report a program whose next run makes, or may make, a plain kernel image the default."""
    if renewal.secure is None:
        message = f"it is unknown whether {renewal.program} builds a Secure Execution image"
        yield Finding(SECURE_UNKNOWN, Severity.WARNING, f"{message}: {renewal.reason}")
        return
    message = f"the next run of {renewal.program} makes a plain kernel image the default"
    message += f": {renewal.reason}; {meant}"
    yield Finding(UNSEALED_AFTER_ZIPL, Severity.WARNING, message)


def _started(choice: Choice) -> str:
    name = _named(choice.title, choice.kernel)
    return f"{name} through '{visible(choice.through)}'" if choice.through else name


def _meant(machine: Machine, found: NextIpl) -> str:
    """Return why this system should be in Secure Execution, with the entry for it."""
    secure = next((e for e in found.entries if e.secure and (e.entry or e.image)), None)
    running = "this system is in Secure Execution" if machine.secure_guest else ""
    if secure is not None:
        return f"{running + ', and ' if running else ''}{_of(secure)} is the Secure Execution image"
    if found.renewal is not None and found.renewal.wanted:
        return running or f"{found.renewal.program} is configured to build a Secure Execution image"
    return running or "a Secure Execution image exists to be booted"


def _others(found: NextIpl) -> Iterator[Finding]:
    """Report plain kernel images that can be selected; the default has its own finding."""
    if found.choices:
        names = [_named(c.title, c.kernel) for c in found.choices if _can_leave(c)]
    else:
        states = [each for each in found.entries if each.number is not None and _can_leave(each)]
        names = [_of(each) for each in states]
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        message = f"a plain kernel image can be selected at IPL: {', '.join(names[:_NAMED])}"
        yield Finding(UNSEALED_ENTRY, Severity.WARNING, message + more)


def _can_leave(each: Choice | EntryState) -> bool:
    return each.secure is False and not each.is_default


def _of(state: EntryState) -> str:
    image = None if state.entry is None or state.entry.image is None else state.entry.image.path
    return _named(state.name, image or state.image)


def _named(title: str, kernel: str | None) -> str:
    quoted = f"'{visible(title)}'" if title else "the program in the boot record"
    return quoted if kernel is None else f"{quoted} ({visible(kernel)})"


def _outdated(machine: Machine, found: NextIpl) -> Iterator[Finding]:
    """Compare the kernel in each image with the newest installed one.

    An image of a first system, which starts any installed kernel, does not become outdated.
    """
    newest = newest_release(machine)
    if newest is None or newest.release is None:
        return
    seen = set()
    for state in found.entries:
        if state.image is None or state.note or state.image in seen:
            continue
        seen.add(state.image)
        release = _release(machine, state.entry, state.image)
        reason = _is_older(machine, state.image, release, newest)
        if reason is None:
            continue
        installed = f"kernel {visible(newest.release)} is installed"
        if (
            release is not None
            and release.known_by != _ITSELF
            and _is_later(machine, state, newest)
        ):
            message = (
                f"{installed}, and {reason}; but the image was built after the ramdisk of that kernel,"
                " so it is unknown which of the two it contains"
            )
            yield Finding(IMAGE_OUTDATED, Severity.NOTE, message, state.location)
        else:
            message = f"{installed}, but {reason}: rebuild the image"
            yield Finding(IMAGE_OUTDATED, Severity.WARNING, message, state.location)


def _is_later(machine: Machine, state: EntryState, newest: InstalledKernel) -> bool:
    """Whether the image was built after the newest kernel was installed.

    The ramdisk is built at installation; the time of the kernel file is that of its package.
    """
    image = machine.facts.get(state.image or "")
    ramdisk = machine.facts.get(newest.ramdisk or "")
    return image is not None and ramdisk is not None and 0 < ramdisk.modified < image.modified


def _unclear(machine: Machine, found: NextIpl) -> Iterator[Finding]:
    """Report images that can't start, or that have an unknown format."""
    seen = set()
    for state in found.entries:
        image = None if state.image is None else machine.images[state.image].secure
        if image is None or state.image in seen or not (image.damaged or image.later):
            continue
        seen.add(state.image)
        what = "it can't start" if image.damaged else "its content is unknown"
        message = f"{visible(state.image or '')} is a Secure Execution image, but {image.unsure}"
        yield Finding(IMAGE_UNCLEAR, Severity.WARNING, f"{message}: {what}", state.location)


def _is_older(
    machine: Machine, path: str, release: _Release | None, newest: InstalledKernel
) -> str | None:
    """Return how it is known that an image contains an older kernel; None if unknown."""
    if release is not None:
        if rpm_version_key(newest.release or "") <= rpm_version_key(release.text):
            return None
        return f"{visible(path)} contains {visible(release.text)} ({release.known_by})"
    image, kernel = machine.facts.get(path), machine.facts.get(newest.path)
    if image is None or kernel is None or kernel.modified <= image.modified:
        return None
    return f"{visible(path)} is older than that file"


def _release(machine: Machine, entry: BootEntry | None, path: str) -> _Release | None:
    """Return the release of the kernel in an image, from the most reliable source."""
    image = machine.images[path].secure
    if image is not None and image.release is not None:
        return _Release(image.release, _ITSELF)
    named = release_in_name(machine.kernel_files.target(path))
    if named is not None:
        return _Release(named, "according to its name")
    version = None if entry is None else version_of(entry)
    known_by = "according to the version of its boot entry"
    return None if version is None else _Release(version, known_by)
