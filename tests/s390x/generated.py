"""Generated configurations for the real zipl: how many, which ones, and on what machine."""

import os

from hypothesis import HealthCheck, Phase, settings

from tests.s390x.oracle import MACHINE
from tests.s390x.sample_machines import ENTRIES, Machine
from tests.strategies import Setup

ROUNDS = 6
EXAMPLES = int(os.environ.get("SECBOOT_ORACLE_EXAMPLES", "100"))
"""Configurations per round and zipl version that are read; more of them for a long run."""
APPLY_ROUNDS = 4
APPLY_EXAMPLES = int(os.environ.get("SECBOOT_APPLY_EXAMPLES", "30"))
"""Configurations per round and zipl version that are changed."""
FIX_ROUNDS = 2
FIX_EXAMPLES = int(os.environ.get("SECBOOT_FIX_EXAMPLES", "45"))
"""Damaged configurations per round and zipl version that are repaired, and as many of any kind."""
BOOT_ROUNDS = 2
BOOT_EXAMPLES = int(os.environ.get("SECBOOT_BOOT_EXAMPLES", "30"))
"""Machines per round and zipl version on which zipl runs, and whose files are changed after it."""
SEED = int(os.environ.get("SECBOOT_ORACLE_SEED", "0"))
"""Another seed looks at other configurations; the same one at the same, so CI is repeatable."""


def limited_to(examples: int) -> settings:
    """Settings for a test that starts a foreign program for every example."""
    return settings(
        max_examples=examples,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


def machine_of(setup: Setup) -> Machine:
    """The files of a generated set-up on the machine that its paths belong to."""
    entries = {f"{ENTRIES}/{name}": text for name, text in setup.bls.items()}
    texts = {"etc/zipl.conf": setup.conf, **entries}
    encoded = {path: text.encode(errors="surrogateescape") for path, text in texts.items()}
    return {**MACHINE, **encoded}
