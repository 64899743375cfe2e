"""A saved plan is a promise: apply makes the plan again, and refuses it unless it is the same."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from secboot.errors import SecbootError
from secboot.report.saved_plan import read_saved_plan
from secboot.system.trusted import read_trusted
from tests.available import unavailable
from tests.command import Said, secboot
from tests.damaged import Document, put
from tests.rights import NOBODY
from tests.trees import make_sample_tree, snapshot

Where = tuple[str | int, ...]

ODD: tuple[object, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**63, 10**400, "", "\ud800", "\udc80", "\0", "\x1b[2J\u202e"),
    *([], {}, [[]], [{}], {"": {}}, [None] * 100),
    *(
        "/",
        "/etc/passwd",
        "../../etc/passwd",
        "a/../..",
        "//etc//passwd",
        "/proc/self/mem",
        "/dev/zero",
    ),
    *("/bin/sh", ["/bin/sh", "-c", "touch PWNED"], "A" * 100_000, "AAAA", "0" * 64, "-rf", "$(id)"),
)
"""Values in a hostile plan: every type, tricks with paths, programs, escapes."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_sample_tree("rhel8", tmp_path / "root")


@pytest.fixture
def saved(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "guest.plan"
    assert secboot(capsys, "plan", "guest", "--root", root, "--out", path).code == 0
    return path


def nodes(value: object, path: Where = ()) -> Iterator[Where]:
    """The places of those values in a document that belong to the plan."""
    items = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
    for key, part in items:
        if (*path, key) == ("made",):
            # When and where it was made does not matter.
            continue
        yield (*path, key)
        if isinstance(part, dict | list):
            yield from nodes(part, (*path, key))


def value_at(document: object, where: Where) -> object:
    node: Any = document
    for step in where:
        node = node[step]
    return node


def same(one: object, other: object) -> bool:
    return json.dumps(one) == json.dumps(other)


def rewrite(path: Path, change: Callable[[Document], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def require_refused(said: Said, root: Path, before: object) -> None:
    assert said.code in {1, 2}, said.err
    assert said.err.startswith("secboot: error: ")
    assert said.out == ""
    assert "\x1b" not in said.err
    assert "\u202e" not in said.err
    assert len(said.err) < 2000
    assert snapshot(root) == before


def test_it_is_followed_once(root: Path, saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    shown = secboot(capsys, "apply", saved, "--root", root, "--dry-run")
    planned = secboot(capsys, "plan", "guest", "--root", root).out
    assert planned == f"{shown.out}Next: secboot apply guest --root {root}\n"

    assert secboot(capsys, "apply", saved, "--root", root).code == 0

    again = secboot(capsys, "apply", saved, "--root", root)
    assert again.code == 1
    assert "changed since the plan was made: /boot/loader/entries/" in again.err
    assert f"secboot plan guest --out {saved} --root {root}" in again.err


@pytest.mark.repeating
def test_every_value_replaced_by_every_odd_one_is_noticed(
    saved: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = secboot(capsys, "plan", "guest", "--root", root, "-o", "json").out
    now = {k: v for k, v in json.loads(text).items() if k != "schema"}

    class Planned:
        """Stands in for the plan that is made again, with its document."""

    def judge(document: Document) -> None:
        found = read_saved_plan(json.dumps(document).encode(), "x.plan")
        found.require_same(Planned(), "again")  # type: ignore[arg-type]

    sample = json.loads(saved.read_text())
    tried = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("secboot.report.saved_plan.plan_document", lambda _: deepcopy(now))
        judge(sample)
        for where in nodes(sample):
            for odd in ODD:
                if where[0] == "made_from" or same(value_at(sample, where), odd):
                    continue
                document = deepcopy(sample)
                put(*where, to=odd)(document)
                with pytest.raises(SecbootError):
                    judge(document)
                tried += 1
    assert tried > 2000


@pytest.mark.repeating
def test_no_hostile_plan_does_anything(
    saved: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample, before = json.loads(saved.read_text()), snapshot(root)
    odds = cycle(ODD)
    for where in nodes(sample):
        if where == ("made_from", "secboot"):
            continue  # only the text of a hint
        odd = next(each for each in odds if not same(value_at(sample, where), each))
        document = deepcopy(sample)
        put(*where, to=odd)(document)
        saved.write_text(json.dumps(document))
        require_refused(secboot(capsys, "apply", saved, "--root", root), root, before)


@pytest.mark.repeating
def test_no_plan_with_a_part_removed_or_added_does_anything(
    saved: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample, before = json.loads(saved.read_text()), snapshot(root)
    for where in nodes(sample):
        document = deepcopy(sample)
        above = value_at(document, where[:-1])
        if isinstance(above, list):
            above.append(deepcopy(above[0]))
        else:
            assert isinstance(above, dict)
            del above[where[-1]]
        saved.write_text(json.dumps(document))
        require_refused(secboot(capsys, "apply", saved, "--root", root), root, before)


def test_a_file_that_the_plan_does_not_have_is_not_written(
    saved: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")

    def add(plan: Document) -> None:
        plan["files"].append(
            {**plan["files"][0], "path": "/etc/passwd", "real_path": "/etc/passwd"}
        )

    rewrite(saved, add)
    before = snapshot(root)

    said = secboot(capsys, "apply", saved, "--root", root)

    require_refused(said, root, before)
    assert "an object in the file, nothing now" in said.err


def test_a_program_that_the_plan_does_not_have_is_not_run(
    saved: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = {"title": "Run", "lines": [], "argv": ["/usr/bin/touch", str(tmp_path / "PWNED")]}
    rewrite(saved, lambda plan: plan.update(refusal="x", files=[], steps=[step]))
    before = snapshot(root)

    for more in ((), ("--run-kargs",), ("--dry-run",)):
        said = secboot(capsys, "apply", saved, "--root", root, *more)
        require_refused(said, root, before)
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a JSON document"),
        ("{}", "a document without a schema"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "not a JSON document"),
        ("[1", "x.plan:1:3: not a saved plan"),
        ('{"schema": "secboot/plan/0"}', "a document of secboot/plan/0; expected"),
        ('{"schema": "secboot/plan/1", "files": []}', "or saved by secboot 0.1.0"),
        ('{"schema": "secboot/plan/2", "files": []}', "was printed by `--output json`"),
        ('{"schema": "secboot/saved-plan/1"}', "made_from: is missing"),
        ('{"schema": "secboot/saved-plan/1", "made_from": {"secboot": 1}}', "is missing"),
    ],
    ids=range(10),
)
def test_a_file_that_is_none(
    text: str, message: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "x.plan"
    saved.write_text(text)

    said = secboot(capsys, "apply", saved, "--root", root)

    assert said.code == 2
    assert message in said.err
    assert "secboot plan PROFILE --out FILE" in said.err


def test_a_plan_by_another_name_is_not_taken_for_a_profile(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "guest"
    assert secboot(capsys, "plan", "guest", "--root", root, "--out", saved).code == 0
    saved.chmod(0o644)

    said = secboot(capsys, "apply", saved, "--root", root)

    assert said.code == 2
    assert "this is a saved plan, not a profile\n  give it a name that ends in .plan" in said.err


def test_the_profile_is_held_to_its_text(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A profile with a name is that of the machine; one with a path may be gone."""
    site = root / "etc/secboot/profiles"
    site.mkdir(parents=True)
    (site / "mine.yaml").write_text("version: 1\nextends: guest\n")
    own = tmp_path / "own.yaml"
    own.write_text("version: 1\nextends: mine\n")
    saved = tmp_path / "x.plan"
    assert secboot(capsys, "plan", own, "--root", root, "--out", saved).code == 0

    own.unlink()
    assert secboot(capsys, "apply", saved, "--root", root, "--dry-run").code == 0
    (site / "mine.yaml").write_text("version: 1\nextends: guest-large\n")
    said = secboot(capsys, "apply", saved, "--root", root)

    assert said.code == 1
    assert "changed since the plan was made: /etc/secboot/profiles/mine.yaml" in said.err


def test_another_text_of_a_profile_is_another_plan(
    saved: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(root)
    evil = "version: 1\nparameters:\n  init: /bin/sh\n"
    for reference in ("guest", "./guest.yaml", "<shipped>/guest.yaml", "/etc/shadow.yaml"):
        rewrite(saved, put("made_from", "reference", to=reference))
        rewrite(saved, put("made_from", "profile", 0, "text", to=evil))
        require_refused(secboot(capsys, "apply", saved, "--root", root), root, before)


OTHERS_MAY_WRITE: dict[str, Callable[[Path], object]] = {
    "its group": lambda plan: plan.chmod(0o660),
    "everybody": lambda plan: plan.chmod(0o606),
    "in a directory writable by all": lambda plan: plan.parent.chmod(0o777),
    "in a directory writable by a group": lambda plan: plan.parent.chmod(0o770),
    "below a directory writable by all": lambda plan: plan.parent.parent.chmod(0o777),
}


@pytest.mark.parametrize("name", OTHERS_MAY_WRITE)
def test_a_file_that_others_may_write_is_refused(
    name: str, saved: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "above/below"
    folder.mkdir(parents=True)
    plan = saved.rename(folder / saved.name)
    OTHERS_MAY_WRITE[name](plan)
    before = snapshot(root)

    said = secboot(capsys, "apply", plan, "--root", root)

    require_refused(said, root, before)
    assert said.code == 1
    assert "is writable by other users" in said.err


def test_in_a_sticky_directory_the_own_file_is_trusted(
    saved: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sticky"
    folder.mkdir()
    folder.chmod(0o1777)
    plan = saved.rename(folder / saved.name)

    assert secboot(capsys, "apply", plan, "--root", root, "--dry-run").code == 0


def test_a_link_counts_as_a_way_to_the_file(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    (folder / "x.plan").symlink_to(saved)
    (folder / "loop.plan").symlink_to("loop.plan")

    assert read_trusted(str(folder / "x.plan"), 2**20)
    with pytest.raises(SecbootError, match="too many symbolic links"):
        read_trusted(str(folder / "loop.plan"), 2**20)
    folder.chmod(0o777)
    with pytest.raises(SecbootError, match=r"the directory .* is writable by other users"):
        read_trusted(str(folder / "x.plan"), 2**20)


@pytest.mark.usefixtures("as_root")
def test_a_file_of_another_user_is_refused(saved: Path) -> None:
    os.chown(saved, NOBODY, NOBODY)

    with pytest.raises(SecbootError, match="this file belongs to another user"):
        read_trusted(str(saved), 2**20)
    assert read_trusted(str(saved), 2**20, {"SUDO_UID": str(NOBODY)})


def test_what_is_not_a_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.plan")
    for path, message in (
        (str(tmp_path / "x.plan"), "this is a FIFO"),
        ("/dev/zero", "this is a character device"),
        (str(tmp_path), "this is a directory"),
        (str(tmp_path / "none" / ".." / "x.plan"), "not found"),
    ):
        with pytest.raises(SecbootError, match=message):
            read_trusted(path, 2**20)


def test_no_other_file_is_overwritten_by_a_plan(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "passwd"
    other.write_text("root:x:0:0::/root:/bin/sh\n")

    said = secboot(capsys, "plan", "guest", "--root", root, "--out", other)

    assert said.code == 1
    assert "not a saved plan and was not overwritten" in said.err
    assert other.read_text().startswith("root:x")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_directory_below_dev_is_one_like_any_other(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/dev/shm").is_dir():
        unavailable("there is no directory in memory here")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        plan = Path(directory) / "x.plan"

        assert secboot(capsys, "plan", "guest", "--root", root, "--out", plan).code == 0
        assert secboot(capsys, "apply", plan, "--root", root).code == 0


@pytest.mark.parametrize("place", ["/dev/none.plan", "/proc/self/fd/none", "/dev/fd/none"])
def test_no_file_is_made_among_devices(
    place: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, "plan", "guest", "--root", root, "--out", place)

    assert said.code == 1
    assert f"{place}: the plan cannot be written: No such file or directory" in said.err
    assert not Path(place).exists()
