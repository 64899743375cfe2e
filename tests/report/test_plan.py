"""The text of a plan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.demo import write_sample
from secboot.errors import Location
from secboot.finding import Finding, Severity
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import discover
from secboot.machine.profile_files import read_profile
from secboot.plan.plan import Plan
from secboot.plan.planner import make_plan
from secboot.report.plan import plan_text
from secboot.report.style import PLAIN, Style
from secboot.system.root import Root
from tests.trees import make_sample_tree


def test_the_hint_of_a_warning_is_printed(tmp_path: Path) -> None:
    with Root(make_sample_tree("ubuntu-curtin", tmp_path / "root")) as root:
        profile = read_profile("guest", root)
        plan = make_plan(profile, discover(root), detect_layout(root), with_zipl=True)
    warning = Finding("a", Severity.WARNING, "b", Location("/c", 1, 2), "do\nthis")

    text = plan_text(plan._replace(warnings=(warning,)), PLAIN, diffs=False)

    assert "/c:1:2: warning: b\n    do\n    this\n" in text


def plan_of(tree: Path, profile: str = "guest") -> Plan:
    with Root(tree) as root:
        layout = detect_layout(root)
        machine = discover(root, layout.sources)
        return make_plan(read_profile(profile, root), machine, layout, with_zipl=True)


def test_the_demo_fits_a_terminal_of_24_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sample(Path("machine"))
    plan = plan_of(Path("machine"))
    terminal = Style(colour=False, width=80)

    shown = plan_text(plan, terminal, diffs=False, apply="secboot apply guest --root machine")

    lines = shown.splitlines()
    assert len(lines) < 24
    assert [line for line in lines if len(line) > 80] == []
    assert lines[-1] == "Next: secboot apply guest --root machine"


def many_entries(tree: Path, count: int, line: str) -> Path:
    make_sample_tree("rhel9", tree)
    entries = tree / "boot/loader/entries"
    text = next(entries.glob("*.conf")).read_text()
    for old in entries.glob("*.conf"):
        old.unlink()
    for number in range(count):
        words = [
            f"options {line}" if each.startswith("options ") else each
            for each in re.sub(r"(?m)^title .*$", f"title Linux {number}", text).splitlines()
        ]
        words = [f"version 5.14.0-{number}" if each[:8] == "version " else each for each in words]
        (entries / f"m-5.14.0-{number}.conf").write_text("\n".join(words) + "\n")
    return tree


def test_of_many_entries_some_are_named_and_all_on_request(tmp_path: Path) -> None:
    plan = plan_of(many_entries(tmp_path / "root", 62, "root=/dev/dasda1 quiet"))
    terminal = Style(colour=False, width=80)

    shown = plan_text(plan, terminal, diffs=False)
    every = plan_text(plan, terminal, diffs=False, every=True)

    assert len(shown.splitlines()) < 32
    assert shown.count("above 30") == 2
    assert "and 30 more warnings of this kind" in shown
    assert "Change 62 boot entries: + swiotlb=262144" in shown
    assert "and 57 more (-v lists all)" in shown
    assert every.count("    Linux ") == 62
    assert every.count("kernel default of 32768 blocks") == 1


def test_equal_warnings_are_one_with_the_places_below_it(tmp_path: Path) -> None:
    plan = plan_of(make_sample_tree("rhel9", tmp_path / "root"))
    places = [Location(f"/entry-{number}.conf", number) for number in range(1, 8)]
    warnings = [Finding("a", Severity.WARNING, "b", place, "do this") for place in places]
    other = Finding("c", Severity.NOTE, "d")
    plan = plan._replace(warnings=(*warnings[:3], other, *warnings[3:]))

    shown = plan_text(plan, PLAIN, diffs=False)
    every = plan_text(plan, PLAIN, diffs=False, every=True)

    listed = "".join(f"    {place}\n" for place in places[:5])
    assert f"\nwarning: b\n{listed}    and 2 more (-v lists all)\n    do this\nnote: d\n" in shown
    listed = "".join(f"    {place}\n" for place in places)
    assert f"\nwarning: b\n{listed}    do this\nnote: d\n" in every


def test_a_plan_says_who_runs_zipl(tmp_path: Path) -> None:
    plan = plan_of(make_sample_tree("rhel9", tmp_path / "root"))._replace(root="/")

    by_hand = plan_text(plan, PLAIN, diffs=False)
    by_secboot = plan_text(plan, PLAIN, diffs=False, runs=True)

    assert "\nThen run zipl: this updates the boot record for the next IPL.\n" in by_hand
    assert "\nsecboot will then run zipl: this updates the boot record" in by_secboot


def test_tags_that_do_not_fit_are_on_the_next_line() -> None:
    marks = {"default": True, "rescue": False}

    assert Style(colour=False, width=14).named("a b", marks, "", "  ") == ["a b  (default)"]
    assert Style(colour=False, width=13).named("a b", marks, "", "  ") == ["a b", "  (default)"]
    assert PLAIN.named("a b", marks, "1: ", "  ") == ["1: a b  (default)"]


def test_entries_without_a_change_are_one_line(tmp_path: Path) -> None:
    plan = plan_of(many_entries(tmp_path / "root", 12, "root=/dev/dasda1 swiotlb=262144"))

    shown = plan_text(plan, PLAIN, diffs=False)

    assert "Unchanged: 12 boot entries\n\n" in shown
    assert "    Linux " not in shown


@given(st.text(alphabet="ab \n"), st.integers(40, 90), st.sampled_from(["", "  ", "    "]))
def test_prose_is_filled_without_losing_a_word(text: str, width: int, indent: str) -> None:
    prose = " ".join(text.split())

    lines = Style(colour=False, width=width).filled(prose, indent, indent)

    assert " ".join(line.removeprefix(indent) for line in lines) == prose
    assert all(len(line) <= width or " " not in line.removeprefix(indent) for line in lines)
    assert PLAIN.filled(prose, indent, indent) == [indent + prose]
