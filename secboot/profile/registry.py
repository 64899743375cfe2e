"""The parameters that secboot knows, each with rules of its own, and the rules for all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.profile import generic, prot_virt, swiotlb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.profile.rules import ParameterRules

KNOWN: Mapping[str, ParameterRules] = {
    "prot_virt": prot_virt.RULES,
    "swiotlb": swiotlb.RULES,
}
GENERIC: ParameterRules = generic.RULES


def rules_for(name: str) -> ParameterRules:
    """The rules that hold for a parameter of this name."""
    return KNOWN.get(name, GENERIC)


def meant(name: str) -> str | None:
    """The known parameter that a name looks like but isn't: ``prot-virt``, ``SWIOTLB``."""
    like = name.lower().replace("-", "_")
    return like if like in KNOWN and like != name else None
