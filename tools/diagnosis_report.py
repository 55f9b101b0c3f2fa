"""The tables of docs/reports/diagnosis.md, from what the examination printed as JSON.

    python -m chaos --examine --json > singles.json
    python -m tools.diagnosis_report singles=singles.json pairs=pairs.json busy=busy.json unforeseen=unforeseen.json

Each table stands between two comments of its name; what people wrote around them stays.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos.answer_tables import as_tables
from chaos.examination import GradedAnswer, Question, answer_of

REPORT = Path(__file__).parents[1] / "docs/reports/diagnosis.md"
_PARTS = ("singles", "pairs", "busy", "unforeseen")


def tables(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """What was played, at which load, and what was answered."""
    answers = {outcome["scenario"]: _answers(outcome) for outcome in outcomes}
    loads = [answer.load for asked in answers.values() for answer in asked.values()]
    passed = sum(outcome["passed"] for outcome in outcomes)
    said = (
        f"{len(outcomes)} were played at a load of {min(loads):.1f} to {max(loads):.1f}, in the middle "
        f"{sorted(loads)[len(loads) // 2]:.1f}; of {passed} everything else that the matrix demands held as well."
    )
    return f"{said}\n\n{as_tables(answers)}"


def _answers(outcome: Mapping[str, Any]) -> dict[Question, GradedAnswer]:
    return {Question(asked): answer_of(answer) for asked, answer in outcome["diagnosed"].items()}


def with_tables(text: str, part: str, found: str) -> str:
    """The report with this part's tables in place of the older ones.

    Raises:
        ValueError: the report has no place for them.
    """
    begin, end = f"<!-- {part}: written by python -m tools.diagnosis_report -->", f"<!-- end of {part} -->"
    place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not place.search(text):
        raise ValueError(f"{REPORT.name} has no {begin} with {end} after it")
    return place.sub(lambda _: f"{begin}\n\n{found}\n\n{end}", text)


def main(arguments: Sequence[str]) -> int:
    """Write the tables of each part that is given as `part=file`."""
    given = dict(one.split("=", 1) for one in arguments if "=" in one)
    if not given or len(given) != len(arguments) or not set(given) <= set(_PARTS):
        print(f"give outcomes as part=file.json, where part is one of {', '.join(_PARTS)}", file=sys.stderr)
        return 2
    text = REPORT.read_text("utf-8")
    for part, file in given.items():
        text = with_tables(text, part, tables(json.loads(Path(file).read_bytes())))
    REPORT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
