"""Run the real kiwi in a separate process: it leaves files open and changes loggers.

Standard input is a JSON list of image descriptions. The last line of standard output has for each
of them how kiwi reads it: ``{"line": ..., "entry": ...}``, the kernel command line and the text of the
boot entry that it would write for zipl (null for types that have none), or ``{"refused": ...}``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from kiwi.bootloader.config import create_boot_loader_config
from kiwi.exceptions import KiwiDescriptionInvalid
from kiwi.xml_description import XMLDescription
from kiwi.xml_state import XMLState


def answer(description: str, directory: Path) -> dict[str, str | None]:
    path = directory / "config.xml"
    path.write_text(description)
    try:
        # Loading is validation, by the RelaxNG schema and its Schematron rules.
        state = XMLState(XMLDescription(str(path)).load())
    except KiwiDescriptionInvalid as error:
        return {"refused": str(error)}
    entry = boot_entry(state, directory) if state.build_type.get_bootloader() else None
    return {"line": state.build_type.get_kernelcmdline(), "entry": entry}


def boot_entry(state: XMLState, directory: Path) -> str:
    """The entry as written by kiwi's own code and template, without a disk."""
    root = directory / "root"
    for part in ("boot/loader/entries", "etc", "lib/modules/6.4.0"):
        (root / part).mkdir(parents=True)
    (root / "etc/os-release").write_text("ID=sles\n")
    (root / "boot/vmlinuz-6.4.0").touch()
    loader = create_boot_loader_config(
        name="zipl",
        xml_state=state,
        root_dir=str(root),
        boot_dir=str(root),
        custom_args={
            "targetbase": "/dev/loop0",
            "kernel": "vmlinuz-6.4.0",
            "initrd": "initrd-6.4.0",
            "secure_linux": False,
        },
    )
    loader._get_partition_start = lambda: "2048"
    loader.write_meta_data(boot_options=loader.get_boot_cmdline("/dev/vda1"))
    loader.set_loader_entry(str(root), "disk")
    (entry,) = (root / "boot/loader/entries").iterdir()
    return entry.read_text()


def main() -> None:
    answers = []
    for description in json.load(sys.stdin):
        with tempfile.TemporaryDirectory() as directory:
            answers.append(answer(description, Path(directory)))
    sys.stdout.write(f"\n{json.dumps(answers)}\n")


if __name__ == "__main__":
    main()
