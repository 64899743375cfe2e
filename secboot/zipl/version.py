"""zipl's version, and what depends on it.

The releases are those of s390-tools' CHANGELOG.md; distributions carry some of these
features earlier, as patches. The comparison with real binaries covers 2.16 and 2.40.
"""

from __future__ import annotations

import re
from enum import StrEnum

from secboot.named_tuple import NamedTuple

_PATTERN = r"\bversion\s+(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?"


class BlsOrder(StrEnum):
    """Whose zipl sorts the entries."""

    UPSTREAM = "zipl"
    """IBM's: by version, or by file name, as strverscmp(3) compares."""
    RED_HAT = "rpm"
    """That of Red Hat and Fedora: by file name, as rpm compares name, version and release."""


class ZiplVersion(NamedTuple):
    """A release of s390-tools, such as 2.40.0, and whose order of BLS entries it has."""

    major: int
    minor: int
    patch: int = 0
    order: BlsOrder = BlsOrder.UPSTREAM

    @classmethod
    def parse(cls, text: str) -> ZiplVersion | None:
        """Read the output of ``zipl --version``, or None if it holds no version."""
        found = re.search(_PATTERN, text)
        if found is None:
            return None
        return cls(int(found[1]), int(found[2]), int(found[3] or 0))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def knows_optional(self) -> bool:
        """Whether `optional=` is a keyword: upstream since 2.21, in Debian's 2.16 as a patch."""
        return self[:3] >= (2, 16)

    @property
    def asks_machine_for_kdump_limit(self) -> bool:
        """Whether the machine says how high kdump may be loaded; before, 32 MiB (2.17)."""
        return self[:3] >= (2, 17)

    @property
    def reads_environment(self) -> bool:
        """Whether there is a zIPL environment, and so ``${NAME}`` in parameters (2.18)."""
        return self[:3] >= (2, 18)

    @property
    def asks_image_for_limit(self) -> bool:
        """Whether the kernel image says how long a parameter line may be (2.20)."""
        return self[:3] >= (2, 20)

    @property
    def bls_inherits_target(self) -> bool:
        """Whether BLS entries inherit `target` from the default section or menu (2.21)."""
        return self[:3] >= (2, 21)

    @property
    def takes_any_optional(self) -> bool:
        """Whether each value of `optional=` means 1, as in the patch of Debian's 2.16."""
        return self[:3] < (2, 21)

    @property
    def sorts_bls_by_version(self) -> bool:
        """Whether BLS entries are sorted by `version` when each file has one (2.22).

        Red Hat's zipl compares file names, whatever its release.
        """
        return self.order is BlsOrder.UPSTREAM and self[:3] >= (2, 22)

    @property
    def is_newer_than_model(self) -> bool:
        """Whether it is newer than the newest release that this model was compared with."""
        return self[:2] > NEWEST[:2]


CURRENT = ZiplVersion(2, 40)
"""The release to assume where the installed one is not known."""
NEWEST = ZiplVersion(2, 43)
"""The newest release that this model was compared with."""
