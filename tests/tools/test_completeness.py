"""What was forgotten is said by name, with the file to edit, and never as a traceback."""

from dataclasses import replace
from pathlib import Path
from typing import NoReturn, cast

import pytest
from pydantic import BaseModel

from chaos.scenarios import SCENARIOS
from edgeinfer.catalog import sidecar
from edgeinfer.catalog.all import all_metrics
from edgeinfer.monitoring.alerts import alerts_of, all_alerts
from edgeinfer.settings import ProcessSettings
from tools import generate
from tools.completeness import docstrings, monitoring, parts
from tools.completeness.all import gaps
from tools.completeness.gap import Gap, collected, gap_of

DOWN = next(alert for alert in alerts_of("availability") if alert.name == "HailoSidecarDown")
KILLED = next(scenario for scenario in SCENARIOS if scenario.name == DOWN.provoked_by)


def test_nothing_is_forgotten() -> None:
    assert [str(gap) for gap in gaps()] == []


def test_an_alert_whose_scenario_does_not_exist_is_named() -> None:
    [gap] = monitoring.scenarios_of_alerts([("availability", replace(DOWN, provoked_by="sidecar-eaten"))], [])
    assert gap.path == "src/edgeinfer/monitoring/alerts/availability.py"
    assert "HailoSidecarDown" in gap.fault
    assert "'sidecar-eaten'" in gap.fault


def test_a_scenario_that_waits_for_another_alert_is_named() -> None:
    entries = [("availability", alert) for alert in all_alerts()]
    scenarios = [replace(one, alert="HailoNoTraffic") if one is KILLED else one for one in SCENARIOS]
    [gap] = monitoring.scenarios_of_alerts(entries, scenarios)
    assert gap.path == "chaos/scenarios"
    assert "'sidecar-killed' does not wait for the alert HailoSidecarDown" in gap.fault


def test_a_scenario_of_an_alert_that_does_not_exist_is_named() -> None:
    [gap] = monitoring.scenarios_of_alerts([], [KILLED])
    assert gap.path == "chaos/scenarios"
    assert "'sidecar-killed' waits for the alert HailoSidecarDown" in gap.fault


def test_an_alert_that_no_scenario_can_provoke_says_why() -> None:
    unprovoked = replace(DOWN, provoked_by="", unprovoked_because="It needs a real chip.")
    assert list(monitoring.scenarios_of_alerts([("availability", unprovoked)], [])) == []


def test_two_alerts_of_one_name_are_named() -> None:
    [gap] = monitoring.repeated_names([("availability", DOWN), ("chip_heat", DOWN)])
    assert gap.path == "src/edgeinfer/monitoring/alerts/chip_heat.py"
    assert "two alerts HailoSidecarDown" in gap.fault


def test_an_alert_on_a_series_that_does_not_exist_is_named() -> None:
    [gap] = monitoring.expressions([("availability", replace(DOWN, expression="max(zebra_stripes) > 1"))])
    assert gap.path == "src/edgeinfer/monitoring/alerts/availability.py"
    assert "HailoSidecarDown: zebra_stripes" in gap.fault


def test_a_metric_that_nobody_reads_is_named() -> None:
    [gap] = monitoring.unread(all_metrics()[:1], set())
    assert all_metrics()[0].name in gap.fault
    assert "add-a-panel.md" in gap.remedy


def test_a_unit_that_grafana_has_no_name_for_is_named() -> None:
    odd = replace(all_metrics()[0])
    object.__setattr__(odd, "unit", "fortnights")
    [gap] = monitoring.units([odd])
    assert (gap.path, "'fortnights'" in gap.fault) == ("src/edgeinfer/catalog/units.py", True)


def test_a_metric_that_no_process_sets_is_named() -> None:
    constants = {"ZEBRA_STRIPES": ("sidecar", sidecar.READY)}
    assert list(parts.metrics_never_set(constants, frozenset({"ZEBRA_STRIPES"}))) == []
    [gap] = parts.metrics_never_set(constants, frozenset())
    assert gap.path == "src/edgeinfer/catalog/sidecar.py"
    assert "hailo_sidecar_ready is never set" in gap.fault


def test_a_backend_without_its_parts_is_named_for_each(tmp_path: Path) -> None:
    (tmp_path / "fpga.py").write_text("def make():\n    return 1\n")
    (tmp_path / "base.py").write_text("")
    found = list(parts.backends(tmp_path))
    assert {gap.path for gap in found} == {"src/edgeinfer/backends/fpga.py"}
    faults = " ".join(gap.fault for gap in found)
    assert "no line such as KIND" in faults
    assert "no docstring" in faults
    assert "no function create(card, settings)" in faults
    (tmp_path / "fpga.py").write_text('"""An FPGA."""\n\nKIND = "fpga"\n\n\ndef create():\n    return 1\n')
    parts.functions.cache_clear()
    assert list(parts.backends(tmp_path)) == []


def test_a_collector_that_the_exporter_does_not_find_is_named(tmp_path: Path) -> None:
    (tmp_path / "fan.py").write_text("class Fan:\n    def collect(self): ...\n    def close(self): ...\n")
    [gap] = parts.collectors(tmp_path)
    assert gap.path == "src/edgeinfer/collectors/fan.py"
    assert "no function create(context)" in gap.fault


def test_a_command_that_the_command_line_does_not_find_is_named(tmp_path: Path) -> None:
    for name in ("main.py", "_helper.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "sing_along.py").write_text("def make(): ...\n")
    [gap] = parts.commands(tmp_path)
    assert gap.path == "src/edgeinfer/cli/sing_along.py"
    assert "the command sing-along cannot be made" in gap.fault


class _Process(BaseModel):
    """The settings of a process; a subclass of the real base would be taken for one by other tests."""

    mystery: int = 1

    @classmethod
    def variables(cls) -> dict[str, str]:
        return {"mystery": "EDGEINFER_MYSTERY"}


def test_a_setting_that_nothing_reads_or_describes_is_named() -> None:
    process = cast("type[ProcessSettings]", _Process)
    found = list(parts.settings_without_a_use([process], frozenset()))
    assert {gap.path for gap in found} == {"src/edgeinfer/settings.py"}
    assert ["no description" in gap.fault for gap in found] == [True, False]
    assert "nothing reads the setting EDGEINFER_MYSTERY" in found[1].fault


def test_a_public_name_that_the_api_page_would_lack_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_public_module.py").write_text(
        "__all__ = ['Named']\n\n\nclass Named: ...\n\n\nclass Forgotten: ...\n\n\ndef create(): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    [gap] = parts.left_out_of_the_api(["a_public_module"])
    assert gap.path == "src/a_public_module.py"
    assert "does not name Forgotten" in gap.fault


def test_a_function_of_a_row_that_is_never_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "hardware").mkdir()
    (tmp_path / "hardware" / "chip.py").write_text(
        "def rows(): return _used()\n\n\ndef _used(): ...\n\n\ndef _idle(): ...\n"
    )
    [gap] = parts.unused_functions(tmp_path, "src/edgeinfer/monitoring/dashboards")
    assert gap.path == "src/edgeinfer/monitoring/dashboards/hardware/chip.py"
    assert "_idle() is never used" in gap.fault


@pytest.mark.parametrize(
    ("module", "fault", "file"),
    [
        ("hardware", "panel 'PCIe lanes': unit", "hardware/access.py"),
        ("hardware", "variable chip: no panel follows it", "hardware/__init__.py"),
        ("slo", "panel 'Any': unit", "slo.py"),
    ],
)
def test_a_fault_of_a_dashboard_names_the_file_that_makes_its_panel(module: str, fault: str, file: str) -> None:
    assert monitoring.source_of(module, fault) == f"src/edgeinfer/monitoring/dashboards/{file}"


def test_an_exception_of_an_entry_names_the_line_of_the_entry() -> None:
    def broken() -> list[Gap]:
        replace(DOWN, name="hailo down")
        return []

    [gap] = collected("src/edgeinfer/monitoring", broken)
    assert "'hailo down' is " in gap.fault
    assert "Traceback" not in str(gap)


def test_a_syntax_error_names_its_line() -> None:
    failure = SyntaxError("invalid syntax", (str(generate.ROOT / "src/edgeinfer/x.py"), 7, 1, "x ="))
    assert str(gap_of(failure, "")).startswith("error: src/edgeinfer/x.py:7: invalid syntax")


def test_generate_says_what_an_entry_raises(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> NoReturn:
        raise ValueError("HailoX: add a case in which it must not fire")

    assert generate.main(["--check"], load=refuse) == 1
    said = capsys.readouterr().err
    assert "HailoX: add a case in which it must not fire" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('def begin():\n    """The connection stands."""\n    return 1\n', "says no more than its name"),
        ("def begin():\n" + "    x = 1\n" * 13, "has 13 lines and no docstring"),
    ],
)
def test_a_docstring_without_content_and_a_long_function_without_one_are_named(text: str, fault: str) -> None:
    [gap] = docstrings.gaps_of("src/edgeinfer/one.py", text)
    assert gap.path == "src/edgeinfer/one.py:1"
    assert fault in gap.fault


@pytest.mark.parametrize(
    "text",
    [
        'def begin():\n    """Raises OSError."""\n    return 1\n',
        'def shape():\n    """(100, 9)."""\n    return 1\n',
        'class A:\n    @property\n    def length(self):\n        """Samples held."""\n        return 1\n',
        'class A(Protocol):\n    def close(self):\n        """End it."""\n',
        "def _begin():\n" + "    x = 1\n" * 20,
    ],
)
def test_units_errors_contracts_and_private_functions_may_be_short(text: str) -> None:
    assert list(docstrings.gaps_of("src/edgeinfer/one.py", text)) == []
