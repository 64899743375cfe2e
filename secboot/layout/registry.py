"""The layouts that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.layout import alpine, bls, debian, ostree, rhel7, suse, zipl_conf

if TYPE_CHECKING:
    from secboot.layout.model import LayoutModule

LAYOUTS: tuple[LayoutModule, ...] = (ostree, suse, bls, rhel7, debian, alpine, zipl_conf)
NAMES = tuple(module.NAME for module in LAYOUTS)
SUPERSEDED = {ostree.NAME: frozenset({bls.NAME, rhel7.NAME})}
"""Marks of these are expected beside the marks of the key: its systems are made of theirs."""
