"""The states of the module and the results of secboot_info, on a machine over SSH; then the role with a trial and with a tree.

One playbook tries a change, confirms it, rolls it back and tries another one, each twice: a second
run changes nothing. It writes down all results, which are checked afterwards.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secboot.demo import sample_files
from tests.ansible.collection import ansible, install_collection
from tests.ansible.hosts import Host, hosts
from tests.ansible.test_fleet import ssh_environment, write_inventory

pytestmark = pytest.mark.package

SECBOOT = "/usr/local/lib/secboot.pyz"
"""It is not in the search path: the action group of the collection says where it is."""
IPL = "/usr/local/sbin/ipl"
LOAD = "/usr/local/sbin/ipl LOAD"
MODULE = "secboot.boot.secboot"
INFO = "secboot.boot.secboot_info"
Result = dict[str, Any]

TRY: Result = {"profile": "guest", "state": "trial"}
CONFIRM: Result = {"profile": "guest", "state": "confirmed"}
DROP: Result = {"state": "rolled_back"}
RESTART: Result = {
    "secboot_apply_reboot": True,
    "secboot_apply_reboot_command": IPL,
}
UNDO: Result = {"state": "rolled_back", "checkpoint": "{{ confirm.checkpoint }}"}
STEPS: tuple[tuple[str, str, Result], ...] = (
    ("found", INFO, {}),
    ("nothing_to_confirm", MODULE, CONFIRM),
    ("confirm_too_low", MODULE, CONFIRM | {"stage": "installed"}),
    ("nothing_to_drop", MODULE, DROP),
    ("try_checked", f"{MODULE} check", TRY),
    ("tried", MODULE, TRY),
    ("tried_again", MODULE, TRY),
    ("try_again_checked", f"{MODULE} check", TRY),
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
    ("tried_in_vain", MODULE, TRY),
    ("loaded", LOAD, {}),
    ("failed", INFO, {}),
    ("failed_trial", MODULE, TRY),
    ("failed_confirm", MODULE, CONFIRM),
    ("failed_dropped", MODULE, DROP),
)
ROLE: Result = {
    "secboot_apply_profile": "guest",
    "secboot_apply_executable": SECBOOT,
}
ROLES: tuple[tuple[str, Result], ...] = (
    ("by_role", {"secboot_apply_trial": True, "secboot_apply_stage": "running"} | RESTART),
    ("by_role_again", {"secboot_apply_trial": True, "secboot_apply_stage": "running"} | RESTART),
    (
        "in_a_tree",
        {
            "secboot_apply_root": "/root/tree",
            "secboot_apply_profile": "own",
            "secboot_apply_profile_files": {
                "/etc/secboot/profiles/own.yaml": "version: 1\nextends: guest\n"
            },
            "secboot_apply_stage": "inherited",
        },
    ),
)
"""The runs of the role after these steps: the name of the result, and the variables."""


def write_tree(tree: Path) -> None:
    """Write the tree of an image on the machine."""
    for path, content in sample_files().items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)


@pytest.fixture(scope="module")
def played(
    pyz: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Host, dict[str, Result]]]:
    """The machine after all steps, and the result of each."""
    directory = tmp_path_factory.mktemp("states")
    with hosts(directory, ("one",)) as (started, key):
        host = started[0]
        (host.top / SECBOOT.lstrip("/")).parent.mkdir(exist_ok=True)
        shutil.copy(pyz, host.top / SECBOOT.lstrip("/"))
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
                    {"ansible.builtin.command": module}
                    if module.startswith(IPL)
                    else {module.removesuffix(" check"): options}
                ),
            }
            for name, module, options in STEPS
        ]
        for name, variables in ROLES:
            tasks += [
                {
                    "ansible.builtin.include_role": {"name": "secboot.boot.secboot_apply"},
                    "vars": ROLE | variables,
                },
                {"ansible.builtin.set_fact": {name: "{{ secboot_apply_result }}"}},
            ]
        names = [*(name for name, _, _ in STEPS), *(name for name, _ in ROLES)]
        results = ", ".join(f"'{name}': {name}" for name in (*names, "handled"))
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
        handler = {
            "name": "Note that a restart is required",
            "ansible.builtin.set_fact": {
                "handled": "{{ {'changed': false, 'times': handled.times + 1} }}"
            },
            "listen": "secboot_restart_required",
        }
        play = {
            "hosts": "all",
            "gather_facts": False,
            "module_defaults": {"group/secboot.boot.secboot": {"executable": SECBOOT}},
            "vars": {"handled": {"changed": False, "times": 0}},
            "tasks": tasks,
            "handlers": [handler],
        }
        write_tree(host.top / "root/tree")
        (directory / "states.yml").write_text(json.dumps([play]))

        done = ansible(
            "ansible-playbook", "--inventory", directory / "inventory", directory / "states.yml",
            env=ssh_environment(directory), cwd=directory,
        )  # fmt: skip

        assert done.returncode == 0, done.stdout + done.stderr
        results = json.loads((directory / "results.json").read_text())
        yield host, results


Played = tuple[Host, dict[str, Result]]


def test_a_second_run_changes_nothing(played: Played) -> None:
    _, results = played
    changing = {name for name, result in results.items() if result["changed"]}
    failing = {name: each["msg"] for name, each in results.items() if each.get("failed")}

    assert failing.keys() == {
        "nothing_to_confirm",
        "confirm_too_low",
        "tried_another",
        "too_early",
        "confirm_other",
        "failed_trial",
        "failed_confirm",
    }, failing
    assert changing == {
        *("try_checked", "tried", "booted", "confirm_checked", "confirm"),
        *("undo_checked", "undone", "dropped"),
        *("tried_in_vain", "loaded", "failed_dropped"),
        *("by_role", "in_a_tree"),
    }
    assert results["too_early_checked"]["skipped"]


def test_why_a_task_fails(played: Played) -> None:
    _, results = played

    assert "the machine does not meet the profile" in results["nothing_to_confirm"]["msg"]
    assert "stage=running or stage=effective" in results["confirm_too_low"]["msg"]
    assert results["tried_another"]["msg"].startswith("another trial has not ended: ")
    assert "secboot rollback" in results["tried_another"]["msg"]
    assert "nothing to confirm" in results["too_early"]["msg"]
    assert "not one of this profile" in results["confirm_other"]["msg"]
    for name in ("failed_trial", "failed_confirm"):
        assert "failed: the system was IPLed since" in results[name]["msg"]
        assert "secboot rollback" in results[name]["msg"]


def test_trials_in_the_results(played: Played) -> None:
    _, results = played

    assert [results[name]["trial"] for name in ("found", "applied", "back")] == [None] * 3
    assert results["tried"]["trial"] == results["waiting"]["trial"]
    assert results["tried"]["trial"] == results["try_again_checked"]["trial"]
    assert results["tried"]["trial"]["state"] == "waiting"
    assert results["tried"]["trial"]["profile"] == "guest"
    assert results["tried"]["trial"]["line"].endswith("swiotlb=262144")
    assert results["running"]["trial"]["state"] == "running"
    assert results["failed"]["trial"]["state"] == "failed"
    assert results["tried"]["checkpoint"] == results["tried_again"]["checkpoint"] == "1"
    assert results["confirm"]["checkpoint"] == "2"
    assert results["undone"]["rollback"]["undone"] == "2"


def test_when_a_restart_is_required(played: Played) -> None:
    _, results = played
    required = {name for name, each in results.items() if each.get("reboot_required")}

    # The rollback of the confirmation leaves a machine that runs with the line of the trial.
    assert required == {
        *("try_checked", "tried", "tried_again", "try_again_checked", "waiting"),
        *("undone", "undone_again", "dropped", "dropped_again"),
        *("tried_in_vain", "by_role"),
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


def test_the_role_keeps_a_trial_that_boots(played: Played) -> None:
    host, results = played

    assert results["by_role"]["trial"]["state"] == "waiting"
    assert results["by_role_again"]["trial"] is None
    assert results["handled"]["times"] == 1
    assert (host.top / "firmware/reipl/ccw/loadparm").read_text().strip() == ""
    lines = host.disk.lines()
    assert len(lines) == 3
    assert all("swiotlb=262144" in line for line in lines)


def test_the_role_changes_a_tree(played: Played) -> None:
    host, results = played
    tree = host.top / "root/tree"

    assert not results["in_a_tree"]["reboot_required"]
    assert (tree / "etc/secboot/profiles/own.yaml").exists()
    assert all(
        b"swiotlb=262144" in entry.read_bytes()
        for entry in (tree / "boot/loader/entries").iterdir()
    )
