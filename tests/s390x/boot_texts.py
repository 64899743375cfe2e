"""The texts of boot entries for guests and cells: a section of zipl.conf, a BLS entry."""

KERNEL = "/boot/vmlinuz"
RAMDISK = "/boot/initrd"


def section(name: str, parameters: str | None, *, ramdisk: bool = True) -> str:
    """A section, with ``parameters`` as written after the equals sign, including quotes."""
    text = f"[{name}]\ntarget=/boot\nimage={KERNEL}\n"
    if ramdisk:
        text += f"ramdisk={RAMDISK}\n"
    return text if parameters is None else f"{text}parameters={parameters}\n"


def single_section(parameters: str, *, ramdisk: bool = True) -> str:
    """A whole zipl.conf with a single section, ``linux``, which is the default."""
    return "[defaultboot]\ndefault=linux\n" + section("linux", parameters, ramdisk=ramdisk)


def menu(name: str, positions: dict[int, str], default: int) -> str:
    """A menu that boots its default without waiting."""
    entries = "".join(f"{number}={each}\n" for number, each in positions.items())
    return f":{name}\ntarget=/boot\n{entries}default={default}\nprompt=0\n"


def bls_entry(title: str, version: str, options: str) -> str:
    """A BLS entry with kernel and ramdisk."""
    return (
        f"title {title}\nversion {version}\nlinux {KERNEL}\ninitrd {RAMDISK}\noptions {options}\n"
    )
