"""Counts for the last lines of a test run: what was compared, booted and survived."""

from collections import Counter

_KINDS = ("compared", "applies", "fixed", "changed")
COUNTS: Counter[str] = Counter()
"""Counted in this process since the last report; `reporting` moves it into the test reports."""


def compared(version: str, *, accepted: bool, disagreements: int = 0) -> None:
    """Count one configuration for which secboot was compared with this zipl."""
    COUNTS[f"compared {version}"] += 1
    COUNTS[f"accepted {version}"] += int(accepted)
    COUNTS["disagreements"] += disagreements


def applied(version: str, entries: int) -> None:
    """Count one apply after which this zipl showed this many entries as planned."""
    COUNTS[f"applies {version}"] += 1
    COUNTS[f"entries {version}"] += entries


def fixed(version: str, entries: int) -> None:
    """Count one repair that this zipl accepted, with this many entries as planned."""
    COUNTS[f"fixed {version}"] += 1
    COUNTS[f"lines {version}"] += entries


def changed(version: str) -> None:
    """Count one machine where this zipl ran, and whose choices were correct after changes."""
    COUNTS[f"changed {version}"] += 1


def disagreed() -> None:
    """Count a disagreement that is found before anything is counted as compared."""
    COUNTS["disagreements"] += 1


def booted() -> None:
    """Count one start of an s390x machine."""
    COUNTS["IPLs"] += 1


def lived(version: str, steps: Counter[str]) -> None:
    """Count the steps of one machine's life with this zipl, each with all checks passed."""
    COUNTS["lives"] += 1
    COUNTS[f"lives {version}"] += 1
    COUNTS.update({f"steps {name}": count for name, count in steps.items()})


def survived_power_cut(model: str, *, undone: bool) -> None:
    """Count one power cut after which the machine booted and secboot recovered.

    ``model`` is how the power failed; ``undone`` whether secboot found an unfinished change.
    """
    COUNTS["power cuts"] += 1
    COUNTS[f"cuts {model}"] += 1
    COUNTS[f"undone {model}"] += int(undone)


def sentence(counts: Counter[str]) -> str:
    """Return the counts as one line; empty if nothing was counted."""
    parts = [
        f"zipl {version}: {counts[f'compared {version}']} configurations compared"
        f" ({counts[f'accepted {version}']} of them accepted),"
        f" {counts[f'applies {version}']} applies"
        f" ({counts[f'entries {version}']} entries as planned),"
        f" {counts[f'fixed {version}']} repairs"
        f" ({counts[f'lines {version}']} entries as planned),"
        f" {counts[f'changed {version}']} machines changed after it ran"
        for version in sorted(set().union(*(_each(f"{kind} ", counts) for kind in _KINDS)))
    ]
    if parts:
        parts.append(f"{counts['disagreements']} disagreements")
    if counts["IPLs"]:
        parts.append(f"{counts['IPLs']} IPLs")
    if counts["power cuts"]:
        models = ", ".join(
            f"{counts[f'cuts {model}']} {model}, {counts[f'undone {model}']} of them with a change"
            " to undo"
            for model in sorted(_each("cuts ", counts))
        )
        parts.append(f"{counts['power cuts']} power cuts survived ({models})")
    if counts["lives"]:
        steps = {name: counts[f"steps {name}"] for name in sorted(_each("steps ", counts))}
        kinds = ", ".join(f"{count} {name}" for name, count in steps.items())
        versions = ", ".join(sorted(_each("lives ", counts)))
        parts.append(
            f"{sum(steps.values())} steps in {counts['lives']} machines' lives"
            f" with zipl {versions} ({kinds})"
        )
    return "; ".join(parts)


def _each(prefix: str, counts: Counter[str]) -> set[str]:
    return {name.removeprefix(prefix) for name in counts if name.startswith(prefix)}
