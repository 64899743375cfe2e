"""Counts for the last lines of a test run: what was compared, booted and survived."""

from collections import Counter

COUNTS: Counter[str] = Counter()
"""Counted in this process since the last report; `conftest` moves it into the test reports."""


def compared(version: str, configurations: int = 1, disagreements: int = 0) -> None:
    """Note that secboot's reading was compared with this zipl's."""
    COUNTS[f"compared {version}"] += configurations
    COUNTS["disagreements"] += disagreements


def booted() -> None:
    """Note one start of an s390x machine."""
    COUNTS["IPLs"] += 1


def survived_power_cut() -> None:
    """Note one power cut after which the machine came up and secboot put things in order."""
    COUNTS["power cuts"] += 1


def sentence(counts: Counter[str]) -> str:
    """Say it in one line; empty when nothing was counted."""
    parts = [
        f"{counts[name]} configurations compared with zipl {name.removeprefix('compared ')}"
        for name in sorted(counts)
        if name.startswith("compared ")
    ]
    if parts:
        parts.append(f"{counts['disagreements']} disagreements")
    if counts["IPLs"]:
        parts.append(f"{counts['IPLs']} IPLs")
    if counts["power cuts"]:
        parts.append(f"{counts['power cuts']} power cuts survived")
    return ", ".join(parts)
