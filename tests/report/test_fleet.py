"""The report on many machines: documents of real trees and invented ones; text, JSON, HTML page."""

from __future__ import annotations

import json
import os
import shutil
import stat
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from secboot.codec import encode
from secboot.errors import ExitCode
from secboot.finding import Finding, Severity
from secboot.profile.nodes import ProfileError
from secboot.report.failure import failure_document
from secboot.report.fleet import fleet_document, fleet_text, in_order
from secboot.report.fleet_page import fleet_page
from secboot.report.made import made
from secboot.report.reported import (
    Counted,
    ReportedMachine,
    Standing,
    read_machine,
    unreadable,
)
from secboot.report.status import status_document
from secboot.report.style import PLAIN, Style
from secboot.report.verify import verify_document
from secboot.running.firmware import INDICATIONS_NOTE
from secboot.status.checks import make_checks
from secboot.status.stages import Stage, Status, Verdict
from tests.command import Said, secboot
from tests.report.test_schemas import schema_of
from tests.report.test_status import LINE, running
from tests.status.scenes import add_system, log, make_scene
from tests.trees import link_kernels, make_sample_tree

Document = dict[str, Any]


MADE = made({"SOURCE_DATE_EPOCH": "1764136800"})
ALL = Counted(Stage.EFFECTIVE, MADE.moment(), timedelta(days=7))


def read(document: object, last: Stage = Stage.EFFECTIVE, host: str = "h") -> ReportedMachine:
    content = json.dumps(document).encode()
    return read_machine(host, f"{host}.json", content, ALL._replace(last=last))


@pytest.fixture
def status(tmp_path: Path) -> Status:
    """A guest without a problem."""
    scene = make_scene(tmp_path / "right", "section")
    scene.write("etc/os-release", "ID=debian\n")
    scene.link_kernels()
    scene.secure_kernel()
    add_system(scene, "z16-se-guest", LINE, "guest")
    return scene.status("guest", log("software IO TLB: mapped [mem 0] (512MB)"))


@pytest.fixture
def wrong(tmp_path: Path) -> Status:
    """A machine that should be a host but is not configured as one."""
    return running(tmp_path / "wrong", "z16-lpar-se-capable", "host-5.10-no-flags", "host")


def test_a_status_and_its_checks_say_the_same(status: Status, wrong: Status) -> None:
    for each in (status, wrong):
        checks = verify_document(each, make_checks(each, Stage.EFFECTIVE), Stage.EFFECTIVE)
        of_status, of_checks = read(status_document(each)), read(checks)

        assert of_status.stages == of_checks.stages
        assert of_status.standing == of_checks.standing
        assert of_status.findings == of_checks.findings
        assert of_status.profile == of_checks.profile
    assert read(status_document(status)).standing is Standing.MET
    assert read(status_document(wrong)).standing is Standing.MISSING


def test_the_stages_are_those_of_the_status(wrong: Status) -> None:
    machine = read(status_document(wrong))

    assert machine.stages == {s: r.verdict for s, r in wrong.requirements[0].stages.items()}
    assert machine.stages[Stage.CONFIGURED] is Verdict.MISSING
    assert any("secboot apply host" in (found.hint or "") for found in machine.findings)


def test_only_stages_that_count_make_a_machine_miss_something(status: Status) -> None:
    document = status_document(status)
    stages = document["requirements"][0]["stages"]
    stages["running"] = {"verdict": "missing", "reason": "not yet"}

    late, early = read(document), read(document, Stage.INSTALLED)

    assert (late.standing, [r.message for r in late.findings]) == (Standing.MISSING, ["not yet"])
    assert early.standing is Standing.MET
    assert early.stages[Stage.RUNNING] is Verdict.MISSING


def test_only_the_first_missing_stage_is_reported(status: Status) -> None:
    document = status_document(status)
    for stage, result in document["requirements"][0]["stages"].items():
        result |= {"verdict": "missing", "reason": f"{stage} is missing", "causes": []}
    document["requirements"][0]["stages"]["configured"]["verdict"] = "unknown"

    assert [found.message for found in read(document).findings] == ["inherited is missing"]


def test_checks_up_to_an_early_stage_leave_the_later_ones_open(status: Status) -> None:
    checks = make_checks(status, Stage.INSTALLED)
    document = verify_document(status, checks, Stage.INSTALLED)

    assert read(document, Stage.INSTALLED).standing is Standing.MET
    machine = read({**document, "root": "/"})
    assert machine.standing is Standing.WARNING
    assert machine.stages[Stage.RUNNING] is None
    assert machine.findings[-1].message == "only checked up to 'installed'"


def test_the_running_system_s_stages_do_not_apply_to_a_tree(status: Status) -> None:
    """`verify --stage effective` refuses a tree, so nothing suggests it."""
    whole, part = (
        read({**verify_document(status, make_checks(status, last), last), "root": "/srv/web"})
        for last in (Stage.INSTALLED, Stage.INHERITED)
    )

    assert (whole.standing, whole.findings) == (Standing.MET, ())
    assert whole.stages[Stage.EFFECTIVE] is Verdict.NOT_APPLICABLE
    assert part.stages[Stage.INSTALLED] is None
    assert [found.hint for found in part.findings] == [
        "secboot verify guest --stage installed --root /srv/web"
    ]


def test_a_notice_is_a_warning_or_stands_in_the_way(status: Status, tmp_path: Path) -> None:
    document = status_document(status)
    notice = Finding("stale", Severity.WARNING, "old", None, "zipl")
    document["notices"] = [encode(notice)]
    machine = read(document)
    assert machine.standing is Standing.WARNING
    assert machine.findings == (notice,)

    scene = make_scene(tmp_path / "broken", "section")
    scene.replace("etc/zipl.conf", "image=/boot/vmlinuz", "image=/boot/nothing")
    assert read(status_document(scene.status("guest"))).standing is Standing.MISSING


def test_checks_of_0_1_0_are_read(wrong: Status) -> None:
    now = verify_document(wrong, make_checks(wrong, Stage.EFFECTIVE), Stage.EFFECTIVE)
    then: Document = json.loads(json.dumps({**now, "schema": "secboot/verify/1"}))
    for check in then["checks"]:
        check["advice"] = [
            {"why": each["message"], "next_step": (each["hint"] or "").replace("host", "PROFILE")}
            for each in check.pop("causes")
        ]

    machine = read(then)

    assert machine.stages == read(now).stages
    told = [(found.message, found.hint) for found in read(now).findings]
    assert [(found.message, found.hint) for found in machine.findings] == told


def test_without_a_profile_nothing_is_judged(tmp_path: Path) -> None:
    machine = read(status_document(make_scene(tmp_path, "section").status(None)))

    assert machine.standing is Standing.WARNING
    assert set(machine.stages.values()) == {Verdict.NOT_APPLICABLE}
    assert machine.findings[-1].message == "no profile was named, so no stage is judged"


def test_a_failure_on_a_machine_is_why_nothing_is_known() -> None:
    error = ProfileError((Finding("profile.x", Severity.ERROR, "unknown key 'x'"),))

    machine = read(failure_document(ExitCode.USAGE, "Wrong usage.", error))

    assert machine.standing is Standing.UNREADABLE
    assert [found.message for found in machine.findings] == ["unknown key 'x'"]


DAMAGED: list[tuple[bytes, str]] = [
    (b"", "the file is empty"),
    (b" \n", "the file is empty"),
    (b"secboot: error: no", "not a JSON document: Expecting value"),
    (b"\xff\xfe\xff", "not a JSON document: "),
    (b"[" * 200_000, "not a JSON document: nested too deeply"),
    (b"9" * 10_000, "not a JSON document: Exceeds the limit"),
    (b"[]", "a document without a schema; expected secboot/status/2 or secboot/status/1 or"),
    (b'{"schema": 1}', "a document without a schema"),
    (b'{"schema": "secboot/status/3"}', "a document of secboot/status/3; expected "),
    (b'{"schema": "secboot/status/1"}', "root: is missing"),
    (b'{"schema": "secboot/status/2", "root": "/", "profile": 1}', "requirements: is missing"),
    (
        b'{"schema": "secboot/verify/1", "root": "/", "profile": null, "stage": 1, "checks": [3]}',
        "stage: must be one of configured, inherited, installed, running, effective, not 1",
    ),
    (
        (
            b'{"schema": "secboot/verify/2", "root": "/", "profile": null, "stage": "running",'
            b' "checks": [{"id": "running.x", "outcome": "OK", "message": ""}]}'
        ),
        'checks[0].outcome: must be one of PASS, WARN, FAIL, not "OK"',
    ),
    (
        (
            b'{"schema": "secboot/verify/1", "root": "/", "profile": null, "stage": "running",'
            b' "checks": [{"outcome": "PASS", "id": "x.y", "message": "", "advice": []}]}'
        ),
        "checks[0]: the check x.y belongs to no stage",
    ),
]


@pytest.mark.parametrize(("content", "why"), DAMAGED, ids=range(len(DAMAGED)))
def test_what_cannot_be_read_is_reported(content: bytes, why: str) -> None:
    machine = read_machine("h", "h.json", content, ALL)

    assert machine.standing is Standing.UNREADABLE
    assert machine.findings[0].message.startswith(why)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@settings(max_examples=80)
@given(st.data())
def test_a_damaged_document_is_read_or_refused(data: st.DataObject) -> None:
    document: Document = json.loads(json.dumps(data.draw(st.sampled_from([GOOD, NOW, CHECKS]))))
    where: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(where) if isinstance(where, dict) else [0]))
        if not where[key] or not isinstance(where[key], dict | list) or data.draw(st.booleans()):
            where[key] = data.draw(_JSON)
            break
        where = where[key]

    machine = read(document)

    shown = fleet_document([machine], Stage.EFFECTIVE)
    Draft202012Validator(schema_of(shown)).validate(shown)
    assert fleet_text([machine], PLAIN).isprintable() is False
    assert fleet_page([machine], Stage.EFFECTIVE, MADE).encode()


GOOD: Document = {
    "schema": "secboot/status/1",
    "root": "/",
    "profile": {"name": "shop", "role": "guest"},
    "requirements": [
        {
            "name": "swiotlb",
            "stages": {
                stage.value: {
                    "verdict": "missing",
                    "reason": "too small",
                    "advice": [{"why": "not applied", "next_step": "secboot apply PROFILE"}],
                }
                for stage in Stage
            },
        }
    ],
    "notices": [{"code": "stale", "message": "out of date", "next_step": ""}],
}


CAUSE = encode(Finding("not-applied", Severity.ERROR, "not applied", None, "secboot apply shop"))
NOW: Document = {
    **GOOD,
    "schema": "secboot/status/2",
    "requirements": [
        {
            "name": "swiotlb",
            "stages": {
                stage.value: {"verdict": "missing", "reason": "too small", "causes": [CAUSE]}
                for stage in Stage
            },
        }
    ],
    "notices": [encode(Finding("stale", Severity.WARNING, "out of date"))],
}
CHECKS: Document = {
    "schema": "secboot/verify/2",
    "root": "/",
    "profile": "shop",
    "stage": "effective",
    "checks": [
        {"id": "running.swiotlb", "outcome": "FAIL", "message": "too small", "causes": [CAUSE]},
        {"id": "machine.stale", "outcome": "WARN", "message": "out of date", "causes": []},
    ],
}


def test_documents_of_today_and_of_0_1_0_say_the_same() -> None:
    now, then = read(NOW), read(GOOD)

    assert now.stages == then.stages
    assert [(f.message, f.hint) for f in now.findings] == [
        (f.message, f.hint) for f in then.findings
    ]


def made_up(verdicts: str, host: str = "h", profile: str = "guest") -> ReportedMachine:
    """A machine with one letter for each stage: Met, Lacking (missing), Unknown, Not applicable."""
    words = {"M": "met", "L": "missing", "U": "unknown", "N": "not-applicable"}
    document: Document = json.loads(json.dumps({**GOOD, "notices": []}))
    document["profile"]["name"] = profile
    for stage, letter in zip(Stage, verdicts, strict=True):
        document["requirements"][0]["stages"][stage]["verdict"] = words[letter]
    return read(document, host=host)


def test_problems_come_first_and_numbers_are_sorted_by_value() -> None:
    machines = [
        made_up("MMMMM", "host10"),
        made_up("MMUMM", "c"),
        unreadable("b", "b.json", "gone"),
        made_up("MMMMM", "host9"),
        made_up("MMLMM", "Z"),
        made_up("LLLLL", "a2"),
    ]

    hosts = [machine.host for machine in in_order(machines)]

    assert hosts == ["a2", "Z", "b", "c", "host9", "host10"]


def test_the_table_ends_with_the_problems() -> None:
    machines = [
        made_up("LLLNN", "a-long-name", "shop"),
        unreadable("b", "b.json", "gone"),
        made_up("MMUMM", "c", "guest"),
        made_up("MMMMM", "d", "guest"),
    ]

    text = fleet_text(machines, PLAIN)

    assert (
        text
        == f"""\
MACHINE      PROFILE       CONFIGURED  INHERITED  INSTALLED  RUNNING  EFFECTIVE
d            guest         yes         yes        yes        yes      yes
c            guest         yes         yes        unknown    yes      yes
b            -
a-long-name  shop (guest)  NO          NO         NO         -        -

c: not applied
  secboot apply guest
b: gone
a-long-name: not applied
  secboot apply shop

{INDICATIONS_NOTE}
4 machines: 1 incomplete, 1 unreadable, 1 with a warning, 1 in order.
"""
    )
    problems = fleet_text(machines, PLAIN, problems_only=True)
    assert problems.splitlines() == [each for each in text.splitlines() if each[:2] != "d "]


def test_an_old_document_is_a_warning() -> None:
    def made_at(time: str) -> ReportedMachine:
        fresh: Document = {**GOOD, "requirements": [], "notices": []}
        return read({**fresh, "made": {"host": "web01", "time": time, "version": "0.2.0"}})

    old, young, ahead = map(
        made_at, ("2025-11-18T06:00:00Z", "2025-11-26T05:59:00Z", "2031-01-01T00:00:00+01:00")
    )

    assert [each.standing for each in (old, young, ahead)] == [
        Standing.WARNING,
        Standing.MET,
        Standing.MET,
    ]
    assert [found.message for found in old.findings] == ["the document is 8 days old"]
    for none in ("yesterday", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        assert made_at(none).findings[0].message == "made: has an invalid time"
    page = fleet_page([old, young], Stage.EFFECTIVE, MADE)
    assert "Its documents were made from 2025-11-18 06:00 UTC to 2025-11-26 05:59 UTC." in page


def test_colour_changes_no_column() -> None:
    machines = [made_up("LUMNN"), unreadable("b", "b.json", "gone")]
    coloured = fleet_text(machines, Style(colour=True))

    for code in ("0", "1", "2", "31", "32", "33"):
        coloured = coloured.replace(f"\x1b[{code}m", "")

    assert [line.rstrip() for line in coloured.splitlines()] == fleet_text(
        machines, PLAIN
    ).splitlines()


class Page(HTMLParser):
    """The elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "br", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


EVIL = "<script>alert(1)</script>&amp;\"'><img src=x onerror=alert(1)>\x1b[31m\u202e\udcff"


def test_the_page_escapes_all_that_documents_say() -> None:
    document = json.loads(json.dumps(GOOD).replace("too small", "small"))
    document["profile"] = {"name": EVIL, "role": EVIL}
    document["notices"][0] |= {"message": EVIL, "next_step": EVIL}
    machines = [read(document, host=EVIL), unreadable(EVIL, EVIL, EVIL)]

    text = fleet_page(machines, Stage.EFFECTIVE, MADE)
    page = Page(text)

    assert text.encode()
    assert page.open == []
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert page.words.count("<script>alert(1)</script>&amp;\"'>") == 10
    assert not set(text) & {"\x1b", "\u202e", "\udcff"}


def test_the_page_needs_nothing_else_and_is_a_proper_table() -> None:
    machines = [made_up("MMUNL"), unreadable("b", "b.json", "gone")]

    text = fleet_page(machines, Stage.EFFECTIVE, MADE)
    page = Page(text)

    assert {"link", "img", "iframe", "form"} & set(page.tags) == set()
    assert not {name for name, _ in page.attributes} & {"src", "href", "style", "onclick"}
    assert "url(" not in text
    assert "@import" not in text
    assert "://" not in text
    assert ("lang", "en") in page.attributes
    assert page.attributes.count(("scope", "col")) == 9
    assert page.attributes.count(("scope", "row")) == 2
    assert page.tags.count("caption") == 1
    assert INDICATIONS_NOTE in page.words


@pytest.fixture
def fleet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Documents of real trees: one that meets the profile, one that does not, and one that is invalid."""
    folder = tmp_path / "reports"
    folder.mkdir()
    root = make_sample_tree("ubuntu-curtin", tmp_path / "ubuntu-curtin")
    (root / "etc/os-release").write_text("ID=ubuntu\n")
    link_kernels(root, "6.8.0-31-generic")
    make_sample_tree("rhel9", tmp_path / "rhel9")
    for name in ("rhel9", "ubuntu-curtin"):
        words = ("status", "guest", "--root", tmp_path / name, "--output", "json")
        said = secboot(capsys, *words)
        (folder / f"{name}.json").write_text(said.out)
    secboot(capsys, "apply", "guest", "--root", root)
    checked = ("verify", "guest", "--stage", "inherited", "--root", root, "--output", "json")
    (folder / "applied.json").write_text(secboot(capsys, *checked).out)
    (folder / "unreachable.json").touch()
    (folder / "notes.txt").write_text("not meant")
    return folder


def rows(said: Said) -> list[list[str]]:
    table = said.out.split("\n\n")[0]
    return [line.split()[:5] for line in table.splitlines()[1:]]


def test_real_documents(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "fleet", fleet, "--stage", "inherited")

    assert said.code == 5
    assert [row[0] for row in rows(said)] == ["applied", "unreachable", "rhel9", "ubuntu-curtin"]
    assert rows(said)[2][:3] == ["rhel9", "guest", "NO"]
    assert rows(said)[0] == ["applied", "guest", "yes", "yes", "not"]
    assert "the file is empty" in said.out


def test_json_of_real_documents(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "fleet", fleet, "-o", "json", "--stage", "inherited")
    document = json.loads(said.out)

    Draft202012Validator(schema_of(document)).validate(document)
    assert said.code == 5
    assert document["counts"] == {"missing": 2, "unreadable": 1, "warning": 0, "met": 1}
    assert [m["document"] for m in document["machines"]] == [
        "secboot/status/2",
        "secboot/status/2",
        None,
        "secboot/verify/2",
    ]


def test_exit_codes(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    applied, empty = fleet / "applied.json", fleet / "unreachable.json"
    codes = [
        secboot(capsys, "fleet", *words).code
        for words in (
            [applied, "--stage", "inherited"],
            [applied],
            [applied, "--strict"],
            [applied, empty],
            [empty],
            [fleet / "none.json"],
            [],
        )
    ]

    assert codes == [0, 0, 5, 5, 2, 2, 2]


def test_a_missing_file_and_an_empty_directory_are_rows(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (fleet / "empty").mkdir()

    said = secboot(capsys, "fleet", fleet / "gone.json", fleet / "empty", fleet / "notes.txt")

    assert said.code == 2
    assert "No such file or directory" in said.out
    assert "no .json file of a machine found in this directory" in said.out
    assert "not a JSON document" in said.out


def test_the_records_of_checkpoints_in_a_tree_are_not_machines(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = fleet.parent / "ubuntu-curtin"
    (record,) = tree.rglob("record.json")

    said = secboot(capsys, "fleet", fleet.parent, "--stage", "inherited")
    alone, named = (secboot(capsys, "fleet", each) for each in (tree, record))

    assert rows(said) == rows(secboot(capsys, "fleet", fleet, "--stage", "inherited"))
    assert (alone.code, named.code) == (2, 2)
    assert "no .json file of a machine found in this directory" in alone.out
    assert "a document of secboot/checkpoint/2; expected secboot/status/2" in named.out


def test_files_of_one_name_are_distinguished(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for host in ("a", "b"):
        (fleet / "fetched" / host).mkdir(parents=True)
        shutil.copy(fleet / "rhel9.json", fleet / "fetched" / host / "status.json")

    said = secboot(capsys, "fleet", fleet / "fetched", fleet / "fetched/a/status.json", "-ojson")

    hosts = [machine["host"] for machine in json.loads(said.out)["machines"]]
    assert hosts == [str(fleet / "fetched" / host / "status") for host in ("a", "b")]


def test_the_page_is_for_everyone_and_replaced_as_a_whole(
    fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, link = tmp_path / "page.html", tmp_path / "link.html"
    page.write_text("old")
    page.chmod(0o600)
    link.symlink_to(page)
    before, mask = page.stat().st_ino, os.umask(0o077)

    said = secboot(capsys, "fleet", fleet, "--html", link)
    os.umask(mask)

    assert said.code == 5
    assert link.is_symlink()
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert stat.S_IMODE(page.stat().st_mode) == 0o644
    assert page.stat().st_ino != before
    assert not list(tmp_path.glob(".page*"))


def test_a_page_that_can_not_be_written_is_an_error(
    fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (tmp_path / "no/page.html", tmp_path, Path("/dev/full")):
        said = secboot(capsys, "fleet", fleet, "--html", place)

        assert said.code == 1
        assert str(place) in said.err
    assert Path("/dev/null").is_char_device()
