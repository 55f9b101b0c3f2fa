"""The series of what lies aside: what was counted, in a rule that Prometheus reads."""

import json
import shutil
from pathlib import Path

from edgeinfer.monitoring import prometheus_metrics
from edgeinfer.stack.damage import Damage, set_aside
from edgeinfer.stack.damage_rules import PARTS, SERIES, rule_file, write_rules
from edgeinfer.stack.folder import DataFolder, prepare


def counted(folder: DataFolder) -> dict[str, str]:
    [group] = json.loads(rule_file(folder).read_text())["groups"]
    assert {rule["record"] for rule in group["rules"]} == {SERIES}
    return {rule["labels"]["part"]: rule["expr"] for rule in group["rules"]}


def test_each_part_has_its_number_and_an_unchanged_one_is_not_written_again(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "data")
    assert write_rules(folder)
    assert counted(folder) == dict.fromkeys(PARTS, "vector(0)")
    assert not write_rules(folder)

    (folder.alertmanager / "nflog").write_bytes(b"x")
    set_aside(folder, [Damage("alertmanager", folder.alertmanager / "nflog", "is bad", "x")], lambda: 0.0)
    assert write_rules(folder)
    assert counted(folder)["alertmanager"] == "vector(1)"

    shutil.rmtree(folder.damaged)
    assert write_rules(folder)
    assert counted(folder)["alertmanager"] == "vector(0)"


def test_it_is_the_series_that_the_alert_asks_for() -> None:
    assert prometheus_metrics.SET_ASIDE.name == SERIES
