"""The options list all values that exist."""

from __future__ import annotations

from typing import get_args

from secboot.cli.options import LastStage
from secboot.status.stages import Stage


def test_every_stage_can_be_the_last() -> None:
    assert get_args(LastStage) == tuple(stage.value for stage in Stage)
