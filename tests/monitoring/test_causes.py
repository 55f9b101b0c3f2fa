"""Each cause is an entry that diagnosis, runbooks and reference can be made from."""

import pytest

from edgeinfer.monitoring.alerts import all_alerts
from edgeinfer.monitoring.causes import all_causes
from edgeinfer.monitoring.causes.cause import Action, Cause, Evidence
from edgeinfer.monitoring.causes.commands import PROCESSES, Verb, Way, command
from edgeinfer.monitoring.causes.facts import FactIs, fact
from tools.promql_lint import faults, known_series

CAUSES = all_causes()


def test_names_and_titles_are_unique() -> None:
    assert len({cause.name for cause in CAUSES}) == len(CAUSES)
    assert len({cause.title for cause in CAUSES}) == len(CAUSES)


def test_what_a_cause_names_is_there() -> None:
    names, alerts = {cause.name for cause in CAUSES}, {alert.name for alert in all_alerts()}
    for cause in CAUSES:
        assert {*cause.leads_to, *cause.follows_from, *cause.confused_with} <= names, cause.name
        assert set(cause.alerts) <= alerts, cause.name
        assert cause.name not in (*cause.leads_to, *cause.confused_with)


def test_every_alert_is_explained_by_a_cause() -> None:
    explained = {name for cause in CAUSES for name in cause.alerts}
    assert {alert.name for alert in all_alerts() if not alert.always} == explained


def test_no_cause_is_its_own_consequence() -> None:
    for cause in CAUSES:
        others = [other for other in CAUSES if cause.brings_about(other)]
        assert [other.name for other in others if other.brings_about(cause)] == []


def test_every_expression_reads_what_exists() -> None:
    known = known_series()
    expressions = {
        one.expression for cause in CAUSES for one in (*cause.evidence, *cause.unless, *cause.doubts) if one.expression
    }
    assert len(expressions) > 70
    assert {expression: found for expression in expressions if (found := faults(expression, known))} == {}


def test_sentences_are_sentences() -> None:
    for cause in CAUSES:
        assert cause.title[0].isupper(), cause.name
        assert not cause.title.endswith("."), cause.name
        for action in cause.remedy:
            assert action.says.endswith("."), (cause.name, action.says)
        for evidence in (*cause.evidence, *cause.unless, *cause.doubts):
            assert not evidence.says.endswith("."), (cause.name, evidence.says)


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("process", PROCESSES)
def test_every_action_has_a_command_for_every_way_to_run(process: str, way: Way) -> None:
    for verb in Verb:
        typed = command(verb, process, way, folder="/data", pid=7)
        assert typed
        assert "{" not in typed
    assert command(Verb.RESTART, process, Way.UP, folder="/data") == "edgeinfer up --data-folder /data"


def test_a_fact_that_no_look_at_the_machine_gives_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a fact"):
        fact("sidecar.mood", "bad")
    with pytest.raises(ValueError, match="never is 'gone'"):
        FactIs("sidecar.process", ("gone",))


def test_an_entry_without_evidence_or_remedy_is_refused() -> None:
    evidence, remedy = (Evidence("it is down", "up == 0"),), (Action("Start it."),)
    with pytest.raises(ValueError, match="give evidence and remedy"):
        Cause(name="a-cause", title="A", service="", alerts=(), evidence=(), remedy=remedy)
    with pytest.raises(ValueError, match="not the name of a cause"):
        Cause(name="A cause", title="A", service="", alerts=(), evidence=evidence, remedy=remedy)
    with pytest.raises(ValueError, match="give an expression or a fact"):
        Evidence("it is down")
    with pytest.raises(ValueError, match="a verb needs a process"):
        Action("Start it.", verb=Verb.RESTART)
