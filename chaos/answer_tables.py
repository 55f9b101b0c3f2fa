"""What `diagnose` answered to each scenario, and how often each grade was given, as tables in Markdown."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from chaos.examination import Grade, GradedAnswer, Question, neighbourhood_of, truth_of
from edgeinfer.diagnosis.diagnosis import Certainty

Answers = Mapping[Question, GradedAnswer]
_SHOWN = 3
_MARKS = {Certainty.CERTAIN: "", Certainty.LIKELY: " (likely)", Certainty.POSSIBLE: " (possible)"}
_TITLES = (
    "scenario",
    "true cause",
    "named at the alert",
    "grade",
    "after recovery, of that moment",
    "after recovery, of now",
    "without its entry",
    "load",
)


def as_tables(answers: Mapping[str, Answers]) -> str:
    """How often each grade was given, and then a row for each scenario.

    Args:
        answers: by the name of the scenario or pair.
    """
    rows = [_line(_row(name, asked)) for name, asked in answers.items()]
    return "\n".join([*_counts(answers.values()), "", *_head(_TITLES), *rows])


def _counts(answers: Collection[Answers]) -> list[str]:
    lines = _head(("asked", "answers", *Grade, "wrong with certainty"))
    for question in Question:
        given = [asked[question] for asked in answers if question in asked]
        grades = Counter(one.grade for one in given)
        certain = sum(one.is_wrong_with_certainty for one in given)
        if given:
            # Without the true cause's entry no answer can be right: how sure a wrong one is, is not the question.
            said = "not counted" if question is Question.WITHOUT_ENTRY else str(certain)
            lines.append(_line([question, str(len(given)), *(str(grades[grade]) for grade in Grade), said]))
    return lines


def _row(name: str, asked: Answers) -> list[str]:
    during = asked.get(Question.DURING)
    truth = ", ".join(truth_of(name)) or ("no entry" if neighbourhood_of(name) else "none")
    others = (Question.AFTER, Question.RECOVERED, Question.WITHOUT_ENTRY)
    grades = [_grade(asked.get(question)) for question in others]
    return [name, truth, _named(during), _grade(during), *grades, f"{during.load:.0f}" if during else "-"]


def _head(titles: Sequence[str]) -> list[str]:
    return [_line(titles), "|---" * len(titles) + "|"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _named(answer: GradedAnswer | None) -> str:
    if answer is None:
        return "-"
    return ", ".join(f"{name}{_MARKS[certainty]}" for name, certainty in answer.named[:_SHOWN]) or "nothing"


def _grade(answer: GradedAnswer | None) -> str:
    return str(answer.grade) if answer else "-"
