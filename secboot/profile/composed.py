"""What the YAML of the shipped profiles says. Made by packaging/generate: do not edit.

`secboot.profile.document` takes a text's nodes from here if its digest is here.
"""

from __future__ import annotations

Composed = tuple["str | list[Composed] | tuple[tuple[Composed, Composed], ...]", int, int]
"""A scalar without quotes, a list or a mapping's pairs; then its line and column."""

# fmt: off
COMPOSED: dict[str, Composed] = {
    "85ee1c12280a9b359762749aed036dca181bca4adc9753b17bbc3c2ca2ce0b51": ((
        (('version', 3, 1), ('1', 3, 10)),
        (('role', 4, 1), ('host', 4, 7)),
        (('description', 5, 1), ('KVM host for guests in IBM Secure Execution mode', 5, 14)),
        (('parameters', 7, 1), ((
            (('prot_virt', 10, 3), ('1', 10, 14)),
        ), 10, 3)),
        (('entries', 15, 1), ('all', 15, 10)),
    ), 3, 1),
    "9e1c1e31efded5e2b5fa921624aba8c91617c6b67b652448e966aff1735755bf": ((
        (('version', 3, 1), ('1', 3, 10)),
        (('description', 4, 1), ('KVM host without IBM Secure Execution (undoes host)', 4, 14)),
        (('parameters', 6, 1), ((
            (('prot_virt', 9, 3), ('0', 9, 14)),
        ), 9, 3)),
        (('entries', 11, 1), ('all', 11, 10)),
    ), 3, 1),
    "b6d05c275703dd2d798d26e732b67b7abdd48ec6aa0cdfa804427ba464a41145": ((
        (('version', 4, 1), ('1', 4, 10)),
        (('role', 5, 1), ('guest', 5, 7)),
        (('description', 6, 1), ('Guest in IBM Secure Execution mode (bounce buffer of 512 MiB)', 6, 14)),
        (('parameters', 8, 1), ((
            (('swiotlb', 9, 3), ((
                (('at_least', 12, 5), ('512 MiB', 12, 15)),
            ), 12, 5)),
        ), 9, 3)),
        (('entries', 16, 1), ('all', 16, 10)),
    ), 4, 1),
    "6343b859360ba8198a4428134de0fb09eae0759dacc8ead97755e4babf865a69": ((
        (('version', 4, 1), ('1', 4, 10)),
        (('extends', 5, 1), ('guest', 5, 10)),
        (('description', 6, 1), ('Guest in IBM Secure Execution mode with heavy I/O (bounce buffer of 1 GiB)', 6, 14)),
        (('parameters', 8, 1), ((
            (('swiotlb', 9, 3), ((
                (('at_least', 10, 5), ('1 GiB', 10, 15)),
            ), 10, 5)),
        ), 9, 3)),
    ), 4, 1),
    "2232c7cf6cef01bbda781379ba07f755f69d0376a1593526677f9374083744dc": ((
        (('version', 6, 1), ('1', 6, 10)),
        (('extends', 7, 1), ('guest', 7, 10)),
        (('description', 8, 1), ('Guest in IBM Secure Execution mode, for the line of its image (no shell on the console)', 8, 14)),
        (('parameters', 10, 1), ((
            (('panic', 13, 3), ('0', 13, 10)),
            (('rd.shell', 15, 3), ('0', 15, 13)),
            (('quiet', 17, 3), ((
                (('present', 17, 11), ('true', 17, 20)),
            ), 17, 10)),
            (('console', 19, 3), ((
                (('includes', 19, 13), ([('ttysclp0', 19, 24)], 19, 23)),
            ), 19, 12)),
            (('blacklist', 21, 3), ((
                (('includes', 21, 15), ([('virtio_rng', 21, 26)], 21, 25)),
            ), 21, 14)),
        ), 13, 3)),
    ), 6, 1),
    "58305fc59c0cf3e831d58ac8496bdf83a4c4f100d9f8e85964862af9b8785012": ((
        (('version', 3, 1), ('1', 3, 10)),
        (('description', 4, 1), ('Guest without IBM Secure Execution (undoes guest)', 4, 14)),
        (('parameters', 6, 1), ((
            (('swiotlb', 7, 3), ((
                (('absent', 8, 5), ('true', 8, 13)),
            ), 8, 5)),
        ), 7, 3)),
        (('entries', 10, 1), ('all', 10, 10)),
    ), 3, 1),
}
"""By SHA-256 of a text."""
