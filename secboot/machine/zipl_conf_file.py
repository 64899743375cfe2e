"""Finds zipl's configuration where zipl looks for it, or reports that it does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.finding import Finding, Severity
from secboot.invocation import Invocation
from secboot.machine.installed_zipl import USUAL_TARGET
from secboot.visible import visible
from secboot.zipl.configuration import ConfFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.machine.boot_files import BootFiles
    from secboot.machine.sources import Sources, Unclear
    from secboot.system.root import Root

ZIPL_CONF_PATHS = (
    "/run/zipl/zipl.conf",
    "/etc/zipl.conf",
    "/usr/lib/s390-tools/zipl.conf",
    "/lib/s390-tools/zipl.conf",
)
"""Where zipl looks; the first readable file is used (zipl/src/job.c, get_job_from_config_file)."""
MODULES = ("/usr/lib/modules", "/lib/modules")
"""The directories that have one for each installed kernel."""
_TRY_DEMO = "to try secboot on this computer: secboot demo DIR, then add --root DIR"


NO_ENTRY_YET = "no boot entries and no kernel yet"


class NoConfigurationError(RefusedError):
    """A zipl configuration was not found."""


def no_zipl_conf(path: str, hint: str) -> Finding:
    """Return the finding that zipl can't use the boot entries yet; `path` is its configuration's."""
    message = f"{path} does not exist yet; without it, zipl does not write the boot record"
    return Finding("no-zipl-conf", Severity.WARNING, message, hint=hint)


def can_be_judged(root: Root, environment: Mapping[str, str] | None) -> bool:
    """Whether a machine without a zipl configuration has a boot record, or runs on IBM Z."""
    if root.stat(f"{USUAL_TARGET}/bootmap") is not None:
        return True
    return environment is not None and "IBM/S390" in (root.text_or_none("/proc/cpuinfo") or "")


def read_conf(
    root: Root,
    files: BootFiles,
    sources: Sources,
    environment: Mapping[str, str],
    *,
    has_bls: bool,
) -> ConfFile:
    """Return the configuration that zipl reads; an empty one if a program has yet to write it."""
    path = sources.conf_path
    if path is None:
        path = _find_conf(root, sources, environment, files.changed, has_bls=has_bls)
    if (sources.generated or sources.otherwise) and not (
        path in files.changed or root.exists(path)
    ):
        return sources.otherwise or ConfFile(path, "")
    conf = files.read(path)
    return ConfFile(conf.path, conf.text)


def _find_conf(
    root: Root,
    sources: Sources,
    environment: Mapping[str, str],
    changed: Mapping[str, bytes | None],
    *,
    has_bls: bool,
) -> str:
    named = environment.get("ZIPLCONF")
    if named is not None:
        if not root.is_readable(named):
            raise RefusedError(
                "the file that ZIPLCONF names can't be read",
                location=Location(visible(named)),
                hint="correct the environment variable ZIPLCONF, or unset it",
            )
        return named
    found = next((p for p in ZIPL_CONF_PATHS if p in changed or root.is_readable(p)), None)
    if found is not None:
        return found
    unreadable = next((path for path in ZIPL_CONF_PATHS if root.exists(path)), None)
    if unreadable is not None:
        root.read_bytes(unreadable)  # raises the error that says why
    if sources.generated or (sources.otherwise and has_bls):
        return ZIPL_CONF_PATHS[1]
    raise _no_configuration(root, sources.unclear, has_bls=has_bls)


def _no_configuration(
    root: Root, unclear: Unclear | None, *, has_bls: bool
) -> NoConfigurationError:
    shown = shown_base(root)
    init = Invocation.on(shown).command("init")
    if not _is_system(root):
        return _not_a_system(root)
    if unclear is not None:
        return NoConfigurationError(
            f"no zipl configuration found in {shown}, and {unclear.reason}", hint=unclear.hint
        )
    if has_bls:
        return NoConfigurationError(
            f"{shown} has BLS entries but no zipl configuration: it uses another boot loader (GRUB?)",
            hint="secboot only manages machines that boot with zipl (s390x)\n"
            + ("" if _has_grub(root) else f"to write the first zipl.conf: {init}\n")
            + _TRY_DEMO,
        )
    hints = ["zipl searches for " + ", ".join(ZIPL_CONF_PATHS[:3])]
    if any(name.startswith("vmlinuz") for name in root.names_or_none("/boot") or ()):
        hints.append(f"to write the first one: {init}")
    elif any(root.names_or_none(each) for each in MODULES):
        hints.append("kernels are installed, but /boot has none: check whether it is mounted")
    return NoConfigurationError(
        f"no zipl configuration found in {shown}", hint="\n".join([*hints, _TRY_DEMO])
    )


def _has_grub(root: Root) -> bool:
    return any(root.stat(f"/boot/{name}") is not None for name in ("efi", "grub", "grub2"))


def require_system(root: Root) -> None:
    """Raise NoConfigurationError unless this is a Linux system; it may not be mounted yet."""
    if not _is_system(root):
        raise _not_a_system(root)


def _is_system(root: Root) -> bool:
    return root.stat("/boot") is not None or root.stat("/etc") is not None


def _not_a_system(root: Root) -> NoConfigurationError:
    return NoConfigurationError(
        f"{shown_base(root)} is not the root directory of a Linux system: it has neither /etc nor /boot",
        hint="specify the root directory of the system: --root DIR",
    )


def shown_base(root: Root) -> str:
    """Return the path of a root directory without a slash at the end."""
    return root.shown("/").rstrip("/") or "/"
