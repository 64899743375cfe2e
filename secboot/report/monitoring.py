"""The checks of ``secboot verify`` for monitoring: metrics, and the line of a plugin.

The metrics are in the text exposition format 0.0.4 of Prometheus, for the textfile collector of its
node_exporter: write them to a file whose name ends in ``.prom``. The same text is OpenMetrics 1.0, which
ends with ``# EOF``, a comment in the older format. The line is that of the plugins of
Nagios, Icinga, Checkmk and others (https://www.monitoring-plugins.org/doc/guidelines.html).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from secboot.report.verify import counts_text
from secboot.status.checks import Outcome, counts_of, worst
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secboot.report.made import Made
    from secboot.status.checks import Check
    from secboot.status.stages import Stage

_VALUES = {Outcome.PASS: 1, Outcome.WARN: -1, Outcome.FAIL: 0}
_END = "# EOF"
_WORST_FIRST = (Outcome.FAIL, Outcome.WARN, Outcome.PASS)


class PluginCode(IntEnum):
    """The exit codes of a monitoring plugin."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_CODES = {
    Outcome.PASS: PluginCode.OK,
    Outcome.WARN: PluginCode.WARNING,
    Outcome.FAIL: PluginCode.CRITICAL,
}


def metrics(profile: str, checks: tuple[Check, ...], last: Stage, made: Made) -> str:
    """Return the metrics of a machine that could be judged. No two series have the same labels."""
    found: dict[str, Outcome] = {}
    for check in checks:
        series = _series(
            "secboot_check",
            check=check.id,
            entry=check.subject,
            file=check.file,
            profile=profile,
        )
        both = {check.outcome, found.get(series, check.outcome)}
        found[series] = next(each for each in _WORST_FIRST if each in both)
    failed = _series("secboot_checks_failed", profile=profile, stage=last.value)
    return _text(
        [
            *_up(profile, made, up=True),
            *_metric("secboot_check", "Result of a check: 1 passed, 0 failed, -1 a warning."),
            *(f"{series} {_VALUES[outcome]}" for series, outcome in found.items()),
            *_metric("secboot_checks_failed", "Number of checks that failed up to the stage."),
            f"{failed} {counts_of(checks)[2]}",
            _END,
        ]
    )


def metrics_of_failure(profile: str, made: Made) -> str:
    """Return the metrics of a machine that could not be judged."""
    return _text([*_up(profile, made, up=False), _END])


def plugin_text(profile: str, checks: tuple[Check, ...]) -> tuple[str, PluginCode]:
    """Return what a plugin prints, and its exit code.

    The first line has the verdict and, after a bar, performance data. A line for each check that did
    not pass follows.
    """
    passed, warned, failed = counts_of(checks)
    code = _CODES[worst(checks)]
    data = f"passed={passed} warnings={warned} failed={failed}"
    lines = [f"{_verdict(code, f'{profile}: {counts_text(checks)}')} | {data}"]
    for outcome in (Outcome.FAIL, Outcome.WARN):
        lines += [_line(check) for check in checks if check.outcome is outcome]
    return _text(lines), code


def plugin_failure(message: str, hint: str | None) -> tuple[str, PluginCode]:
    """Return the same where the machine could not be judged; further lines, and the hint, follow."""
    first, *others = message.split("\n")
    others += [] if hint is None else [f"  {line}" for line in hint.split("\n")]
    lines = [_verdict(PluginCode.UNKNOWN, first), *map(_plain, others)]
    return _text(lines), PluginCode.UNKNOWN


def _line(check: Check) -> str:
    subject = f" '{check.subject}'" if check.subject else ""
    return _plain(f"{check.outcome} {check.id}{subject}: {check.message}")


def _verdict(code: PluginCode, message: str) -> str:
    return _plain(f"SECBOOT {code.name} - {message}")


def _plain(text: str) -> str:
    """Make a line of a text: a bar would begin performance data."""
    return visible(text).replace("|", "/")


def _up(profile: str, made: Made, *, up: bool) -> Iterator[str]:
    yield from _metric("secboot_up", "Whether secboot could judge the machine: 1 yes, 0 no.")
    yield f"{_series('secboot_up', profile=profile)} {int(up)}"
    yield from _metric("secboot_verify_time_seconds", "When it did so: seconds since 1970.")
    seconds = int(made.moment().timestamp())
    yield f"{_series('secboot_verify_time_seconds', profile=profile)} {seconds}"
    yield from _metric("secboot_info", "The version of secboot.")
    yield f"{_series('secboot_info', profile=profile, version=made.version)} 1"


def _metric(name: str, description: str) -> Iterator[str]:
    yield f"# HELP {name} {description}"
    yield f"# TYPE {name} gauge"


def _series(name: str, **labels: str) -> str:
    pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{name}{{{pairs}}}"


def _escaped(value: str) -> str:
    return visible(value).replace("\\", "\\\\").replace('"', '\\"')


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
