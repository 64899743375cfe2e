"""What the YAML of the shipped profiles says. Made by packaging/generate: do not edit.

`secboot.profile.document` takes a text's nodes from here if its digest is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.profile.nodes import Mapping, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.profile.nodes import Node

# fmt: off


def _host(path: str) -> Node:
    return Mapping((
        (Scalar('version', True, Location(path, 3, 1)), Scalar('1', True, Location(path, 3, 10))),
        (Scalar('role', True, Location(path, 4, 1)), Scalar('host', True, Location(path, 4, 7))),
        (Scalar('description', True, Location(path, 5, 1)), Scalar('KVM host for guests in IBM Secure Execution mode', True, Location(path, 5, 14))),
        (Scalar('parameters', True, Location(path, 7, 1)), Mapping((
            (Scalar('prot_virt', True, Location(path, 10, 3)), Scalar('1', True, Location(path, 10, 14))),
        ), Location(path, 10, 3))),
        (Scalar('entries', True, Location(path, 15, 1)), Scalar('all', True, Location(path, 15, 10))),
    ), Location(path, 3, 1))


def _host_off(path: str) -> Node:
    return Mapping((
        (Scalar('version', True, Location(path, 3, 1)), Scalar('1', True, Location(path, 3, 10))),
        (Scalar('description', True, Location(path, 4, 1)), Scalar('KVM host without IBM Secure Execution (undoes host)', True, Location(path, 4, 14))),
        (Scalar('parameters', True, Location(path, 6, 1)), Mapping((
            (Scalar('prot_virt', True, Location(path, 9, 3)), Scalar('0', True, Location(path, 9, 14))),
        ), Location(path, 9, 3))),
        (Scalar('entries', True, Location(path, 11, 1)), Scalar('all', True, Location(path, 11, 10))),
    ), Location(path, 3, 1))


def _guest(path: str) -> Node:
    return Mapping((
        (Scalar('version', True, Location(path, 4, 1)), Scalar('1', True, Location(path, 4, 10))),
        (Scalar('role', True, Location(path, 5, 1)), Scalar('guest', True, Location(path, 5, 7))),
        (Scalar('description', True, Location(path, 6, 1)), Scalar('Guest in IBM Secure Execution mode (bounce buffer of 512 MiB)', True, Location(path, 6, 14))),
        (Scalar('parameters', True, Location(path, 8, 1)), Mapping((
            (Scalar('swiotlb', True, Location(path, 9, 3)), Mapping((
                (Scalar('at_least', True, Location(path, 12, 5)), Scalar('512 MiB', True, Location(path, 12, 15))),
            ), Location(path, 12, 5))),
        ), Location(path, 9, 3))),
        (Scalar('entries', True, Location(path, 16, 1)), Scalar('all', True, Location(path, 16, 10))),
    ), Location(path, 4, 1))


def _guest_large(path: str) -> Node:
    return Mapping((
        (Scalar('version', True, Location(path, 4, 1)), Scalar('1', True, Location(path, 4, 10))),
        (Scalar('extends', True, Location(path, 5, 1)), Scalar('guest', True, Location(path, 5, 10))),
        (Scalar('description', True, Location(path, 6, 1)), Scalar('Guest in IBM Secure Execution mode with heavy I/O (bounce buffer of 1 GiB)', True, Location(path, 6, 14))),
        (Scalar('parameters', True, Location(path, 8, 1)), Mapping((
            (Scalar('swiotlb', True, Location(path, 9, 3)), Mapping((
                (Scalar('at_least', True, Location(path, 10, 5)), Scalar('1 GiB', True, Location(path, 10, 15))),
            ), Location(path, 10, 5))),
        ), Location(path, 9, 3))),
    ), Location(path, 4, 1))


def _guest_off(path: str) -> Node:
    return Mapping((
        (Scalar('version', True, Location(path, 3, 1)), Scalar('1', True, Location(path, 3, 10))),
        (Scalar('description', True, Location(path, 4, 1)), Scalar('Guest without IBM Secure Execution (undoes guest)', True, Location(path, 4, 14))),
        (Scalar('parameters', True, Location(path, 6, 1)), Mapping((
            (Scalar('swiotlb', True, Location(path, 7, 3)), Mapping((
                (Scalar('absent', True, Location(path, 8, 5)), Scalar('true', True, Location(path, 8, 13))),
            ), Location(path, 8, 5))),
        ), Location(path, 7, 3))),
        (Scalar('entries', True, Location(path, 10, 1)), Scalar('all', True, Location(path, 10, 10))),
    ), Location(path, 3, 1))


COMPOSED: dict[str, Callable[[str], Node]] = {
    "85ee1c12280a9b359762749aed036dca181bca4adc9753b17bbc3c2ca2ce0b51": _host,
    "9e1c1e31efded5e2b5fa921624aba8c91617c6b67b652448e966aff1735755bf": _host_off,
    "36aa36b26e6d9609344d7b60e18ccbc2b6c9ddace90f8b473310879b423cf527": _guest,
    "cd556b58acbf0e3492fab2499ed2c756964bf0433fe4f85617353413c2f008d9": _guest_large,
    "58305fc59c0cf3e831d58ac8496bdf83a4c4f100d9f8e85964862af9b8785012": _guest_off,
}
"""By SHA-256 of a text: the nodes of that text, given the path that their places have."""
