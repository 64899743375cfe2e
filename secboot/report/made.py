"""When, where and by which secboot a JSON document was made: the key ``made`` of every document."""

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
    """`host` is the name of the machine on which secboot ran, `time` is in UTC (RFC 3339)."""

    host: str | None
    time: str
    version: str

    def flaw(self) -> str:
        """Return what is wrong with it, in a document that secboot did not write."""
        try:
            self.moment()
        except (ValueError, OverflowError):
            return "has an invalid time"
        return ""

    def moment(self) -> datetime:
        """Return the time in UTC; ValueError or OverflowError if it is invalid or has no zone."""
        moment = datetime.fromisoformat(self.time)
        if moment.tzinfo is None:
            raise ValueError("a time without a time zone")
        return moment.astimezone(UTC)

    def age(self, now: datetime) -> timedelta:
        """The age of the document; never negative, even if the clock of its machine is ahead."""
        return max(now - self.moment(), timedelta())


def made(environment: Mapping[str, str]) -> Made:
    """Return the origin of a document that is made now.

    In reproducible builds, SOURCE_DATE_EPOCH (reproducible-builds.org: seconds since 1970) is the
    time, and no host is named.
    """
    epoch = environment.get(_EPOCH, "")
    if epoch.isascii() and epoch.isdecimal() and len(epoch) <= 11:
        return Made(None, _said(datetime.fromtimestamp(int(epoch), UTC)), __version__)
    return Made(os.uname().nodename, _said(datetime.now(UTC)), __version__)


def with_origin(document: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the document with its origin, next to the name of its schema."""
    return {"schema": document["schema"], "made": encode(made(environment)), **document}


def _said(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
