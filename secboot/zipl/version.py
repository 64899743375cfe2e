"""zipl's version, and what depends on it.

The releases are those in CHANGELOG.md of s390-tools; distributions have some of these features
earlier, as patches. The comparison with real binaries covers 2.16 and 2.40.
"""

from __future__ import annotations

import re
from enum import StrEnum

from secboot.named_tuple import NamedTuple

_PATTERN = r"\bversion\s+(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?"


class BlsOrder(StrEnum):
    """Which variant of zipl sorts the entries."""

    UPSTREAM = "zipl"
    """IBM's: by version, or by file name, compared with strverscmp(3)."""
    RED_HAT = "rpm"
    """Red Hat's and Fedora's: by file name, compared as rpm compares name, version and release."""


class ZiplVersion(NamedTuple):
    """A release of s390-tools, such as 2.40.0, and its order of BLS entries."""

    major: int
    minor: int
    patch: int = 0
    order: BlsOrder = BlsOrder.UPSTREAM

    @classmethod
    def parse(cls, text: str) -> ZiplVersion | None:
        """Read the output of ``zipl --version``; None if it contains no version."""
        found = re.search(_PATTERN, text)
        if found is None:
            return None
        return cls(int(found[1]), int(found[2]), int(found[3] or 0))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def knows_optional(self) -> bool:
        """Whether `optional=` is a keyword: upstream since 2.21, as a patch in Debian's 2.16."""
        return self[:3] >= (2, 16)

    @property
    def asks_machine_for_kdump_limit(self) -> bool:
        """Whether the machine defines the limit of kdump's address (since 2.17); before, 32 MiB."""
        return self[:3] >= (2, 17)

    @property
    def reads_environment(self) -> bool:
        """Whether zipl has an environment, and so ``${NAME}`` in parameters (since 2.18)."""
        return self[:3] >= (2, 18)

    @property
    def asks_image_for_limit(self) -> bool:
        """Whether the kernel image defines the maximum length of a parameter line (since 2.20)."""
        return self[:3] >= (2, 20)

    @property
    def bls_inherits_target(self) -> bool:
        """Whether BLS entries inherit `target` from the default section or menu (since 2.21)."""
        return self[:3] >= (2, 21)

    @property
    def takes_any_optional(self) -> bool:
        """Whether every value of `optional=` means 1, as in the patch of Debian's 2.16."""
        return self[:3] < (2, 21)

    @property
    def sorts_bls_by_version(self) -> bool:
        """Whether BLS entries are sorted by `version` if every file has one (since 2.22).

        Red Hat's zipl compares file names in all releases.
        """
        return self.order is BlsOrder.UPSTREAM and self[:3] >= (2, 22)

    @property
    def is_newer_than_model(self) -> bool:
        """Whether it is newer than the newest release that this model was compared with."""
        return self[:2] > NEWEST[:2]


CURRENT = ZiplVersion(2, 40)
"""The release to assume if the installed one is unknown."""
NEWEST = ZiplVersion(2, 43)
"""The newest release that this model was compared with."""
