"""The examination grades what was named against the true cause, and every scenario has one."""

import json

import orjson
import pytest

from chaos.answer_tables import as_tables
from chaos.examination import Examiner, Grade, GradedAnswer, Question, answer_of, graded, pairs, truth_of
from chaos.scenarios import SCENARIOS
from chaos.scenarios.unforeseen import NEIGHBOURHOODS, UNFORESEEN
from chaos.true_causes import PAIRS, TRUE_CAUSES
from edgeinfer.diagnosis.diagnosis import Certainty, Diagnosis, Finding, Verdict
from edgeinfer.diagnosis.symptoms import Symptom
from edgeinfer.monitoring.causes import all_causes


def diagnosis(*names: str, verdict: Verdict = Verdict.FOUND, certainty: Certainty = Certainty.CERTAIN) -> Diagnosis:
    services = {cause.name: cause.service for cause in all_causes()}
    findings = tuple(Finding(name, name, certainty, services.get(name, ""), None, (), (), ()) for name in names)
    return Diagnosis(moment=0, verdict=verdict, headline="", findings=findings)


def test_every_scenario_names_its_true_cause_and_every_cause_is_one() -> None:
    known = {cause.name for cause in all_causes()}
    assert set(TRUE_CAUSES) == {scenario.name for scenario in SCENARIOS}
    assert {cause for causes in TRUE_CAUSES.values() for cause in causes} <= known


def test_there_are_pairs_of_scenarios_that_can_be_played_at_once() -> None:
    assert len(set(PAIRS)) == len(PAIRS) >= 20
    for scenario, (first, second) in zip(pairs(), PAIRS, strict=True):
        assert truth_of(scenario.name) == (*TRUE_CAUSES[first], *TRUE_CAUSES[second])
        assert len(scenario.actions) >= 2
        assert not scenario.needs_clock
        assert not scenario.needs_store
        known = {one.name: one.alert for one in SCENARIOS}
        assert {scenario.alert, scenario.or_alert} == {known[first], known[second]}


@pytest.mark.parametrize(
    ("named", "truth", "grade"),
    [
        (("a", "b"), ("a",), Grade.FIRST),
        (("b", "a"), ("a",), Grade.AMONG_THREE),
        (("b", "c", "d", "a"), ("a",), Grade.WRONG),
        ((), ("a",), Grade.UNKNOWN),
        ((), (), Grade.FIRST),
        (("b",), (), Grade.WRONG),
        (("processor-busy", "a"), ("a",), Grade.FIRST),
        (("processor-busy",), ("processor-busy",), Grade.FIRST),
    ],
)
def test_answers_are_graded(named: tuple[str, ...], truth: tuple[str, ...], grade: Grade) -> None:
    assert graded(diagnosis(*named), truth).grade is grade


def test_without_a_fault_something_unexplained_is_not_right() -> None:
    unknown = Diagnosis(
        moment=0,
        verdict=Verdict.UNKNOWN,
        headline="",
        unexplained=(Symptom("HailoErrorClassSpike", True, None, "edge-infer", "warning", ""),),
    )
    answer = graded(unknown, ())
    assert (answer.grade, answer.services) == (Grade.UNKNOWN, ("edge-infer",))


def test_only_a_wrong_answer_that_is_sure_of_itself_is_wrong_with_certainty() -> None:
    sure, unsure = (graded(diagnosis("b", certainty=one), ("a",)) for one in (Certainty.CERTAIN, Certainty.LIKELY))
    assert [sure.is_wrong_with_certainty, unsure.is_wrong_with_certainty] == [True, False]
    assert not graded(diagnosis("a"), ("a",)).is_wrong_with_certainty


async def test_evidence_of_the_scenario_before_is_waited_for_except_in_a_quick_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def answered(*_: object, **__: object) -> GradedAnswer:
        return graded(diagnosis("a"), ("a",))

    monkeypatch.setattr("chaos.examination.asyncio.sleep", sleep)
    for is_quick in (False, True):
        examiner = Examiner(None, lambda: None, 1.0, is_quick=is_quick)  # type: ignore[arg-type, return-value]
        monkeypatch.setattr(examiner, "_ask", answered)
        await examiner.before()
        await examiner.after(("a",), 0.0)
        await examiner.before()
    assert waited[0] == 0  # nothing was played before
    assert 15 < waited[1] <= 16
    assert len(waited) == 2


def test_without_its_entry_a_consequence_or_a_similar_cause_is_near_and_another_is_wrong() -> None:
    examiner = Examiner(None, lambda: None, 1.0)  # type: ignore[arg-type, return-value]  # nobody is asked

    def near(name: str) -> Grade:
        return examiner._near(graded(diagnosis(name), ("chip-vanished",)), ("chip-vanished",)).grade

    assert [near("model-not-loaded"), near("sensor-silent"), near("store-damaged")] == [
        Grade.NEAR,
        Grade.NEAR,
        Grade.WRONG,
    ]


def test_the_table_counts_what_was_answered() -> None:
    right, wrong = graded(diagnosis("sidecar-stopped"), ("sidecar-stopped",)), graded(diagnosis("b"), ("a",))
    answers: dict[str, dict[Question, GradedAnswer]] = {
        "sidecar-killed": {Question.DURING: right, Question.AFTER: right},
        "reset": {Question.DURING: wrong},
    }
    table = as_tables(answers)
    assert "| sidecar-killed | sidecar-stopped | sidecar-stopped | first | first | - | - | 0 |" in table
    assert "| at the alert | 2 | 1 | 0 | 0 | 0 | 1 | 1 |" in table
    assert "without the entry" not in table


def test_without_its_entry_it_is_not_counted_how_sure_a_wrong_answer_is() -> None:
    answer = graded(diagnosis("b"), ("a",))
    assert answer.is_wrong_with_certainty
    table = as_tables({"reset": {Question.WITHOUT_ENTRY: answer}})
    assert "| at the alert, without the entry of the cause | 1 | 0 | 0 | 0 | 0 | 1 | not counted |" in table


def test_an_answer_is_read_as_it_was_written() -> None:
    answer = GradedAnswer(Grade.AMONG_THREE, (("a", Certainty.LIKELY), ("b", Certainty.CERTAIN)), ("x",), 0.25, 3.5)
    assert answer_of(json.loads(orjson.dumps(answer.as_document()))) == answer


@pytest.mark.parametrize(
    ("found", "grade"),
    [
        (diagnosis(verdict=Verdict.UNSEEN), Grade.UNKNOWN),
        (diagnosis("gateway-hangs"), Grade.NEAR),
        (diagnosis("disk-full"), Grade.WRONG),
        (diagnosis(verdict=Verdict.WELL), Grade.WRONG),
    ],
)
def test_of_a_fault_without_an_entry_unknown_is_right(found: Diagnosis, grade: Grade) -> None:
    assert graded(found, (), neighbourhood=("edge-infer",)).grade is grade


def test_faults_without_an_entry_have_a_neighbourhood_and_no_true_cause() -> None:
    names = {scenario.name for scenario in UNFORESEEN}
    services = {cause.service for cause in all_causes()}
    assert len(names) >= 6
    assert set(NEIGHBOURHOODS) == names
    assert not names & set(TRUE_CAUSES)
    assert {one for near in NEIGHBOURHOODS.values() for one in near} <= services
