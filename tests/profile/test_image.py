from __future__ import annotations

import pytest

from secboot.profile.fields import IMAGE_FIELDS, Field
from secboot.profile.nodes import ProfileError
from tests.profile.profile_files import IMAGE_PROFILE, parse


def test_a_profile_without_one_has_none() -> None:
    assert parse("version: 1\nextends: guest\n").image is None


def test_its_files() -> None:
    image = parse(IMAGE_PROFILE + "  kernel: /boot/vmlinuz-6.1\n").image

    assert image is not None
    assert (image.parmfile, image.output) == ("/etc/secboot/guest.parm", "/boot/secure-linux")
    assert (image.kernel, image.ramdisk) == ("/boot/vmlinuz-6.1", None)
    assert str(image.location) == "site.yaml:4:13"


def test_it_is_extended_key_by_key() -> None:
    image = parse(
        "version: 1\nextends: base\nimage: {output: /boot/new}\n", base=IMAGE_PROFILE
    ).image

    assert image is not None
    assert (image.parmfile, image.output) == ("/etc/secboot/guest.parm", "/boot/new")
    assert str(image.location) == "/etc/secboot/profiles/base.yaml:4:13"


def test_paths_must_also_differ_from_those_of_the_extended_profile() -> None:
    text = "version: 1\nextends: base\nimage: {kernel: /boot/secure-linux}\n"

    with pytest.raises(ProfileError, match=r"site\.yaml:3:17|is also the `output`"):
        parse(text, base=IMAGE_PROFILE)


@pytest.mark.parametrize("field", IMAGE_FIELDS, ids=lambda field: str(field.key))
def test_the_example_of_every_key_reads(field: Field) -> None:
    image = parse(
        f"version: 1\nextends: base\nimage: {{{field.key}: {field.example}}}\n", base=IMAGE_PROFILE
    )

    assert image.image is not None
    assert getattr(image.image, field.key) == field.example
