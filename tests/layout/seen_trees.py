"""Trees with the layout that is detected for each: systems as installed, and ambiguous ones."""

from __future__ import annotations

from typing import NamedTuple

BLS = "boot/loader/entries/0123-5.14.0.conf"
PLUGIN = "usr/lib/kernel/install.d/20-zipl-kernel.install"
NEW_KERNEL_PKG = "usr/sbin/new-kernel-pkg"
DEBIAN_VERSION = "etc/debian_version"
ZZ_ZIPL = "etc/kernel/postinst.d/zz-zipl"
ALPINE_RELEASE = "etc/alpine-release"
TEMPLATE = "etc/default/zipl2grub.conf.in"
ZIPL_CONFIG = "boot/zipl/config"
REPOSITORY = "ostree/repo/config"
BOOTED = "run/ostree-booted"
SYSROOT = "sysroot/ostree/repo/config"
ZIPL_CONF = "etc/zipl.conf"
DEPLOYMENT = "boot/loader/entries/ostree-1.conf"

ENTRIES = "/boot/loader/entries/*.conf"
"""BLS entries as evidence names them."""


class Tree(NamedTuple):
    """A tree, by its files; `os_release` is the text of that file, if it exists."""

    layout: str
    os_release: str | None
    paths: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    """The evidence for the layout, in addition to the name in os-release, `named`."""
    named: str | None = None

    @property
    def marks(self) -> tuple[str, ...]:
        """All evidence, in output order."""
        return self.seen if self.named is None else (*self.seen, f"os-release: {self.named}")


def _release(system: str, version: str | None = None, like: str | None = None) -> str:
    """The relevant assignments of os-release, quoted as on most systems."""
    lines = [f'NAME="{system}"', f'ID="{system}"']
    lines += [] if like is None else [f'ID_LIKE="{like}"']
    lines += [] if version is None else [f'VERSION_ID="{version}"']
    return "".join(f"{line}\n" for line in lines)


RED_HAT = {
    "rhel-7.9": Tree(
        "rhel7",
        _release("rhel", "7.9", "fedora"),
        (ZIPL_CONF, NEW_KERNEL_PKG),
        (f"/{NEW_KERNEL_PKG}",),
        "rhel 7",
    ),
    "rhel-7-without-grubby": Tree(
        "rhel7", _release("rhel", "7.9", "fedora"), (ZIPL_CONF,), (), "rhel 7"
    ),
    "centos-7": Tree("rhel7", _release("centos", "7", "rhel fedora"), (ZIPL_CONF,), (), "centos 7"),
    "rebuild-of-rhel-7": Tree(
        "rhel7", _release("clefos", "7", "rhel fedora centos"), (ZIPL_CONF,), (), "rhel 7"
    ),
    "fedora-29": Tree("rhel7", _release("fedora", "29"), (ZIPL_CONF,), (), "fedora 29"),
    "rhel-8.10": Tree(
        "bls",
        _release("rhel", "8.10", "fedora"),
        (BLS, PLUGIN),
        (ENTRIES, f"/{PLUGIN}"),
        "rhel 8",
    ),
    "rhel-9.4": Tree(
        "bls",
        _release("rhel", "9.4", "fedora"),
        (BLS, PLUGIN),
        (ENTRIES, f"/{PLUGIN}"),
        "rhel 9",
    ),
    "rhel-10.0": Tree(
        "bls",
        _release("rhel", "10.0", "centos fedora"),
        (BLS, PLUGIN),
        (ENTRIES, f"/{PLUGIN}"),
        "rhel 10",
    ),
    "centos-stream-9": Tree(
        "bls",
        _release("centos", "9", "rhel fedora"),
        (BLS, PLUGIN),
        (ENTRIES, f"/{PLUGIN}"),
        "centos 9",
    ),
    "almalinux-9": Tree(
        "bls", _release("almalinux", "9.4", "rhel centos fedora"), (BLS,), (ENTRIES,), "rhel 9"
    ),
    "rocky-8": Tree(
        "bls", _release("rocky", "8.9", "rhel centos fedora"), (BLS,), (ENTRIES,), "rhel 8"
    ),
    "fedora-30": Tree(
        "bls", _release("fedora", "30"), (BLS, PLUGIN), (ENTRIES, f"/{PLUGIN}"), "fedora 30"
    ),
    "fedora-41": Tree(
        "bls", _release("fedora", "41"), (BLS, PLUGIN), (ENTRIES, f"/{PLUGIN}"), "fedora 41"
    ),
    "image-before-its-first-kernel": Tree(
        "bls", _release("rhel", "9.4", "fedora"), (PLUGIN,), (f"/{PLUGIN}",), "rhel 9"
    ),
    "rhel-9-without-boot": Tree(
        "bls", _release("rhel", "9.4", "fedora"), (ZIPL_CONF,), (), "rhel 9"
    ),
    "fedora-30-without-boot": Tree("bls", _release("fedora", "30"), (), (), "fedora 30"),
    "oracle-9-without-boot": Tree(
        "bls",
        _release("ol", "9.4", "fedora") + 'PLATFORM_ID="platform:el9"\n',
        (ZIPL_CONF,),
        (),
        "PLATFORM_ID=platform:el9",
    ),
    "fedora-by-its-platform-alone": Tree(
        "bls",
        _release("fedora") + "PLATFORM_ID=platform:f43\n",
        (),
        (),
        "PLATFORM_ID=platform:f43",
    ),
    "like-fedora-42": Tree("bls", _release("ultramarine", "42", "fedora"), (), (), "fedora 42"),
    "without-os-release": Tree("bls", None, (BLS,), (ENTRIES,)),
    "nobody-knows-but-it-has-entries": Tree("bls", _release("nobody-knows"), (BLS,), (ENTRIES,)),
}

OSTREE = {
    "rhcos-4.12": Tree(
        # Its release 4.12 is one of OpenShift, although it is RHEL-like.
        "ostree",
        _release("rhcos", "4.12", "rhel fedora"),
        (BLS, PLUGIN, REPOSITORY, BOOTED, SYSROOT),
        ("/ostree/repo", "/run/ostree-booted", "/sysroot/ostree"),
    ),
    "rhcos-4.19": Tree(
        "ostree", _release("rhel", "9.6", "fedora"), (BLS, PLUGIN, SYSROOT), ("/sysroot/ostree",)
    ),
    "fedora-coreos": Tree(
        "ostree", _release("fedora", "41"), (BLS, REPOSITORY, PLUGIN), ("/ostree/repo",)
    ),
    "bootc-image": Tree(
        "ostree", _release("centos", "9", "rhel fedora"), (PLUGIN, SYSROOT), ("/sysroot/ostree",)
    ),
    "booted-from-ostree": Tree("ostree", None, (BLS, BOOTED), ("/run/ostree-booted",)),
    "repository-alone": Tree("ostree", None, (REPOSITORY,), ("/ostree/repo",)),
    "with-new-kernel-pkg": Tree(
        "ostree", None, (REPOSITORY, NEW_KERNEL_PKG, BLS), ("/ostree/repo",)
    ),
    "coreos-by-its-entries": Tree(
        "ostree", None, (DEPLOYMENT, PLUGIN, ZIPL_CONF), (f"/{DEPLOYMENT}",)
    ),
    "coreos-by-its-entries-with-os-names": Tree(
        "ostree",
        _release("fedora", "41") + "VARIANT_ID=coreos\nOSTREE_VERSION='41.20241122.1.0'\n",
        ("boot/loader/entries/ostree-2-fedora-coreos.conf", PLUGIN),
        (
            "/boot/loader/entries/ostree-2-fedora-coreos.conf",
            "os-release: OSTREE_VERSION=41.20241122.1.0",
        ),
    ),
    "coreos-by-its-variant": Tree(
        "ostree",
        _release("rhel", "9.6", "fedora") + 'VARIANT_ID="coreos"\n',
        (BLS, PLUGIN),
        ("os-release: VARIANT_ID=coreos",),
    ),
    "no-deployment-by-its-name": Tree(
        "bls",
        _release("fedora", "41") + "VARIANT_ID=server\n",
        ("boot/loader/entries/ostree-kernel.conf", "boot/loader/entries/my-ostree-1.conf"),
        (ENTRIES,),
        "fedora 41",
    ),
    "a-repository-of-flatpak-is-none": Tree(
        "bls",
        _release("fedora", "41"),
        (BLS, "var/lib/flatpak/repo/config"),
        (ENTRIES,),
        "fedora 41",
    ),
}

SUSE = {
    "sles-12.5": Tree(
        "suse",
        _release("sles", "12.5"),
        (TEMPLATE, ZIPL_CONFIG),
        (f"/{TEMPLATE}", f"/{ZIPL_CONFIG}"),
        "sles",
    ),
    "sles-15.6": Tree(
        "suse",
        _release("sles", "15.6", "suse"),
        (TEMPLATE, ZIPL_CONFIG, "etc/default/grub"),
        (f"/{TEMPLATE}", f"/{ZIPL_CONFIG}"),
        "sles",
    ),
    "leap-15.6": Tree(
        "suse",
        _release("opensuse-leap", "15.6", "suse opensuse"),
        (TEMPLATE,),
        (f"/{TEMPLATE}",),
        "opensuse-leap",
    ),
    "tumbleweed": Tree(
        "suse",
        _release("opensuse-tumbleweed", "20251120", "opensuse suse"),
        (TEMPLATE,),
        (f"/{TEMPLATE}",),
        "opensuse-tumbleweed",
    ),
    "sl-micro-6": Tree("suse", _release("sl-micro", "6.0", "suse"), (), (), "suse"),
    "suse-of-an-image-build": Tree("suse", None, (TEMPLATE,), (f"/{TEMPLATE}",)),
    "suse-with-entries-written-by-hand": Tree(
        "suse", None, (TEMPLATE, ZIPL_CONFIG, BLS), (f"/{TEMPLATE}", f"/{ZIPL_CONFIG}")
    ),
    "suse-generated-files-alone": Tree("suse", None, (ZIPL_CONFIG,), (f"/{ZIPL_CONFIG}",)),
}

DEBIAN = {
    "debian-11": Tree(
        "debian",
        _release("debian", "11"),
        (ZIPL_CONF, DEBIAN_VERSION, ZZ_ZIPL),
        (f"/{ZZ_ZIPL}", f"/{DEBIAN_VERSION}"),
        "debian",
    ),
    "debian-sid": Tree(
        "debian", _release("debian"), (DEBIAN_VERSION,), (f"/{DEBIAN_VERSION}",), "debian"
    ),
    "debian-13-before-its-first-kernel": Tree("debian", _release("debian", "13"), (), (), "debian"),
    "ubuntu-20.04": Tree(
        "debian",
        _release("ubuntu", "20.04", "debian"),
        (ZIPL_CONF, DEBIAN_VERSION, ZZ_ZIPL),
        (f"/{ZZ_ZIPL}", f"/{DEBIAN_VERSION}"),
        "ubuntu",
    ),
    "ubuntu-24.04": Tree(
        "debian",
        _release("ubuntu", "24.04", "debian"),
        (DEBIAN_VERSION,),
        (f"/{DEBIAN_VERSION}",),
        "ubuntu",
    ),
    "like-debian": Tree("debian", _release("raspbian", "12", "debian"), (), (), "debian"),
    "like-ubuntu": Tree("debian", _release("mint", "22", "ubuntu debian"), (), (), "ubuntu"),
    "hook-alone": Tree("debian", None, (ZZ_ZIPL,), (f"/{ZZ_ZIPL}",)),
    "entries-written-by-hand": Tree(
        "debian", None, (BLS, DEBIAN_VERSION, ZIPL_CONF), (f"/{DEBIAN_VERSION}",)
    ),
    "entries-written-by-hand-on-ubuntu": Tree(
        "debian", _release("ubuntu", "24.04", "debian"), (BLS,), (), "ubuntu"
    ),
}

ALPINE = {
    "alpine-3.20": Tree(
        "alpine",
        _release("alpine", "3.20.0"),
        (ZIPL_CONF, ALPINE_RELEASE),
        (f"/{ALPINE_RELEASE}",),
        "alpine",
    ),
    "alpine-edge": Tree("alpine", _release("alpine", "3.21_alpha20240923"), (), (), "alpine"),
    "alpine-with-line-ends-of-another-system": Tree("alpine", "ID=alpine\r\n", (), (), "alpine"),
    "alpine-file-alone": Tree("alpine", None, (ALPINE_RELEASE,), (f"/{ALPINE_RELEASE}",)),
}

PLAIN = {
    "sles-11.4": Tree("zipl.conf", _release("sles", "11.4"), (ZIPL_CONF,), (), "sles 11"),
    "nothing-but-zipl.conf": Tree("zipl.conf", None, (ZIPL_CONF,)),
    "empty": Tree("zipl.conf", None),
    "os-release-without-a-name": Tree("zipl.conf", 'PRETTY_NAME="Linux"\n', (ZIPL_CONF,)),
    "os-release-in-lower-case": Tree("zipl.conf", "id=alpine\n", (ZIPL_CONF,)),
    "a-file-that-is-no-entry": Tree("zipl.conf", None, ("boot/loader/entries/old.conf.bak",)),
    "entries-elsewhere": Tree("zipl.conf", None, ("boot/efi/loader/entries/a.conf",)),
}

UNKNOWN = {
    "gentoo": Tree("unknown", _release("gentoo", "2.15"), (ZIPL_CONF,), (), "gentoo 2.15"),
    "opensuse-with-sections": Tree(
        "unknown",
        _release("opensuse-leap", "15.6", "suse opensuse"),
        (ZIPL_CONF, "etc/default/grub"),
        (),
        "opensuse-leap 15.6",
    ),
    "without-a-version": Tree("unknown", "ID=nixos\n", (ZIPL_CONF,), (), "nixos"),
    "rhel-without-a-version": Tree("unknown", _release("rhel"), (), (), "rhel"),
    "like-fedora-with-its-own-numbers": Tree(
        "unknown", _release("ol", "9.4", "fedora"), (ZIPL_CONF,), (), "ol 9.4"
    ),
    "fedora-eln": Tree(
        "unknown", _release("fedora", "eln") + "PLATFORM_ID=platform:eln\n", (), (), "fedora eln"
    ),
    "rhel-with-a-version-of-words": Tree(
        "unknown", _release("rhel", "seven"), (), (), "rhel seven"
    ),
    "escape-codes": Tree("unknown", "ID=\x1b[31mred\n", (), (), "\\x1b[31mred"),
}

CONTRADICTORY = {
    "debian-with-red-hats-plugin": Tree(
        "contradictory", None, (PLUGIN, DEBIAN_VERSION), (f"/{PLUGIN}", f"/{DEBIAN_VERSION}")
    ),
    "entries-and-new-kernel-pkg": Tree(
        "contradictory", None, (BLS, NEW_KERNEL_PKG), (ENTRIES, f"/{NEW_KERNEL_PKG}")
    ),
    "debian-with-suses-files": Tree(
        "contradictory",
        None,
        (ZIPL_CONFIG, DEBIAN_VERSION),
        (f"/{ZIPL_CONFIG}", f"/{DEBIAN_VERSION}"),
    ),
    "debian-that-was-turned-into-alpine": Tree(
        "contradictory",
        None,
        (ALPINE_RELEASE, DEBIAN_VERSION),
        (f"/{DEBIAN_VERSION}", f"/{ALPINE_RELEASE}"),
    ),
    "alpine-with-entries": Tree(
        "contradictory", None, (ALPINE_RELEASE, BLS), (ENTRIES, f"/{ALPINE_RELEASE}")
    ),
    "ostree-and-debian": Tree(
        "contradictory",
        None,
        (REPOSITORY, DEBIAN_VERSION),
        ("/ostree/repo", f"/{DEBIAN_VERSION}"),
    ),
    "ostree-and-suse": Tree(
        "contradictory", None, (BOOTED, TEMPLATE), ("/run/ostree-booted", f"/{TEMPLATE}")
    ),
    "three-at-once": Tree(
        "contradictory",
        None,
        (ZIPL_CONFIG, PLUGIN, ALPINE_RELEASE),
        (f"/{ZIPL_CONFIG}", f"/{PLUGIN}", f"/{ALPINE_RELEASE}"),
    ),
}

NAMES_DO_NOT_COUNT = {
    "rhel-7-with-entries": Tree("bls", _release("rhel", "7.9", "fedora"), (BLS,), (ENTRIES,)),
    "opensuse-in-an-image-of-kiwi": Tree(
        "bls", _release("opensuse-leap", "15.6", "suse opensuse"), (BLS, ZIPL_CONF), (ENTRIES,)
    ),
    "alpine-by-name-with-entries": Tree("bls", _release("alpine", "3.20.0"), (BLS,), (ENTRIES,)),
    "suse-with-red-hats-name": Tree(
        "suse", _release("centos", "7", "rhel fedora"), (ZIPL_CONFIG,), (f"/{ZIPL_CONFIG}",)
    ),
    "suses-name-with-zz-zipl": Tree(
        "debian", _release("sles", "15.6"), (ZZ_ZIPL,), (f"/{ZZ_ZIPL}",)
    ),
    "debians-name-with-ostree": Tree(
        "ostree", _release("debian", "13"), (REPOSITORY,), ("/ostree/repo",)
    ),
}
"""The files decide; a distribution's name alone contradicts nothing."""

TREES = (
    NAMES_DO_NOT_COUNT | RED_HAT | OSTREE | SUSE | DEBIAN | ALPINE | PLAIN | UNKNOWN | CONTRADICTORY
)

MARKS = {
    BLS: "bls",
    PLUGIN: "bls",
    NEW_KERNEL_PKG: "rhel7",
    DEBIAN_VERSION: "debian",
    ZZ_ZIPL: "debian",
    ALPINE_RELEASE: "alpine",
    TEMPLATE: "suse",
    ZIPL_CONFIG: "suse",
    DEPLOYMENT: "ostree",
    REPOSITORY: "ostree",
    BOOTED: "ostree",
    SYSROOT: "ostree",
}
"""The layout for each piece of evidence alone."""
