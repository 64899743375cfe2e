from __future__ import annotations

import pytest

from secboot.zipl.version import ZiplVersion


@pytest.mark.parametrize(
    ("output", "version"),
    [
        (
            "zipl: zSeries Initial Program Loader version 2.16.0-build-20210818\nCopyright IBM",
            ZiplVersion(2, 16),
        ),
        (
            "zipl: zSeries Initial Program Loader version 2.40.1-build-20260723",
            ZiplVersion(2, 40, 1),
        ),
        ("version 2.7", ZiplVersion(2, 7)),
        ("no number", None),
        ("", None),
    ],
)
def test_the_version_is_read_from_what_zipl_prints(
    output: str, version: ZiplVersion | None
) -> None:
    assert ZiplVersion.parse(output) == version


FEATURES = {
    "knows_optional": ZiplVersion(2, 16),
    "asks_machine_for_kdump_limit": ZiplVersion(2, 17),
    "reads_environment": ZiplVersion(2, 18),
    "asks_image_for_limit": ZiplVersion(2, 20),
    "bls_inherits_target": ZiplVersion(2, 21),
    "sorts_bls_by_version": ZiplVersion(2, 22),
}


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_comes_with_its_release(feature: str) -> None:
    first = FEATURES[feature]
    before = ZiplVersion(first.major, first.minor - 1, 9)

    assert getattr(first, feature)
    assert not getattr(before, feature)


def test_a_version_prints_as_it_is_written() -> None:
    assert str(ZiplVersion(2, 40)) == "2.40.0"
