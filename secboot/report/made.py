"""When, where and by which secboot a JSON document was made: the key ``made`` of every one."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from secboot import __version__
from secboot.codec import encode
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPOCH = "SOURCE_DATE_EPOCH"


class Made(NamedTuple):
    """`host` is the name of the machine on which secboot ran, `time` a moment in UTC (RFC 3339)."""

    host: str | None
    time: str
    version: str

    def flaw(self) -> str:
        """Say what no document of ours lacks."""
        try:
            self.moment()
        except (ValueError, OverflowError):
            return "has a time that is none"
        return ""

    def moment(self) -> datetime:
        """Return the time in UTC; ValueError or OverflowError where it is none, or of no zone."""
        moment = datetime.fromisoformat(self.time)
        if moment.tzinfo is None:
            raise ValueError("a time without a zone")
        return moment.astimezone(UTC)

    def age(self, now: datetime) -> timedelta:
        """How old the document is; a clock that is ahead makes none younger than new."""
        return max(now - self.moment(), timedelta())


def made(environment: Mapping[str, str]) -> Made:
    """Return where a document comes from that is made now.

    Where a build is to be reproducible, SOURCE_DATE_EPOCH (reproducible-builds.org: seconds since
    1970) is the time, and no host is named.
    """
    epoch = environment.get(_EPOCH, "")
    if epoch.isascii() and epoch.isdecimal() and len(epoch) <= 11:
        return Made(None, _said(datetime.fromtimestamp(int(epoch), UTC)), __version__)
    return Made(os.uname().nodename, _said(datetime.now(UTC)), __version__)


def with_origin(document: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the document with where it comes from, next to its name."""
    return {"schema": document["schema"], "made": encode(made(environment)), **document}


def _said(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
