"""The manual page secboot(8)."""

from __future__ import annotations

from reference import roff
from reference.commands import Command, commands, exit_codes, global_options
from secboot import __version__
from secboot.profile.search import SEARCH_PATH

DATE = "2026-11-23"
"""Of the release that the pages are for; raise it with the version."""
MANUAL = "IBM Z boot configuration"

_DESCRIPTION = (
    """\
`secboot` manages the kernel parameters that IBM Secure Execution for Linux needs: `prot_virt=1` on a
KVM host, and a bounce buffer (`swiotlb=262144`) in a guest. A profile describes the state a machine
should have. `secboot` shows the difference, applies it all-or-nothing, runs zipl(8), and can roll
back.""",
    """\
It reads zipl.conf(5), parameter files and Boot Loader Specification entries as zipl does, and the
parameter line as the kernel does. It changes only the bytes that must change. Each change is one
transaction: at any moment, also across a crash or power loss, each file is either the old or the new
one, and the next `secboot apply` or `secboot rollback` undoes an interrupted change.""",
    """\
If standard error is a terminal, a command that takes longer than a second shows a progress line, which
is erased when done. There is none with JSON output.""",
    """\
IBM says of the two files /sys/firmware/uv/prot_virt_host and prot_virt_guest: "indications, but do not
prove"; they are for technical evaluations in trusted environments. Proof requires attestation, not `secboot`.""",
)

_ENVIRONMENT = (
    ("ZIPLCONF", "Path of zipl.conf, as for zipl; used for the running system only."),
    ("NO_COLOR", "With any value, output has no colour, unless `--color` says otherwise."),
    (
        "CLICOLOR_FORCE, FORCE_COLOR",
        "With any value but 0, output has colour even if it is not a terminal.",
    ),
    ("TERM", "If it is dumb, ibm327x or not set, no progress is shown."),
    ("SECBOOT_DEBUG", "With any value, the same as `--debug`."),
)

_FILES = (
    (f"{SEARCH_PATH[0]}/*.yaml, *.yml", "Profiles of this site; see `secboot-profile`(5)."),
    (f"{SEARCH_PATH[1]}/*.yaml, *.yml", "Profiles of the distribution."),
    ("/var/lib/secboot", "Checkpoints: what was changed, with the old files."),
    (
        "/etc/zipl.conf, /boot/loader/entries/*.conf",
        "The boot configuration that zipl reads; for other places see zipl.conf(5).",
    ),
)

_EXAMPLES = (
    ("Show what would change on this machine for a guest, and why:", "secboot plan guest"),
    ("Change it and run zipl, then roll back:", "secboot apply guest\nsecboot rollback"),
    ("The same for an image tree:", "secboot apply guest --root /mnt/image"),
    ("Try it on any machine:", "secboot demo machine\nsecboot show --root machine"),
)

_PAGES = (("secboot-profile", 5), ("zipl", 8), ("zipl.conf", 5), ("kernel-command-line", 7))


def page() -> str:
    """Return the whole page."""
    every = commands()
    parts = [
        roff.title("secboot", 8, DATE, f"secboot {__version__}", MANUAL),
        roff.heading("name"),
        "secboot \\- declarative boot configuration for IBM Secure Execution\n",
        roff.heading("synopsis"),
        ".B secboot\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n",
        roff.heading("description"),
        *map(roff.paragraph, _DESCRIPTION),
        roff.heading("options"),
        *(roff.item(each.written, each.help) for each in global_options()),
        roff.item("-h, --help", "Print help for the program or for a command, and exit."),
        roff.heading("commands"),
        *(_command(each) for each in every),
        roff.heading("exit status"),
        *(roff.item(str(code), text) for code, text in exit_codes()),
        roff.heading("environment"),
        *(roff.item(name, text) for name, text in _ENVIRONMENT),
        roff.heading("files"),
        *(roff.item(path, text) for path, text in _FILES),
        roff.heading("examples"),
        *(roff.paragraph(text) + roff.verbatim(lines) for text, lines in _EXAMPLES),
        roff.see_also(_PAGES),
    ]
    return roff.page(parts)


def _command(command: Command) -> str:
    parts = [
        roff.subheading(f"secboot {command.name} {command.synopsis}"),
        f"{roff.inline(command.help)}\n",
    ]
    parts += [roff.item(each.written, each.help) for each in command.parameters]
    if command.examples:
        parts += [
            roff.paragraph("Examples:"),
            roff.verbatim("\n".join(typed for typed, _ in command.examples)),
        ]
    return "".join(parts)
