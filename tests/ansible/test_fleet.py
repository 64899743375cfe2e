"""The role on several machines over SSH: what changes, what does not, and who stands for whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ansible.collection import ansible, environment, install_collection
from tests.ansible.hosts import Host, hosts
from tests.packaging.programs import build_pyz

pytestmark = pytest.mark.package

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  serial: 2
  roles:
    - secboot.boot.machine
  post_tasks:
    - ansible.builtin.debug:
        msg: "reboot_required={{ secboot_applied.reboot_required | default('untold') }}"
"""
RECAP = re.compile(r"^(\w+)\s+: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Fleet:
    """The machines, and how to run the playbook on them."""

    hosts: dict[str, Host]
    directory: Path
    key: Path
    pyz: Path

    def play(self, profile: str, *words: str) -> tuple[dict[str, dict[str, int]], str]:
        """Run the role with more words; the recap by host, and all that was said."""
        done = ansible(
            "ansible-playbook", "--inventory", self.directory / "inventory",
            "--extra-vars", f"secboot_profile={profile} secboot_pyz={self.pyz}",
            *words, self.directory / "playbook.yml",
            env={
                **environment(self.directory),
                "ANSIBLE_HOST_KEY_CHECKING": "False",
                "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=20 -F none",
                "ANSIBLE_PIPELINING": "True",
                "ANSIBLE_DEPRECATION_WARNINGS": "False",
            },
            cwd=self.directory,
        )  # fmt: skip
        recap = {
            name: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", rest)}
            for name, rest in RECAP.findall(done.stdout.partition("PLAY RECAP")[2])
        }
        assert recap.keys() == self.hosts.keys(), done.stdout + done.stderr
        return recap, done.stdout

    def snapshots(self) -> dict[str, dict[str, bytes]]:
        return {name: host.snapshot() for name, host in self.hosts.items()}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    pyz = build_pyz(tmp_path / "secboot.pyz")
    install_collection(tmp_path)
    (tmp_path / "playbook.yml").write_text(PLAYBOOK)
    with hosts(tmp_path, ("one", "two", "three")) as (started, key):
        common = f"ansible_user=root ansible_ssh_private_key_file={key}"
        python = "ansible_python_interpreter=/usr/bin/python3"
        (tmp_path / "inventory").write_text(
            "".join(
                f"{host.name} ansible_host=127.0.0.1 ansible_port={host.port} {common} {python}"
                f" secboot_zipl=false\n"
                for host in started
            )
        )
        yield Fleet({host.name: host for host in started}, tmp_path, key, pyz)


def changed(recap: dict[str, dict[str, int]]) -> set[str]:
    return {name for name, counts in recap.items() if counts["changed"]}


def failed(recap: dict[str, dict[str, int]]) -> set[str]:
    return {name for name, counts in recap.items() if counts["failed"] or counts["unreachable"]}


def test_a_fleet(fleet: Fleet) -> None:
    everyone = set(fleet.hosts)
    untouched = fleet.snapshots()

    # Before secboot is there: check mode writes nothing, and says what it can't tell.
    recap, said = fleet.play("guest", "--check")
    assert not failed(recap), said
    assert fleet.snapshots() == untouched
    assert {name for name, counts in recap.items() if counts["skipped"]} == everyone

    # The first run changes every machine.
    recap, said = fleet.play("guest", "--extra-vars", "secboot_stage=inherited")
    assert not failed(recap), said
    assert changed(recap) == everyone
    assert said.count("reboot_required=True") == 3
    for host in fleet.hosts.values():
        assert all(
            b"swiotlb=262144" in entry.read_bytes()
            for entry in (host.top / "boot/loader/entries").iterdir()
        )

    # What it waits for is an IPL, also for a run that finds nothing to change; here it is asked for.
    ipl = "secboot_reboot=true secboot_reboot_command=/usr/local/sbin/ipl"
    recap, said = fleet.play("guest", "--extra-vars", ipl)
    assert not failed(recap), said
    assert said.count("reboot_required=True") == 3
    for host in fleet.hosts.values():
        assert "swiotlb=262144" in (host.top / "cmdline").read_text()

    # Now a run changes nothing, and no IPL follows.
    settled = fleet.snapshots()
    booted = {name: (host.top / "boot_id").read_text() for name, host in fleet.hosts.items()}
    recap, said = fleet.play("guest", "--extra-vars", ipl)
    assert not failed(recap), said
    assert not changed(recap), said
    assert said.count("reboot_required=False") == 3
    assert fleet.snapshots() == settled
    assert {
        name: (host.top / "boot_id").read_text() for name, host in fleet.hosts.items()
    } == booted

    # Check mode tells what would change, and shows it, and changes nothing.
    before = fleet.snapshots()
    recap, said = fleet.play("guest-large", "--check", "--diff")
    assert not failed(recap), said
    assert changed(recap) == everyone
    assert said.count("+options root=/dev/mapper/rhel-root") == 9
    assert fleet.snapshots() == before

    # A machine whose boot files zipl would refuse fails alone, and stays as it is.
    broken = fleet.hosts["two"]
    (broken.top / "etc/zipl.conf").write_text("[defaultboot]\nnonsense\n")
    as_broken = broken.snapshot()
    recap, said = fleet.play("guest-large")
    assert failed(recap) == {"two"}
    assert changed(recap) == {"one", "three"}
    assert broken.snapshot() == as_broken
    assert "/etc/zipl.conf:2:1: zipl would refuse this" in said
