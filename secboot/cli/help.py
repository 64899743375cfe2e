"""What ``--help`` says beyond the options: examples, exit codes, where to read on.

The manual page and the documentation are made from the same tables (``packaging/generate``).
"""

from __future__ import annotations

from secboot.errors import ExitCode

MEANINGS = {
    ExitCode.OK: "Done, or nothing to do.",
    ExitCode.REFUSED: "Refused or failed; nothing was changed.",
    ExitCode.USAGE: "Wrong usage, or a profile or boot file that can't be read as such.",
    ExitCode.ROLLED_BACK: "Failed half-way and rolled back: the machine is as before.",
    ExitCode.STUCK: "Failed, and rolling back failed too: do not re-IPL yet.",
    ExitCode.DIFFERENCE: "There is a difference, or a check failed.",
    ExitCode.UNREPORTED: "The machine was changed as asked, but the report could not be written.",
    ExitCode.BUG: "A bug in secboot.",
    ExitCode.INTERRUPTED: "Interrupted.",
}
"""In which state the machine is after each exit code."""

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("secboot plan guest", "what would change on this machine"),
        ("secboot apply guest", "change it, and run zipl"),
        ("secboot status guest", "how far the change has got"),
        ("secboot rollback", "undo it"),
        ("secboot demo machine", "a sample machine to try this on, with --root machine"),
    ),
    "init": (
        ("secboot init --root /mnt/image --dry-run", "what it would write into an image"),
        ("secboot init --root /mnt/image", "write it; then apply a profile"),
    ),
    "plan": (
        ("secboot plan guest", "on this machine"),
        ("secboot plan guest --root /mnt/image", "in the tree of an image"),
        ("secboot plan guest --out guest.plan", "for `secboot apply guest.plan`"),
    ),
    "apply": (
        ("secboot apply guest", "change this machine, and run zipl"),
        ("secboot apply guest --dry-run", "show what would change"),
        ("secboot apply guest --ask", "show it, and ask before it is done"),
        ("secboot apply guest.plan", "follow a plan of `secboot plan --out`"),
        ("secboot apply guest --trial", "try it for one reboot"),
        ("secboot apply guest --root /mnt/image", "change the tree of an image"),
    ),
    "confirm": (
        ("secboot confirm", "keep what was tried, after the reboot"),
        ("secboot confirm --stage effective", "if the kernel honours it, too"),
    ),
    "set": (
        ("secboot set nosmt loglevel=4 quiet-", "a name, a value, none of a name"),
        ("secboot set console-=ttyS0 console+=ttyS1", "one value for another"),
        ("secboot set console- console=ttysclp0", "this one and no other"),
        ("secboot set nosmt --dry-run", "show what would change"),
        ("secboot set nosmt --show-profile", "the same as a profile"),
    ),
    "status": (
        ("secboot status guest", "how far the profile has got"),
        ("secboot status guest -o json", "the same for `secboot fleet`"),
    ),
    "verify": (
        ("secboot verify guest", "every stage, after the reboot"),
        ("secboot verify guest --stage installed", "before it"),
    ),
    "fleet": (
        ("secboot fleet reports --html fleet.html", "all machines, and a page"),
        ("secboot fleet reports --problems", "those with a problem"),
    ),
    "rollback": (
        ("secboot rollback", "undo the newest apply"),
        ("secboot rollback --dry-run", "show what that would change"),
        ("secboot rollback 3", "undo that of checkpoint 3, see `secboot history`"),
    ),
    "keep": (("secboot keep", "after a kernel was installed"),),
    "history": (
        ("secboot history", "what was changed here"),
        ("secboot history 3", "all about checkpoint 3"),
    ),
    "show": (("secboot show --root /mnt/image", "the boot entries of an image"),),
    "check": (
        ("secboot check", "what zipl would say about the boot files"),
        ("secboot check --fix --dry-run", "what can be repaired, as a diff"),
        ("secboot check --fix", "repair it, and run zipl"),
    ),
    "check-domain": (
        ("secboot check-domain guest.xml", "a file"),
        ("secboot check-domain -", "what `virsh dumpxml GUEST` is piped into"),
    ),
    "explain": (
        ("secboot explain zipl.bls-same-version", "what a finding means, and what to do"),
        ("secboot explain installed.swiotlb", "a check of `secboot verify`"),
        ("secboot explain 3", "an exit code"),
        ("secboot explain --list", "all of them, with one line each"),
    ),
    "export": (("secboot export guest --format kickstart", "for an installation"),),
    "demo": (("secboot demo machine", "then: secboot plan guest --root machine"),),
    "completion": (("secboot completion bash", "to be put where bash looks for completions"),),
    "profile": (
        ("secboot profile list", "the profiles that can be named"),
        ("secboot profile show guest", "one, with all that it extends"),
        ("secboot profile validate site.yaml", "check a file"),
    ),
}
"""Commands as they can be typed, for each verb, and what each does; "" is secboot itself."""

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
    """Return what stands at the end of the help for a verb, or for secboot itself ("")."""
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
