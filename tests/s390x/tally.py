"""Counts for the last lines of a test run: what was compared, booted and survived."""

from collections import Counter

_KINDS = ("compared", "applies", "fixed", "changed")
COUNTS: Counter[str] = Counter()
"""Counted in this process since the last report; `reporting` moves it into the test reports."""


def compared(version: str, *, accepted: bool, disagreements: int = 0) -> None:
    """Note that secboot's reading of one configuration was compared with this zipl's."""
    COUNTS[f"compared {version}"] += 1
    COUNTS[f"accepted {version}"] += int(accepted)
    COUNTS["disagreements"] += disagreements


def applied(version: str, entries: int) -> None:
    """Note one apply after which this zipl showed so many entries as the plan had said."""
    COUNTS[f"applies {version}"] += 1
    COUNTS[f"entries {version}"] += entries


def fixed(version: str, entries: int) -> None:
    """Note one repair that this zipl accepted, with so many entries as the plan had said."""
    COUNTS[f"fixed {version}"] += 1
    COUNTS[f"lines {version}"] += entries


def changed(version: str) -> None:
    """Note one machine on which this zipl ran, and whose choices were right after changes."""
    COUNTS[f"changed {version}"] += 1


def disagreed() -> None:
    """Note a disagreement that is found before anything is counted as compared."""
    COUNTS["disagreements"] += 1


def booted() -> None:
    """Note one start of an s390x machine."""
    COUNTS["IPLs"] += 1


def lived(version: str, steps: Counter[str]) -> None:
    """Note the steps of one machine's life with this zipl, after each of which all was well."""
    COUNTS["lives"] += 1
    COUNTS[f"lives {version}"] += 1
    COUNTS.update({f"steps {name}": count for name, count in steps.items()})


def survived_power_cut(model: str, *, undone: bool) -> None:
    """Note one power cut after which the machine came up and secboot put things in order.

    ``model`` is how the power failed; ``undone`` tells whether secboot found a change half done.
    """
    COUNTS["power cuts"] += 1
    COUNTS[f"cuts {model}"] += 1
    COUNTS[f"undone {model}"] += int(undone)


def sentence(counts: Counter[str]) -> str:
    """Say it in one line; empty when nothing was counted."""
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
