"""Where the test bed keeps what it downloaded and built, outside the checkout."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

CACHE_VARIABLE = "SECBOOT_S390X_CACHE"


def cache_directory() -> Path:
    """Return ``$SECBOOT_S390X_CACHE``, else ``secboot-s390x`` in the user's cache directory."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).absolute()
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(home) / "secboot-s390x"


@contextmanager
def locked_cache(part: str = "test-bed") -> Iterator[Path]:
    """Lock a part of the cache directory for one set-up at a time.

    What several parts need is in the test bed: indexes and packages for s390x, and of the base suite.
    """
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{part}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache


def recipe_digest() -> str:
    """Digest of the sources that decide what the bed contains; a change makes set-up run again."""
    here = Path(__file__).parent
    parts = (
        "recipe.py",
        "build_guest.py",
        "build_systemd_guest.py",
        "guest_disk.py",
        "initramfs_init.sh",
        "guest_init.sh",
        "guest_job.sh",
        "guest-job.service",
    )
    digest = hashlib.sha256()
    for name in parts:
        digest.update((here / name).read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Bed:
    """A finished test bed. Paths are relative to the cache directory.

    ``zipl`` maps a zipl version ("2.16.0") to its sysroot; ``missing`` maps a suite that could
    not be downloaded to the reason.
    """

    recipe: str
    zipl: dict[str, str]
    guest: str
    shell: str
    missing: dict[str, str]
    made_at: float

    @classmethod
    def load(cls, cache: Path) -> "Bed | None":
        """Read the description of the bed; None if no set-up has finished yet."""
        try:
            return cls(**json.loads((cache / "bed.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def save(self, cache: Path) -> None:
        """Write the description; this is the last step of a set-up, and atomic."""
        temporary = cache / "bed.json.new"
        temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")
        temporary.replace(cache / "bed.json")

    def complete(self, cache: Path) -> bool:
        """Whether everything in the description exists and the recipe is the present one."""
        parts = [*self.zipl.values(), self.guest, self.shell]
        return self.recipe == recipe_digest() and all((cache / part).exists() for part in parts)
