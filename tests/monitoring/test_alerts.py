"""Each alert fires, waits, resolves and stays silent as its entry states, on the real rule binary."""

import dataclasses
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgeinfer.monitoring import alerts, files
from edgeinfer.monitoring.alerts import all_alerts
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep
from edgeinfer.monitoring.alerts.rule_test import RuleTest, gauge
from edgeinfer.monitoring.recording import WINDOWS
from edgeinfer.settings import known_variables
from tools.mutant_trial import unnoticed_mutants
from tools.promql_lint import faults, known_series
from tools.promtool_tests import case_of, run
from tools.rule_mutants import mutants_of_alert


def test_prometheus_accepts_every_rule_file(promtool: Path) -> None:
    paths = files.rule_files()
    assert len(paths) == len(alerts.subjects()) + 1
    # The centre's file is vmalert's, whose language is wider.
    assert _check(promtool, [*paths, files.GENERATED / "fleet" / "device.yml"]) == ""


def test_prometheus_refuses_a_rule_file_with_a_mistake(promtool: Path, tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    texts = (file.read_text(encoding="utf-8") for file in files.rule_files())
    text = next(text for text in texts if "sum by" in text)
    path.write_text(text.replace("sum by", "sum bye", 1), encoding="utf-8")
    assert "could not parse expression" in _check(promtool, [path])


def _check(promtool: Path, paths: Sequence[Path]) -> str:
    done = subprocess.run([promtool, "check", "rules", *paths], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.timeout(240)
def test_every_alert_does_what_its_proof_says(promtool: Path, tmp_path: Path) -> None:
    assert run(promtool, [case_of(alert) for alert in all_alerts()], tmp_path) == {}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("subject", alerts.subjects())
def test_a_moved_threshold_or_turned_comparison_turns_the_proof_red(
    subject: str, promtool: Path, tmp_path: Path
) -> None:
    changed = [(alert, mutants_of_alert(alert)) for alert in alerts.alerts_of(subject) if not alert.always]
    assert [alert.name for alert, mutants in changed if len(mutants) < 2] == []
    assert unnoticed_mutants(promtool, changed, tmp_path) == {}


def test_every_expression_reads_what_exists() -> None:
    known = known_series()
    assert {alert.name: found for alert in all_alerts() if (found := faults(alert.expression, known))} == {}


def test_names_are_unique() -> None:
    names = [alert.name for alert in all_alerts()]
    assert len(names) == len(set(names))


def test_a_burn_that_needs_more_than_every_request_to_fail_is_not_there() -> None:
    for alert in all_alerts():
        limits = [float(limit) for limit in re.findall(r":ratio_\w+ > ([\d.]+)", alert.expression)]
        assert all(limit < 0.5 for limit in limits), alert.name
        assert all(window in WINDOWS for window in re.findall(r":ratio_(\w+)", alert.expression))


def test_every_share_is_guarded_against_a_handful_of_requests() -> None:
    guarded = [alert for alert in all_alerts() if ":ratio_" in alert.expression]
    assert len(guarded) >= 9
    assert all("job:hailo_inference_requests:rate5m > 0.1" in alert.expression for alert in guarded)


def test_a_dashboard_or_panel_in_quotes_exists(documents: dict[str, dict[str, object]]) -> None:
    titles = _titles(documents)
    for alert in all_alerts():
        assert alert.dashboard_uid in {document["uid"] for document in documents.values()}
        texts = " ".join(word for step in alert.runbook.diagnosis for word in (step.look, *step.outcomes.values()))
        for quoted in re.findall(r"(?:[Dd]ashboard|panels?|rows?|and|[Ss]ee) '([A-Z][^']+)'", texts):
            assert quoted in titles, f"{alert.name}: its runbook names {quoted!r}, which no dashboard has"


def _titles(documents: dict[str, dict[str, object]]) -> set[str]:
    found = {"Hailo Sidecar", "SLO"}
    for document in documents.values():
        found |= {str(document["title"])} | {
            panel["title"].split(" (open when ")[0] for panel in files.all_panels(document)
        }
    return found


def _entry() -> Alert:
    return next(alert for alert in all_alerts() if alert.name == "HailoSidecarDown")


LOOK = RunbookStep("Is it running?", {"no": "start it."})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"runbook": Runbook(meaning="x", impact="", diagnosis=(LOOK,))},
            "fill meaning, impact and diagnosis of its runbook",
        ),
        (
            {"runbook": Runbook(meaning="x", impact="y", diagnosis=())},
            "fill meaning, impact and diagnosis of its runbook",
        ),
        ({"runbook": Runbook(meaning="x", impact="y", diagnosis=(LOOK,))}, "give one step of its runbook a command"),
        ({"negative_cases": ()}, "add a negative case"),
        ({"name": "hailo down"}, "is not an alert name"),
        ({"for_": ""}, "set pending_at of its rule_test"),
    ],
)
def test_an_incomplete_entry_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        dataclasses.replace(_entry(), **change)  # type: ignore[arg-type]  # one wrong field at a time is the point


def test_a_step_without_outcomes_is_refused() -> None:
    with pytest.raises(ValueError, match="say what each outcome means and what to do then"):
        RunbookStep("Is it running?", {"no": ""})


def test_what_a_runbook_sends_people_on_to_is_there() -> None:
    names = {alert.name for alert in all_alerts()}
    for alert in all_alerts():
        for step in alert.runbook.diagnosis:
            for outcome in step.outcomes.values():
                mentioned = set(re.findall(r"\b(?:Hailo|EdgeInfer|Pi|Prometheus|Alertmanager)[A-Z]\w+", outcome))
                assert mentioned - {"HailoRT"} <= names, f"{alert.name}: {outcome}"


def test_a_setting_that_a_runbook_names_is_one() -> None:
    for alert in all_alerts():
        texts = " ".join(outcome for step in alert.runbook.diagnosis for outcome in step.outcomes.values())
        assert set(re.findall(r"EDGEINFER_[A-Z_]+", texts)) <= known_variables(), alert.name


# What a person has on the machine: the programs of the system, of its services, and ours.
PROGRAMS = {
    "amtool", "cat", "curl", "cut", "df", "dmesg", "du", "edgeinfer", "fuser", "grep", "head", "journalctl",
    "ls", "lspci", "modprobe", "mv", "promtool", "ps", "sleep", "sort", "ss", "sudo", "systemctl", "tail",
    "timedatectl", "top", "uniq", "vcgencmd",
}  # fmt: skip


def test_every_command_of_a_runbook_can_be_typed() -> None:
    for command in (step.command for alert in all_alerts() for step in alert.runbook.diagnosis if step.command):
        assert subprocess.run(["bash", "-n", "-c", command], check=False).returncode == 0, command
        for part in re.split(r"[|;]", re.sub(r"'[^']*'", "", command)):
            words = [word for word in part.split() if word != "sudo"]
            assert words[0] in PROGRAMS, command


def test_a_unit_that_a_runbook_names_is_one() -> None:
    ours = {path.stem for path in Path("deploy/systemd").glob("*.service")} | {"prometheus", "prometheus-alertmanager"}
    for command in (step.command for alert in all_alerts() for step in alert.runbook.diagnosis):
        units = re.findall(r"(?:journalctl -u|systemctl (?:\w+)) ([\w-]+)", command)
        assert set(units) <= ours, command


def test_a_proof_that_resolves_before_it_fires_is_refused() -> None:
    with pytest.raises(ValueError, match="first waits"):
        RuleTest(series={"up": gauge((1, 60))}, firing_at=60, resolved_at=30, expected_description="")
