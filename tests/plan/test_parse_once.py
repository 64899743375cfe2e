"""Each text is parsed once: a plan does not parse what has already been parsed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from secboot.demo import write_sample
from secboot.formats.bls_entry import BlsEntry
from secboot.formats.grub_cfg import GrubCfg
from secboot.formats.grub_default import GrubDefault
from secboot.formats.kernel_cmdline import CommandLine, KernelInstallCmdline
from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_parameters import ZiplenvFile
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import discover
from secboot.machine.profile_files import read_profile
from secboot.plan.planner import make_plan
from secboot.profile.profile import Profile
from secboot.system.root import Root
from tests.layout.suse_programs import make_suse

DOCUMENTS = (
    *(BlsEntry, GrubCfg, GrubDefault, CommandLine, KernelInstallCmdline, ZiplConf, ZiplenvFile),
)


@contextmanager
def counted() -> Iterator[Counter[tuple[str, str]]]:
    """Count the parsed texts by document; the parsers are the real ones."""
    counts: Counter[tuple[str, str]] = Counter()

    def counting(kind: type) -> Callable[..., object]:
        parse = kind.parse  # type: ignore[attr-defined]  # each of the documents has it

        def parsed(text: str, *place: str) -> object:
            counts[kind.__name__, text] += 1
            return parse(text, *place)

        return parsed

    with ExitStack() as stack:
        for kind in DOCUMENTS:
            stack.enter_context(patch.object(kind, "parse", counting(kind)))
        yield counts


def write_demo(path: Path) -> Path:
    write_sample(path)
    return path


def wanted(profile: Profile, line: str | None) -> str:
    (requirement,) = profile.requirements
    return requirement.fulfil(CommandLine.parse(line or "")).text


def write_ostree(path: Path) -> Path:
    write_sample(path)
    (path / "ostree/repo").mkdir(parents=True)
    return path


@pytest.mark.parametrize("profile", ["guest", "host"])
@pytest.mark.parametrize("make", [write_demo, make_suse, write_ostree])
def test_each_distinct_text_is_parsed_once(
    tmp_path: Path, make: Callable[[Path], Path], profile: str
) -> None:
    root = make(tmp_path / "root")
    with Root(root) as tree:
        asked = read_profile(profile, tree)
        with counted() as counts:
            layout = detect_layout(tree)
            machine = discover(tree, layout.sources)
            plan = make_plan(asked, machine, layout, with_zipl=False)

    assert plan.files or plan.steps
    assert len(counts) >= 6
    lines = {entry.parmline for entry in machine.configuration.entries}
    edited = {wanted(asked, line) for line in lines} | {entry.line_after for entry in plan.entries}
    twice = {what: count for what, count in counts.items() if count > 1}
    # Two different lines can become equal, each by its own edit.
    assert {text for _, text in twice} <= edited
    assert all(count <= len(lines) for count in twice.values())
