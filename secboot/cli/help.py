"""The end of ``--help``: examples, exit codes, and where to read more.

The manual page and the documentation are generated from the same tables (``packaging/generate``).
"""

from __future__ import annotations

from secboot.errors import ExitCode

MEANINGS = {
    ExitCode.OK: "Done, or nothing to do.",
    ExitCode.REFUSED: "Refused or failed before any file was changed.",
    ExitCode.USAGE: "Usage error, or an invalid profile or boot file.",
    ExitCode.ROLLED_BACK: "Failed and rolled back: the machine is as before.",
    ExitCode.STUCK: "ROLLBACK FAILED: do not re-IPL yet.",
    ExitCode.DIFFERENCE: "Differences found, or a check failed.",
    ExitCode.UNREPORTED: "The change was made, but its report could not be written.",
    ExitCode.BUG: "A bug in secboot.",
    ExitCode.INTERRUPTED: "Interrupted; a change that had begun was rolled back.",
}
"""The state of the machine after each exit code."""

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("secboot plan guest", "show what would change on this machine"),
        ("secboot apply guest", "change it and run zipl"),
        ("secboot status guest", "show how far the change has progressed"),
        ("secboot rollback", "undo the change"),
        ("secboot demo machine", "make a sample machine; use it with --root machine"),
    ),
    "init": (
        ("secboot init --root /mnt/image --dry-run", "show what it would write"),
        ("secboot init --root /mnt/image", "write it to the tree of an image"),
    ),
    "plan": (
        ("secboot plan guest", "plan for this machine"),
        ("secboot plan guest --root /mnt/image", "plan for the tree of an image"),
        ("secboot plan guest --out guest.plan", "save it for secboot apply guest.plan"),
    ),
    "apply": (
        ("secboot apply guest", "change this machine and run zipl"),
        ("secboot apply guest --dry-run", "show what would change"),
        ("secboot apply guest --ask", "show the plan and ask first"),
        ("secboot apply guest.plan", "follow a plan of secboot plan --out"),
        ("secboot apply guest --trial", "try it for one reboot"),
        ("secboot apply guest --root /mnt/image", "change the tree of an image"),
    ),
    "confirm": (
        ("secboot confirm", "keep the change after the reboot"),
        ("secboot confirm --stage effective", "only if the kernel honours it"),
    ),
    "set": (
        ("secboot set nosmt loglevel=4 quiet-", "set two, remove one"),
        ("secboot set console-=ttyS0 console+=ttyS1", "replace one of several values"),
        ("secboot set console- console=ttysclp0", "replace all values"),
        ("secboot set nosmt --dry-run", "show what would change"),
        ("secboot set nosmt --show-profile", "print the same as a profile"),
    ),
    "status": (
        ("secboot status guest", "show how far the profile has progressed"),
        ("secboot status guest -o json", "the same, for secboot fleet"),
    ),
    "verify": (
        ("secboot verify guest", "check every stage after the reboot"),
        ("secboot verify guest --stage installed", "check before the reboot"),
    ),
    "fleet": (
        ("secboot fleet reports --html fleet.html", "all machines, and an HTML page"),
        ("secboot fleet reports --problems", "only machines with a problem"),
    ),
    "rollback": (
        ("secboot rollback", "undo the newest change"),
        ("secboot rollback --dry-run", "show what that would change"),
        ("secboot rollback 3", "undo checkpoint 3 (see secboot history)"),
    ),
    "keep": (("secboot keep", "run it after a kernel was installed"),),
    "history": (
        ("secboot history", "list all changes"),
        ("secboot history 3", "show checkpoint 3 with its changes"),
    ),
    "show": (("secboot show --root /mnt/image", "show the boot entries of an image"),),
    "check": (
        ("secboot check", "report what zipl would refuse"),
        ("secboot check --fix --dry-run", "show what can be repaired, as a diff"),
        ("secboot check --fix", "repair it and run zipl"),
    ),
    "check-domain": (
        ("secboot check-domain guest.xml", "check a file"),
        ("secboot check-domain -", "check the output of virsh dumpxml"),
    ),
    "explain": (
        ("secboot explain zipl.bls-same-version", "explain a finding"),
        ("secboot explain installed.swiotlb", "explain a check of secboot verify"),
        ("secboot explain 3", "explain an exit code"),
        ("secboot explain --list", "list all codes"),
    ),
    "export": (("secboot export guest --format kickstart", "lines for a kickstart file"),),
    "demo": (("secboot demo machine", "then: secboot plan guest --root machine"),),
    "completion": (("secboot completion bash", "print the script for bash"),),
    "profile": (
        ("secboot profile list", "list the profiles"),
        ("secboot profile show guest", "show one, with all that it extends"),
        ("secboot profile validate site.yaml", "check a file"),
    ),
}
"""Commands that can be typed as shown, for each verb, and what each does; "" is secboot itself."""

_CODES = {
    "plan": (0, 1, 2, 5),
    "init": (0, 1, 2, 3, 4, 6),
    "apply": (0, 1, 2, 3, 4, 6),
    "confirm": (0, 1, 2, 3, 4, 6),
    "set": (0, 1, 2, 3, 4, 6),
    "rollback": (0, 1, 2, 3, 4, 6),
    "keep": (0, 1, 2, 3, 4, 6),
    "verify": (0, 1, 2, 5),
    "check": (0, 1, 2, 3, 4, 5, 6),
    "check-domain": (0, 1, 2, 5),
    "fleet": (0, 1, 2, 5),
}
_SIMPLE = (0, 1, 2)
_KEEP_LINES = "\b"
"""Tells Typer not to fill the paragraph."""


def epilog(verb: str) -> str:
    """Return the end of the help for a verb, or for secboot itself ("")."""
    examples = EXAMPLES.get(verb, ())
    width = max((len(command) for command, _ in examples), default=0)
    lines = [f"  {command:<{width}}  {what}" for command, what in examples]
    codes = [ExitCode(code) for code in _CODES.get(verb, _SIMPLE)] if verb else list(ExitCode)
    parts = [
        *([_KEEP_LINES, "Examples:", *lines, ""] if lines else []),
        _KEEP_LINES,
        "Exit codes:",
        *(f"  {code:>3}  {MEANINGS[code]}" for code in codes),
        "",
        "More in the manual: man secboot, and man secboot-profile for profiles.",
    ]
    return "\n".join(parts)
