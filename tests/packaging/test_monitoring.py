"""Metrics and alert rules, judged by Prometheus's own promtool and its parser of OpenMetrics."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.available import unavailable
from tests.command import secboot
from tests.packaging import promtool
from tests.packaging.programs import CHECKOUT, run
from tests.situations import SITUATIONS, make_situation
from tests.trees import SAMPLE_TREES, make_sample_tree

pytestmark = pytest.mark.package

RULES = CHECKOUT / "packaging/prometheus/secboot.rules.yml"
ALERTS = """\
rule_files: [{rules}]
evaluation_interval: 5m
tests:
  - interval: 5m
    input_series:
      - series: 'secboot_up{{profile="guest",instance="a"}}'
        values: '1x800'
      - series: 'secboot_up{{profile="guest",instance="b"}}'
        values: '1 0x800'
      - series: 'secboot_verify_time_seconds{{profile="guest",instance="a"}}'
        values: '0+300x800'
      - series: 'secboot_verify_time_seconds{{profile="guest",instance="b"}}'
        values: '0x800'
      - series: 'secboot_check{{check="installed.swiotlb",entry="x",file="/etc/zipl.conf",profile="guest",instance="a"}}'
        values: '1 0x3 1x800'
      - series: 'secboot_check{{check="running.swiotlb",entry="",file="",profile="guest",instance="a"}}'
        values: '-1x800'
    alert_rule_test:
      - {{eval_time: 10m, alertname: SecbootCheckFailed}}
      - eval_time: 15m
        alertname: SecbootCheckFailed
        exp_alerts:
          - exp_labels: {{severity: critical, check: installed.swiotlb, entry: x, file: /etc/zipl.conf, profile: guest, instance: a}}
            exp_annotations:
              summary: "a: check installed.swiotlb of profile guest failed"
              description: "Boot entry 'x'. Run `secboot status guest` on the machine. A reboot may start without the parameters that the profile sets."
      - {{eval_time: 30m, alertname: SecbootCheckFailed}}
      - {{eval_time: 23h, alertname: SecbootCheckWarning}}
      - eval_time: 25h
        alertname: SecbootCheckWarning
        exp_alerts:
          - exp_labels: {{severity: warning, check: running.swiotlb, profile: guest, instance: a}}
            exp_annotations:
              summary: "a: check running.swiotlb of profile guest has a warning"
              description: "Run `secboot status guest` on the machine."
      - {{eval_time: 10m, alertname: SecbootCannotJudge}}
      - eval_time: 15m
        alertname: SecbootCannotJudge
        exp_alerts:
          - exp_labels: {{severity: critical, profile: guest, instance: b}}
            exp_annotations:
              summary: "b: secboot cannot read the boot configuration"
              description: "Run `secboot verify guest` on the machine; it prints the reason."
      - {{eval_time: 175m, alertname: SecbootMetricsOld}}
      - eval_time: 4h
        alertname: SecbootMetricsOld
        exp_alerts:
          - exp_labels: {{severity: warning, profile: guest, instance: b}}
            exp_annotations:
              summary: "b: the metrics of profile guest are 4h 0m 0s old"
              description: "See `systemctl status secboot-verify@guest.timer`."
"""


@pytest.mark.parametrize("name", [*SAMPLE_TREES, "two-entries-with-one-title"])
def test_the_metrics_of_a_machine(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    if name in SAMPLE_TREES:
        make_sample_tree(name, root)
    else:
        make_sample_tree("rhel8", root)
        entry = next((root / "boot/loader/entries").glob("*.conf"))
        entry.with_name("copy.conf").write_bytes(entry.read_bytes())
    said = secboot(capsys, "verify", "guest", "--output", "prometheus", "--root", root)

    require_valid(said.out)


@pytest.mark.parametrize("name", sorted(p.name for p in SITUATIONS.iterdir() if p.is_dir()))
def test_the_metrics_of_a_situation(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, file = make_situation(name, tmp_path / "root"), tmp_path / "x.prom"

    said = secboot(capsys, "verify", "guest", "--textfile", file, "--root", root)

    require_valid(file.read_text())
    # What it printed is what it wrote.
    assert ('secboot_up{profile="guest"} 1' in file.read_text()) == (said.code in {0, 5})


def test_a_series_that_is_there_twice_would_be_found() -> None:
    assert _metrics('a{b="1"} 1\na{b="1"} 0\n').returncode != 0


def test_the_rules_alert_when_they_should(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yml"
    cases.write_text(ALERTS.format(rules=RULES))

    checked = run(_promtool(), "check", "rules", "--lint-fatal", RULES)
    tested = run(_promtool(), "test", "rules", cases)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert tested.returncode == 0, tested.stdout + tested.stderr


def require_valid(text: str) -> None:
    """Both formats accept the text, and find the same metrics in it."""
    judged = _metrics(text)
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call] # has no types
    samples = [sample.name for family in families for sample in family.samples]

    assert judged.returncode == 0, judged.stderr
    assert judged.stderr == ""
    assert samples == re.findall(r"^(\w+)\{", text, re.MULTILINE)


def _promtool() -> Path:
    program = promtool.program()
    if not program.exists():
        unavailable("promtool is not unpacked; run packaging/setup")
    return program


def _metrics(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_promtool(), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
