"""A tree from which mkosi and kiwi build an image: Debian's s390x kernel, and no distribution.

What runs in the tree while they build is the host's own busybox, so no emulation is needed. The
kernel has no modules there, and depmod and dracut are stand-ins: the initramfs of the image
is one line of text.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from tests.s390x.testbed import require_ipl

RELEASE: Final = "6.1.0-9-s390x"
INITRAMFS: Final = "stand-in for an initramfs\n"
_MODULES: Final = f"usr/lib/modules/{RELEASE}"
_FILES: Final = {
    "usr/lib/os-release": 'ID=site\nPRETTY_NAME="An image of a site"\n',
    "usr/sbin/depmod": "#!/bin/sh\n",
    "usr/sbin/dracut": f"""\
#!/bin/sh
for word; do
    case $word in
    *.initrd) printf '{INITRAMFS.strip()}\\n' > "$word" ;;
    esac
done
""",
    **{f"{_MODULES}/modules.{name}": "" for name in ("dep", "dep.bin", "symbols", "symbols.bin")},
}


def small_tree(directory: Path) -> bytes:
    """Fill a new directory with the tree; return its kernel."""
    bed = require_ipl()
    for name in ("bin", "sbin", "lib"):
        (directory / "usr" / name).mkdir(parents=True)
        (directory / name).symlink_to(f"usr/{name}")
    for name in ("boot", "dev", "proc", "sys", "tmp", "usr/lib/dracut/modules.d", "var/lib"):
        (directory / name).mkdir(parents=True)
    for path, text in _FILES.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
        (directory / path).chmod(0o755)
    (directory / "etc").mkdir()
    (directory / "etc/os-release").symlink_to("../usr/lib/os-release")
    shutil.copyfile(bed.shell, directory / "usr/bin/busybox")
    (directory / "usr/bin/busybox").chmod(0o755)
    for applet in ("bash", "ls", "mkdir", "sh"):
        (directory / "usr/bin" / applet).symlink_to("busybox")
    for path in (f"boot/vmlinuz-{RELEASE}", f"{_MODULES}/vmlinuz"):
        shutil.copyfile(bed.kernel, directory / path)
    return bed.kernel.read_bytes()
