"""--parmfile: the parmfile to rebuild a Secure Execution image, written where the user wants it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from secboot.demo import kernel_stub
from tests.command import secboot
from tests.profile.profile_files import IMAGE_PROFILE
from tests.situations import make_situation
from tests.trees import sealed_image, snapshot

CONF = """\
[defaultboot]
default=secure
[secure]
target=/boot
image=/boot/secure-linux
{parameters}
{plain}
"""
PLAIN = '[linux]\ntarget=/boot\nimage=/boot/vmlinuz\nparameters="root=/dev/vda1 quiet"\n'


def make(root: Path, parameters: str = "", plain: str = "") -> Path:
    (root / "etc").mkdir(parents=True)
    (root / "boot").mkdir()
    (root / "etc/zipl.conf").write_text(CONF.format(parameters=parameters, plain=plain))
    (root / "boot/secure-linux").write_bytes(sealed_image())
    (root / "boot/vmlinuz").write_bytes(kernel_stub(4096))
    return root


@pytest.mark.parametrize(
    ("parameters", "plain", "expected"),
    [
        # The line that is ignored at boot is what the site wanted the image to have.
        ("parameters='root=/dev/vda2 ro'", PLAIN, "root=/dev/vda2 ro swiotlb=262144\n"),
        # Otherwise it is the line of the entry whose kernel the rebuild uses.
        ("", PLAIN, "root=/dev/vda1 quiet swiotlb=262144\n"),
        # Otherwise nothing is known, and nothing is invented.
        ("", "", "swiotlb=262144\n"),
    ],
)
def test_a_new_parmfile(
    parameters: str,
    plain: str,
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = make(tmp_path / "root", parameters, plain)
    parmfile = tmp_path / "parmfile"

    said = secboot(capsys, "plan", "guest", "--root", root, "--parmfile", parmfile)

    assert said.code == 0, said.err
    assert parmfile.read_text() == expected
    assert f"-p {parmfile} " in said.out
    assert ("add root=" in said.out) == (expected == "swiotlb=262144\n")


def test_a_parmfile_that_exists_is_brought_to_the_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "root")
    parmfile = tmp_path / "parmfile"
    parmfile.write_text("root=/dev/vda1\nswiotlb=512M quiet")

    for _ in range(2):
        said = secboot(capsys, "apply", "guest", "--root", root, "--parmfile", parmfile)
        assert said.code == 0, said.err
        assert parmfile.read_text() == "root=/dev/vda1\nswiotlb=262144 quiet\n"


def test_apply_never_changes_the_parameters_of_an_entry_with_an_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "root", "parameters='root=/dev/vda2 swiotlb=1'", PLAIN)
    before = (root / "etc/zipl.conf").read_text()

    said = secboot(capsys, "apply", "guest", "--root", root)

    assert said.code == 0
    assert (root / "etc/zipl.conf").read_text() == before.replace("quiet", "quiet swiotlb=262144")
    assert "Not changed without a rebuild of the Secure Execution image: 'secure'" in said.out


def test_where_nothing_else_is_left_to_do_it_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "root", "parameters='root=/dev/vda2'")
    before = snapshot(root)

    said = secboot(capsys, "apply", "guest", "--root", root)

    assert said.code == 1
    assert "genprotimg -i VMLINUZ" in said.err
    assert snapshot(root) == before


def test_dry_run_writes_no_parmfile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make(tmp_path / "root")
    parmfile = tmp_path / "parmfile"

    said = secboot(capsys, "apply", "guest", "--dry-run", "--root", root, "--parmfile", parmfile)

    assert said.code == 0
    assert not parmfile.exists()


def test_without_a_secure_execution_image_there_is_no_parmfile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "root")
    (root / "boot/secure-linux").write_bytes(kernel_stub(4096))

    said = secboot(capsys, "plan", "guest", "--root", root, "--parmfile", tmp_path / "parmfile")

    assert said.code == 1
    assert "no parmfile to write" in said.err
    assert said.out == ""


def test_with_a_profile_that_names_a_parmfile_every_image_is_built_from_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "root", plain=PLAIN)
    profile = tmp_path / "site.yaml"
    profile.write_text(IMAGE_PROFILE.replace("/boot/secure-linux", "/boot/other"))

    said = secboot(capsys, "plan", profile, "--root", root)

    recipes = [line for line in said.out.splitlines() if line.startswith("  genprotimg")]
    assert [f"-p {root}/etc/secboot/guest.parm " in line for line in recipes] == [True, True]
    assert "--parmfile" not in said.out


def test_a_boot_file_is_no_parmfile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make(tmp_path / "root")
    before = snapshot(root)

    said = secboot(capsys, "plan", "guest", "--root", root, "--parmfile", root / "etc/zipl.conf")

    assert said.code == 1
    assert "a boot file, not the parmfile of an image" in said.err
    assert snapshot(root) == before


def test_the_next_command_has_the_options_of_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation("sealed-then-kernel-update", tmp_path / "root")
    options = ("--parmfile", tmp_path / "parmfile", "--allow-unsealed", "--no-zipl")

    said = secboot(capsys, "plan", "guest", *options, "--root", root)

    (command,) = (line for line in said.out.splitlines() if line.startswith("Next: "))
    words = shlex.split(command)[2:]
    assert words == ["apply", "guest", *map(str, options), "--root", str(root)]
    assert secboot(capsys, *words).code == 0


def test_a_refusal_says_how_to_write_the_parmfile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation("sealed-then-kernel-update", tmp_path / "root")
    parmfile = tmp_path / "parmfile"

    said = secboot(capsys, "apply", "guest", "--parmfile", parmfile, "--root", root)

    assert said.code == 1
    assert f"  secboot plan guest --parmfile {parmfile} --root {root}\n" in said.err


def test_the_document_has_it_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make(tmp_path / "root", "", PLAIN)

    plan = json.loads(secboot(capsys, "plan", "guest", "--root", root, "-o", "json").out)

    assert plan["parmfile"] == "root=/dev/vda1 quiet swiotlb=262144\n"
    build = plan["steps"][0]["lines"][1]
    assert build.startswith(f"genprotimg -i {root}/boot/vmlinuz -r INITRD ")
    assert [entry["status"] for entry in plan["entries"]] == ["sealed", "change"]
