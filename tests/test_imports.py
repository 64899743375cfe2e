"""What a command imports: start-up time matters in loops and hooks, and grows import by import.

The test checks the sets, not the time, which differs between machines; ``docs/performance.md``
explains them. If a set shrinks, shorten it here as well.
"""

from __future__ import annotations

import lzma
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from secboot.demo import write_sample
from tests.available import unavailable

ROOT = Path(__file__).parent.parent
BOOTMAP = ROOT / "tests/data/bootmaps/2.40.0-scsi-512-bls.xz"
LIST_MODULES = """
import sys
before = set(sys.modules)
from secboot.cli import main
status = main(sys.argv[1:])
print(*sorted(set(sys.modules) - before), file=sys.stderr)
sys.exit(status)
"""
COMMAND_LINE = {"cli", "errors", "named_tuple", "visible"}
READING = {
    *("checkpoint", "formats", "ipl", "kernel", "layout", "lines", "machine", "plan", "profile"),
    *("digest", "finding", "invocation", "progress", "report", "system", "zipl"),
}
_COSTLY = {
    *("asyncio", "base64", "dataclasses", "email", "hashlib", "json", "logging", "rich", "socket"),
    *("tempfile",),
}
"""Modules that take milliseconds to import and that no command needs in general."""


def modules(*words: str, program: str = LIST_MODULES, **environment: str) -> set[str]:
    """The modules that a command imports, except those that Python imports at start."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def packages(found: set[str]) -> set[str]:
    """The packages of secboot, and the modules next to them."""
    return {name.split(".")[1] for name in found if name.startswith("secboot.")}


def others(found: set[str]) -> set[str]:
    """Everything that is neither secboot nor in Python's library."""
    names = {name.partition(".")[0] for name in found}
    return names - sys.stdlib_module_names - {"secboot"}


BY_TYPER = modules(
    program="import sys; before = set(sys.modules); import typer, typer.core;"
    " print(*set(sys.modules) - before, file=sys.stderr)"
)
"""What Typer itself imports: before 0.16 Rich, if it is installed; since 0.29 pydantic."""
TYPER = {"shellingham", *others(BY_TYPER)}
COSTLY = _COSTLY - BY_TYPER


def test_the_typer_that_dev_installs_is_lean() -> None:
    if not (0, 26) <= tuple(map(int, metadata.version("typer").split(".")[:2])) < (0, 29):
        unavailable("this Typer is another one than packaging/pyz.lock names")
    assert {"annotated_doc", "shellingham", "typer"} == TYPER
    assert COSTLY == _COSTLY


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sample machine, with a boot record written by zipl."""
    directory = tmp_path_factory.mktemp("machine")
    write_sample(directory)
    (directory / "boot/bootmap").write_bytes(lzma.decompress(BOOTMAP.read_bytes()))
    return str(directory)


def test_the_version_takes_one_module_of_secboot() -> None:
    found = modules("--version")

    assert packages(found) == {"cli"}
    assert {name for name in found if name.startswith("secboot.cli.")} == set()
    assert others(found) == set()
    assert not found & {"re", "enum", "typing", "dataclasses", "pathlib"}


def test_the_help_takes_the_options_of_all_verbs_and_nothing_that_they_run() -> None:
    found = modules("--help")

    assert packages(found) == COMMAND_LINE | {"export"}
    assert {name for name in found if name.startswith("secboot.export.")} == {
        "secboot.export.names"
    }
    assert others(found) == TYPER
    assert not found & COSTLY


@pytest.mark.parametrize("verb", ["plan", "apply", "show", "status", "profile"])
def test_the_help_of_a_verb_takes_no_other_verb(verb: str) -> None:
    found = modules(verb, "--help")

    assert packages(found) == COMMAND_LINE
    assert others(found) == TYPER
    assert not found & COSTLY


def test_a_completion_takes_the_options_of_one_verb_and_not_rich() -> None:
    """Typer's own answer imports Rich, if it is installed, which doubles the time of each Tab."""
    found = modules(
        _SECBOOT_COMPLETE="complete_fish",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
        _TYPER_COMPLETE_ARGS="secboot plan --ro",
    )

    assert packages(found) == COMMAND_LINE
    assert others(found) == TYPER
    assert not found & COSTLY


def test_a_plan_takes_what_reads_and_nothing_that_writes(machine: str) -> None:
    found = modules("plan", "guest", "--root", machine)

    assert packages(found) == COMMAND_LINE | READING
    # A shipped profile is parsed when secboot is built.
    assert others(found) == TYPER
    assert not found & COSTLY
    # The machine has the layout of one distribution, and boots no Secure Execution image.
    assert {name for name in found if name.startswith("secboot.layout.")} == {
        f"secboot.layout.{name}"
        for name in ("detect", "layout", "recognition", "red_hat", "suse_files")
    }
    assert "secboot.machine.material_search" not in found
    # The profile names swiotlb only, and requires a size; no parameter line is in two files.
    assert not found & {
        *(f"secboot.profile.{name}" for name in ("generic", "image", "occurrences", "prot_virt")),
        *("secboot.lines.joined", "secboot.system.programs", "shlex"),
    }
    # Without a state directory, nothing reads checkpoints.
    assert {name for name in found if name.startswith("secboot.checkpoint.")} == {
        "secboot.checkpoint.state_directory"
    }


@pytest.mark.parametrize("verb", ["show", "check"])
def test_what_takes_no_profile_takes_nothing_that_reads_or_plans_one(
    verb: str, machine: str
) -> None:
    found = modules(verb, "--root", machine)

    assert others(found) == TYPER
    assert not found & COSTLY


def test_the_status_of_a_tree_takes_nothing_about_a_reboot(machine: str) -> None:
    found = modules("status", "guest", "--root", machine)

    assert not {name for name in found if name.startswith("secboot.ipl.reboot")}
    assert others(found) == TYPER


def test_an_explanation_takes_nothing_that_reads_or_plans() -> None:
    for words in (["explain", "3", "zipl.bls-same-version"], ["explain", "--list"]):
        found = modules(*words)

        assert packages(found) == COMMAND_LINE | {"finding", "report"}
        assert {name for name in found if name.startswith("secboot.report.")} == {
            "secboot.report.explain",
            "secboot.report.style",
        }
        assert others(found) == TYPER
        assert not found & COSTLY


def test_check_domain_imports_the_parser_of_xml_beside() -> None:
    found = modules("check-domain", str(ROOT / "tests/data/domains/launch-security.xml"))

    assert others(found) == TYPER | {"defusedxml"}
    assert packages(found) == COMMAND_LINE | {"domain", "finding", "formats", "report"}
    assert not found & COSTLY
