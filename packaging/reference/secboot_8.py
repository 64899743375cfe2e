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
`secboot` sets the kernel parameters that IBM Secure Execution for Linux needs: `prot_virt=1` on a
KVM host, and a bounce buffer (`swiotlb=262144`) in a guest. A profile says what a machine shall be;
`secboot` shows the difference, makes the change so that it cannot half-happen, runs zipl(8), and can
go back.""",
    """\
It reads zipl.conf(5), parameter files and Boot Loader Specification entries as zipl does, and the
parameter line as the kernel does. Only the bytes that have to change are changed. Each change is one
transaction: at every instant, across a crash or power loss too, each file is the old or the new one,
and the next run of `secboot` finishes or undoes the rest.""",
    """\
Where standard error is a terminal, a command that takes longer than a second shows what it is doing and
how far it has come, on one line that is gone at the end; not so with JSON output.""",
    """\
IBM says of the two files /sys/firmware/uv/prot_virt_host and prot_virt_guest: "indications, but do not
prove"; they are for technical evaluations in trusted environments. Proof takes attestation, not `secboot`.""",
)

_ENVIRONMENT = (
    ("ZIPLCONF", "The path of zipl.conf, as for zipl; heeded for the running system only."),
    ("NO_COLOR", "With any value, nothing is coloured, unless `--color` says otherwise."),
    ("CLICOLOR_FORCE, FORCE_COLOR", "With any value but 0, colour is not for terminals only."),
    ("TERM", "With dumb, ibm327x or nothing, no progress is shown."),
    ("SECBOOT_DEBUG", "With any value, the same as `--debug`."),
)

_FILES = (
    (f"{SEARCH_PATH[0]}/*.yaml, *.yml", "The profiles of this site; see `secboot-profile`(5)."),
    (f"{SEARCH_PATH[1]}/*.yaml, *.yml", "The profiles of the distribution."),
    ("/var/lib/secboot", "Checkpoints: what was changed, with the files as they were before."),
    (
        "/etc/zipl.conf, /boot/loader/entries/*.conf",
        "The boot configuration that zipl reads; it may lie elsewhere, see zipl.conf(5).",
    ),
)

_EXAMPLES = (
    ("What would have to change for this machine to be a guest, and why:", "secboot plan guest"),
    ("Change it, run zipl, and go back:", "secboot apply guest\nsecboot rollback"),
    ("The same for the tree of an image:", "secboot apply guest --root /mnt/image"),
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
