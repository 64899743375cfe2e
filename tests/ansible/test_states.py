"""The states of the module and the results of secboot_info, on a machine over SSH.

One playbook tries a change, confirms it, rolls it back and tries another one, each twice: a second
run changes nothing. It writes down all results, which are checked afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ansible.collection import ansible, install_collection
from tests.ansible.hosts import Host, hosts
from tests.ansible.test_fleet import ssh_environment, write_inventory
from tests.packaging.programs import build_pyz

pytestmark = pytest.mark.package

IPL = "ipl"
MODULE = "secboot.boot.secboot"
INFO = "secboot.boot.secboot_info"
Result = dict[str, Any]

TRY: Result = {"profile": "guest", "state": "trial"}
CONFIRM: Result = {"profile": "guest", "state": "confirmed"}
DROP: Result = {"state": "rolled_back"}
UNDO: Result = {"state": "rolled_back", "checkpoint": "{{ confirm.checkpoint }}"}
STEPS: tuple[tuple[str, str, Result], ...] = (
    ("found", INFO, {}),
    ("nothing_to_confirm", MODULE, CONFIRM),
    ("nothing_to_drop", MODULE, DROP),
    ("try_checked", f"{MODULE} check", TRY),
    ("tried", MODULE, TRY),
    ("tried_again", MODULE, TRY),
    ("tried_another", MODULE, TRY | {"profile": "guest-large"}),
    ("waiting", INFO, {"profile": "guest"}),
    ("too_early", MODULE, CONFIRM),
    ("too_early_checked", f"{MODULE} check", CONFIRM),
    ("booted", IPL, {}),
    ("running", INFO, {"profile": "guest"}),
    ("confirm_checked", f"{MODULE} check", CONFIRM),
    ("confirm_other", MODULE, CONFIRM | {"profile": "guest-large"}),
    ("confirm", MODULE, CONFIRM),
    ("confirmed_again", MODULE, CONFIRM),
    ("tried_when_applied", MODULE, TRY),
    ("applied", INFO, {"profile": "guest"}),
    ("undo_checked", f"{MODULE} check", UNDO),
    ("undone", MODULE, UNDO),
    ("undone_again", MODULE, UNDO),
    ("dropped", MODULE, DROP),
    ("dropped_again", MODULE, DROP),
    ("back", INFO, {"profile": "guest"}),
)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, dict[str, Result]]]:
    """The machine after all steps, and the result of each."""
    directory = tmp_path_factory.mktemp("states")
    with hosts(directory, ("one",)) as (started, key):
        host = started[0]
        pyz = build_pyz(host.top / "usr/local/bin/secboot")
        pyz.chmod(0o755)
        install_collection(directory)
        write_inventory(directory / "inventory", started, key)
        tasks: list[Result] = [
            {
                "name": name,
                "register": name,
                "ignore_errors": True,
                "check_mode": module.endswith(" check"),
                "diff": True,
                **(
                    {"ansible.builtin.command": "/usr/local/sbin/ipl"}
                    if module == IPL
                    else {module.removesuffix(" check"): options}
                ),
            }
            for name, module, options in STEPS
        ]
        results = ", ".join(f"'{name}': {name}" for name, _, _ in STEPS)
        tasks.append(
            {
                "name": "Write down the results",
                "ansible.builtin.copy": {
                    "content": f"{{{{ {{{results}}} | to_json }}}}",
                    "dest": f"{directory}/results.json",
                    "mode": "0600",
                },
                "delegate_to": "localhost",
                "connection": "local",
            }
        )
        play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
        (directory / "states.yml").write_text(json.dumps(play))

        done = ansible(
            "ansible-playbook", "--inventory", directory / "inventory", directory / "states.yml",
            env=ssh_environment(directory), cwd=directory,
        )  # fmt: skip

        assert done.returncode == 0, done.stdout + done.stderr
        yield host, json.loads((directory / "results.json").read_text())


Played = tuple[Host, dict[str, Result]]


def test_a_second_run_changes_nothing(played: Played) -> None:
    _, results = played
    changing = {name for name, result in results.items() if result["changed"]}
    failing = {name: result["msg"] for name, result in results.items() if result.get("failed")}

    assert failing.keys() == {
        "nothing_to_confirm",
        "tried_another",
        "too_early",
        "confirm_other",
    }, failing
    assert changing == {
        *("try_checked", "tried", "booted", "confirm_checked", "confirm"),
        *("undo_checked", "undone", "dropped"),
    }
    assert results["too_early_checked"]["skipped"]


def test_why_a_task_fails(played: Played) -> None:
    _, results = played

    assert "the machine does not meet the profile" in results["nothing_to_confirm"]["msg"]
    assert results["tried_another"]["msg"].startswith("another trial has not ended: ")
    assert "secboot rollback" in results["tried_another"]["msg"]
    assert "nothing to confirm" in results["too_early"]["msg"]
    assert "not one of this profile" in results["confirm_other"]["msg"]


def test_trials_in_the_results(played: Played) -> None:
    _, results = played

    assert [results[name]["trial"] for name in ("found", "applied", "back")] == [None] * 3
    assert results["tried"]["trial"] == results["waiting"]["trial"]
    assert results["tried"]["trial"]["state"] == "waiting"
    assert results["tried"]["trial"]["profile"] == "guest"
    assert results["tried"]["trial"]["line"].endswith("swiotlb=262144")
    assert results["running"]["trial"]["state"] == "running"
    assert results["tried"]["checkpoint"] == results["tried_again"]["checkpoint"] == "1"
    assert results["confirm"]["checkpoint"] == "2"
    assert results["undone"]["rollback"]["undone"] == "2"


def test_when_a_restart_is_required(played: Played) -> None:
    _, results = played
    required = {name for name, each in results.items() if each.get("reboot_required")}

    # The rollback of the confirmation leaves a machine that runs with the line of the trial.
    assert required == {
        *("try_checked", "tried", "tried_again", "waiting"),
        *("undone", "undone_again", "dropped", "dropped_again"),
    }


def test_the_stages_of_a_profile(played: Played) -> None:
    _, results = played

    assert results["found"]["stages"] == {}
    assert results["waiting"]["stages"]["configured"] == "missing"
    assert results["running"]["stages"]["running"] == "met"
    assert {results["applied"]["stages"][stage] for stage in ("configured", "installed")} == {"met"}
    assert results["back"]["stages"]["configured"] == "missing"
    assert results["back"]["status"]["profile"]["name"] == "guest"
    assert [each["undone_by"] for each in results["back"]["checkpoints"]] == ["4", "3", None, None]


def test_what_is_shown_with_diff(played: Played) -> None:
    _, results = played

    for name in ("try_checked", "tried", "confirm_checked", "confirm", "undo_checked", "undone"):
        assert any("swiotlb=262144" in str(each) for each in results[name]["diff"]), name


def test_the_machine_is_as_before(played: Played) -> None:
    host, _ = played

    assert (host.top / "firmware/reipl/ccw/loadparm").read_text().strip() == ""
    assert not any("swiotlb=262144" in line for line in host.disk.lines())
