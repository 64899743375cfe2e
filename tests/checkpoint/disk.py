"""A model of the content of a disk after a power loss, built from a trace of system calls.

The idea is ALICE's (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014). Each
directory and each file has its own list of operations. Synced operations are on the disk; of the
rest any number may be missing, from the end of each list on, independently of all other lists:
the content of a file may be missing although its rename is there, a rename in one directory although a
later one in another is there. ext4, XFS and btrfs guarantee more, so this test is stricter.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CALL = re.compile(
    r"^(?P<name>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\d+)(?:<(?P<opened>[^>]*)>)?"
)
_TEXT = r'"((?:[^"\\]|\\.)*)"'
_IN = r"\d+<([^>]*)>, " + _TEXT


@dataclass
class Node:
    """A file or directory: its original state, and the operations on it since, in order."""

    number: int
    entries: dict[str, int] | None = None
    data: bytes = b""
    mode: int = 0o644
    operations: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)
    synced: int = 0

    def keeps(self, count: int) -> Node:
        """Return the node after the first `count` operations."""
        kept = Node(self.number, None if self.entries is None else dict(self.entries))
        kept.data, kept.mode = self.data, self.mode
        for name, arguments in self.operations[:count]:
            getattr(kept, f"_{name}")(*arguments)
        return kept

    def _write(self, offset: int, data: bytes) -> None:
        padded = self.data.ljust(offset, b"\0")
        self.data = padded[:offset] + data + padded[offset + len(data) :]

    def _truncate(self, size: int) -> None:
        self.data = self.data[:size].ljust(size, b"\0")

    def _chmod(self, mode: int) -> None:
        self.mode = mode

    def _add(self, name: str, number: int) -> None:
        assert self.entries is not None
        self.entries[name] = number

    def _rename(self, old: str, new: str) -> None:
        assert self.entries is not None
        if old in self.entries:
            self.entries[new] = self.entries.pop(old)

    def _exchange(self, one: str, other: str) -> None:
        assert self.entries is not None
        if one in self.entries and other in self.entries:
            self.entries[one], self.entries[other] = self.entries[other], self.entries[one]

    def _remove(self, name: str) -> None:
        assert self.entries is not None
        self.entries.pop(name, None)


class Disk:
    """The nodes of a tree, loaded from a real tree, to which traced calls are added."""

    def __init__(self, tree: Path) -> None:
        self._base = str(tree)
        self.nodes: list[Node] = []
        self._offsets: dict[str, int] = {}
        self.root = self._load(tree)

    def _load(self, path: Path) -> int:
        node = Node(len(self.nodes), mode=path.stat().st_mode & 0o7777)
        self.nodes.append(node)
        if path.is_dir():
            node.entries = {
                entry.name: self._load(entry)
                for entry in sorted(path.iterdir())
                if not entry.is_symlink()
            }
        else:
            node.data = path.read_bytes()
        return node.number

    def _new(self, *, directory: bool) -> int:
        self.nodes.append(Node(len(self.nodes), {} if directory else None, mode=0o600))
        return len(self.nodes) - 1

    def find(self, path: str) -> Node | None:
        """Return the node at an absolute path of this machine, as the running system sees it."""
        if path != self._base and not path.startswith(f"{self._base}/"):
            return None
        node = self.nodes[self.root].keeps(len(self.nodes[self.root].operations))
        for name in path[len(self._base) :].strip("/").split("/"):
            if name:
                found = (node.entries or {}).get(name)
                if found is None:
                    return None
                node = self.nodes[found].keeps(len(self.nodes[found].operations))
        return self.nodes[node.number]

    def add(self, line: str) -> bool:
        """Add a line of strace's output; return whether it changed or synced anything here."""
        call = _CALL.match(line)
        if call is None or int(call["result"]) < 0:
            return False
        action = getattr(self, f"_call_{call['name']}", None)
        return action is not None and bool(action(call["arguments"], call))

    def _do(self, path: str, name: str, *arguments: object) -> bool:
        node = self.find(path)
        if node is not None:
            node.operations.append((name, arguments))
        return node is not None

    def _call_openat(self, arguments: str, call: re.Match[str]) -> bool:
        opened = call["opened"]
        self._offsets[opened] = 0
        if "O_CREAT" not in arguments or self.find(opened) is not None:
            return "O_TRUNC" in arguments and self._do(opened, "truncate", 0)
        directory, _, name = opened.rpartition("/")
        return self._do(directory, "add", name, self._new(directory=False))

    def _call_mkdirat(self, arguments: str, _: re.Match[str]) -> bool:
        directory, name = _in_directory(arguments)
        return self._do(directory, "add", name, self._new(directory=True))

    def _call_write(self, arguments: str, _: re.Match[str]) -> bool:
        path, data = _file_and_data(arguments)
        offset = self._offsets.get(path, 0)
        self._offsets[path] = offset + len(data)
        return self._do(path, "write", offset, data)

    def _call_pwrite64(self, arguments: str, _: re.Match[str]) -> bool:
        path, data = _file_and_data(arguments)
        return self._do(path, "write", int(arguments.rpartition(", ")[2]), data)

    def _call_ftruncate(self, arguments: str, _: re.Match[str]) -> bool:
        return self._do(_file(arguments), "truncate", int(arguments.rpartition(", ")[2]))

    def _call_fchmod(self, arguments: str, _: re.Match[str]) -> bool:
        return self._do(_file(arguments), "chmod", int(arguments.rpartition(", ")[2], 8))

    def _call_renameat(self, arguments: str, _: re.Match[str]) -> bool:
        (directory, old), (other, new) = _two_in_directories(arguments)
        assert directory == other, "a rename between directories is not in the model"
        return self._do(directory, "rename", old, new)

    def _call_renameat2(self, arguments: str, _: re.Match[str]) -> bool:
        (directory, old), (other, new) = _two_in_directories(arguments)
        assert directory == other, "a rename between directories is not in the model"
        operation = "exchange" if "RENAME_EXCHANGE" in arguments else "rename"
        return self._do(directory, operation, old, new)

    def _call_linkat(self, arguments: str, _: re.Match[str]) -> bool:
        (directory, old), (other, new) = _two_in_directories(arguments)
        linked = self.find(f"{directory}/{old}")
        return linked is not None and self._do(other, "add", new, linked.number)

    def _call_unlinkat(self, arguments: str, _: re.Match[str]) -> bool:
        directory, name = _in_directory(arguments)
        return self._do(directory, "remove", name)

    def _call_fsync(self, arguments: str, _: re.Match[str]) -> bool:
        node = self.find(_file(arguments))
        if node is None:
            return False
        node.synced = len(node.operations)
        return True

    _call_fdatasync = _call_fsync

    def write_out(self, kept: Mapping[int, int], tree: Path) -> None:
        """Create the tree as found after a power loss, with `kept` operations of each node."""
        self._write_out(self.root, kept, tree)

    def _write_out(self, number: int, kept: Mapping[int, int], path: Path) -> None:
        node = self.nodes[number].keeps(kept.get(number, self.nodes[number].synced))
        if node.entries is None:
            path.write_bytes(node.data)
        else:
            path.mkdir(parents=True, exist_ok=True)
            for name, inner in node.entries.items():
                self._write_out(inner, kept, path / name)
        path.chmod(node.mode)

    def crash_states(self) -> Iterator[dict[int, int]]:
        """Return how many operations of each node may be on the disk if the power fails now."""
        pending = [node for node in self.nodes if node.synced < len(node.operations)]
        least = {node.number: node.synced for node in self.nodes}
        most = {node.number: len(node.operations) for node in self.nodes}
        yield least
        yield most
        for node in pending:
            for count in range(node.synced, len(node.operations) + 1):
                yield least | {node.number: count}
                yield most | {node.number: count}


def _file(arguments: str) -> str:
    found = re.match(r"\d+<([^>]*)>", arguments)
    assert found is not None, arguments
    return found[1]


def _file_and_data(arguments: str) -> tuple[str, bytes]:
    found = re.match(_IN, arguments)
    assert found is not None, arguments
    return found[1], _bytes(found[2])


def _in_directory(arguments: str) -> tuple[str, str]:
    found = re.match(_IN, arguments)
    assert found is not None, arguments
    return found[1], _bytes(found[2]).decode()


def _two_in_directories(arguments: str) -> tuple[tuple[str, str], tuple[str, str]]:
    found = re.match(_IN + ", " + _IN, arguments)
    assert found is not None, arguments
    return (found[1], _bytes(found[2]).decode()), (found[3], _bytes(found[4]).decode())


def _bytes(text: str) -> bytes:
    """Return the bytes that strace shows as a C string."""
    data = ast.literal_eval(f'b"{text}"')
    assert isinstance(data, bytes)
    return data
