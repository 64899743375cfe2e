"""The role on several machines over SSH: what changes, what does not, and which machines fail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ansible.collection import ansible, environment, install_collection
from tests.ansible.hosts import Host, hosts

pytestmark = pytest.mark.package

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  serial: 2
  roles:
    - secboot.boot.secboot_apply
  post_tasks:
    - ansible.builtin.debug:
        msg: "reboot_required={{ secboot_apply_result.reboot_required | default('untold') }}"
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
        """Run the role with more words; return the recap by host, and the whole output."""
        done = ansible(
            "ansible-playbook", "--inventory", self.directory / "inventory",
            "--extra-vars", f"secboot_apply_profile={profile} secboot_apply_pyz={self.pyz}",
            *words, self.directory / "playbook.yml",
            env=ssh_environment(self.directory), cwd=self.directory,
        )  # fmt: skip
        recap = {
            name: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", rest)}
            for name, rest in RECAP.findall(done.stdout.partition("PLAY RECAP")[2])
        }
        assert recap.keys() == self.hosts.keys(), done.stdout + done.stderr
        return recap, done.stdout

    def snapshots(self) -> dict[str, dict[str, bytes]]:
        return {name: host.snapshot() for name, host in self.hosts.items()}


def ssh_environment(home: Path) -> dict[str, str]:
    """Return an environment for Ansible that reaches machines over SSH."""
    return {
        **environment(home),
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=20 -F none",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
    }


def write_inventory(
    file: Path, machines: list[Host], key: Path, own: Mapping[str, str] | None = None
) -> None:
    """Write the inventory of these machines; `own` are further variables by name."""
    file.write_text(
        "".join(
            f"{host.name} ansible_host=127.0.0.1 ansible_port={host.port} ansible_user=root"
            f" ansible_ssh_private_key_file={key} ansible_python_interpreter=/usr/bin/python3"
            f" {(own or {}).get(host.name, '')}\n"
            for host in machines
        )
    )


@pytest.fixture
def fleet(pyz: Path, tmp_path: Path) -> Iterator[Fleet]:
    with hosts(tmp_path, ("one", "two", "three")) as (started, key):
        install_collection(tmp_path)
        (tmp_path / "playbook.yml").write_text(PLAYBOOK)
        write_inventory(tmp_path / "inventory", started, key, {"three": "secboot_apply_zipl=false"})
        yield Fleet({host.name: host for host in started}, tmp_path, key, pyz)


def changed(recap: dict[str, dict[str, int]]) -> set[str]:
    return {name for name, counts in recap.items() if counts["changed"]}


def failed(recap: dict[str, dict[str, int]]) -> set[str]:
    return {name for name, counts in recap.items() if counts["failed"] or counts["unreachable"]}


def calls(fleet: Fleet) -> dict[str, int]:
    return {name: host.disk.calls() for name, host in fleet.hosts.items()}


def runs(fleet: Fleet) -> dict[str, int]:
    """How often zipl has written the boot record of each machine."""
    return {name: len(host.disk.runs()) for name, host in fleet.hosts.items()}


def boots(fleet: Fleet) -> dict[str, str]:
    return {name: (host.top / "boot_id").read_text() for name, host in fleet.hosts.items()}


def installed(fleet: Fleet, parameter: str) -> set[str]:
    """The machines whose boot record has this parameter in all entries."""
    return {
        name
        for name, host in fleet.hosts.items()
        if all(parameter in line.split() for line in host.disk.lines())
    }


STAGE = "secboot_apply_stage=installed"
ZIPL = "secboot_apply_zipl=true"
IPL = "secboot_apply_reboot=true secboot_apply_reboot_command=/usr/local/sbin/ipl"


def test_a_fleet(fleet: Fleet) -> None:
    everyone = set(fleet.hosts)
    assert [len(host.disk.lines()) for host in fleet.hosts.values()] == [3, 3, 3]
    before_secboot(fleet)

    # The first run changes every machine. On the third one zipl does not run, so a stage is missing.
    recap, said = fleet.play("guest", "--extra-vars", STAGE)
    assert changed(recap) == everyone, said
    assert failed(recap) == {"three"}
    assert "the machine does not meet the profile: installed.swiotlb" in said
    assert said.count("reboot_required=True") == 2
    assert runs(fleet) == {"one": 2, "two": 2, "three": 1}
    assert installed(fleet, "swiotlb=262144") == {"one", "two"}
    for host in fleet.hosts.values():
        assert all(
            b"swiotlb=262144" in entry.read_bytes()
            for entry in (host.top / "boot/loader/entries").iterdir()
        )

    # An IPL is required, also after a run that finds nothing to change; this run requests it.
    # The third machine needs zipl first, and an IPL would not help it.
    booted = boots(fleet)
    recap, said = fleet.play("guest", "--extra-vars", IPL)
    assert not failed(recap), said
    assert said.count("reboot_required=True") == 2
    assert {name for name, number in boots(fleet).items() if number != booted[name]} == {
        "one",
        "two",
    }
    assert runs(fleet) == {"one": 2, "two": 2, "three": 1}

    # Now a run changes nothing, and no IPL follows, except where zipl may now run.
    settled, booted, called = fleet.snapshots(), boots(fleet), calls(fleet)
    recap, said = fleet.play("guest", "--extra-vars", f"{IPL} {ZIPL} secboot_apply_stage=running")
    assert not failed(recap), said
    assert changed(recap) == {"three"}, said
    assert said.count("reboot_required=False") == 2
    for name in ("one", "two"):
        assert fleet.hosts[name].snapshot() == settled[name]
        assert boots(fleet)[name] == booted[name]
        assert calls(fleet)[name] == called[name]
    assert runs(fleet)["three"] == 2
    assert installed(fleet, "swiotlb=262144") == everyone
    for host in fleet.hosts.values():
        assert "swiotlb=262144" in (host.top / "cmdline").read_text().split()

    in_check_mode(fleet)
    with_machines_that_fail(fleet)


def before_secboot(fleet: Fleet) -> None:
    """Check mode writes nothing, and reports what it cannot know."""
    untouched, called = fleet.snapshots(), calls(fleet)

    recap, said = fleet.play("guest", "--check")

    assert not failed(recap), said
    assert fleet.snapshots() == untouched
    assert calls(fleet) == called
    assert {name for name, counts in recap.items() if counts["skipped"]} == set(fleet.hosts)


def in_check_mode(fleet: Fleet) -> None:
    """Check mode reports and shows what would change; it changes nothing and does not run zipl."""
    before, called = fleet.snapshots(), calls(fleet)

    recap, said = fleet.play("guest-large", "--check", "--diff")

    assert not failed(recap), said
    assert changed(recap) == set(fleet.hosts)
    assert said.count("+options root=/dev/mapper/rhel-root") == 9
    # On the third machine zipl does not run, so an IPL would use the old parameters.
    assert said.count("reboot_required=True") == 2
    assert fleet.snapshots() == before
    assert calls(fleet) == called


def with_machines_that_fail(fleet: Fleet) -> None:
    """One with boot files that zipl would refuse, one whose zipl fails: the other one is changed."""
    broken, unlucky = fleet.hosts["two"], fleet.hosts["three"]
    (broken.top / "etc/zipl.conf").write_text("[defaultboot]\nnonsense\n")
    unlucky.disk.fail_once()
    as_broken, as_unlucky = broken.snapshot(), boot_files(unlucky)

    recap, said = fleet.play("guest-large", "--extra-vars", f"{ZIPL} {STAGE}")

    assert failed(recap) == {"two", "three"}, said
    assert changed(recap) == {"one"}
    assert broken.snapshot() == as_broken
    assert "/etc/zipl.conf:2:1: zipl would refuse this" in said
    # The boot record was written before zipl failed, and is restored.
    assert "made to fail" in said
    assert "rolled back" in said
    assert boot_files(unlucky) == as_unlucky
    assert len(unlucky.disk.runs()) == 4
    assert installed(fleet, "swiotlb=262144") == {"two", "three"}
    assert installed(fleet, "swiotlb=524288") == {"one"}


def boot_files(host: Host) -> dict[str, bytes]:
    """The machine's boot files; secboot's own records and zipl's file are left out."""
    return {
        path: content
        for path, content in host.snapshot().items()
        if path.startswith(("boot/", "etc/")) and path != "boot/bootmap"
    }
