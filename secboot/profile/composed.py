"""The parsed YAML of the shipped profiles. Written by packaging/generate: do not edit.

`secboot.profile.document` uses these nodes for a text whose digest is listed here.
"""

from __future__ import annotations

Composed = tuple["str | list[Composed] | tuple[tuple[Composed, Composed], ...]", int, int]
"""An unquoted scalar, a list or the pairs of a mapping; then its line and column."""

# fmt: off
COMPOSED: dict[str, Composed] = {
    "8c98e97f2df27c10939fa63cd3c95f87dc766fb7eefe5984e6d2b2e1a32602ed": ((
        (('version', 3, 1), ('1', 3, 10)),
        (('role', 4, 1), ('host', 4, 7)),
        (('description', 5, 1), ('KVM host for guests in IBM Secure Execution mode', 5, 14)),
        (('parameters', 7, 1), ((
            (('prot_virt', 10, 3), ('1', 10, 14)),
        ), 10, 3)),
        (('entries', 15, 1), ('all', 15, 10)),
    ), 3, 1),
    "471f6f9bf18427b08a88150ecbd2f9ec6b87eb831efa82ba9a7676b185466cb4": ((
        (('version', 3, 1), ('1', 3, 10)),
        (('description', 4, 1), ('KVM host without IBM Secure Execution (undoes host)', 4, 14)),
        (('parameters', 6, 1), ((
            (('prot_virt', 9, 3), ('0', 9, 14)),
        ), 9, 3)),
        (('entries', 11, 1), ('all', 11, 10)),
    ), 3, 1),
    "00e3d6e004e7949b978d8d533806ad6a1f51af9a44e3cfd0636f0a6d01ab3786": ((
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
    "f150ac6eaaf816586854dd1784edf10bdbb7cc5d36ddf02cedded7544fc4208a": ((
        (('version', 4, 1), ('1', 4, 10)),
        (('extends', 5, 1), ('guest', 5, 10)),
        (('description', 6, 1), ('Guest in IBM Secure Execution mode with heavy I/O (bounce buffer of 1 GiB)', 6, 14)),
        (('parameters', 8, 1), ((
            (('swiotlb', 9, 3), ((
                (('at_least', 10, 5), ('1 GiB', 10, 15)),
            ), 10, 5)),
        ), 9, 3)),
    ), 4, 1),
    "3f0ee618460ed89a4114f6b0fd724ecfc6487c96e9d9f52090e6befb53806e4c": ((
        (('version', 6, 1), ('1', 6, 10)),
        (('extends', 7, 1), ('guest', 7, 10)),
        (('description', 8, 1), ('Guest in IBM Secure Execution mode, parameters for its image (no shell on the console)', 8, 14)),
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
    "81486c7ec7f4cffbfeed0649237adfa4fb973ba7f11757025dd9932c42d85271": ((
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
