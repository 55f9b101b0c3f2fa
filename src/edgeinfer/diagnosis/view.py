"""Everything that a diagnosis has read at one moment: measurements, facts of the machine, and what was unseen."""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from edgeinfer.errors import MonitoringError
from edgeinfer.monitoring.causes.facts import Fact

_NEWEST = "max(timestamp(up))"


class Asks(Protocol):
    """Answers PromQL."""

    async def query(self, expression: str, moment: float) -> list[dict[str, Any]]:
        """Series of an instant query, each with `metric` and `value`."""

    async def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Series of a range query, each with `metric` and `values`."""

    async def newest_stored(self) -> float | None:
        """The newest time of which a sample is stored, of the future as well; None where none is."""

    async def samples(self, selector: str, seconds: float, moment: float) -> list[dict[str, Any]]:
        """The stored samples of a selector within so many seconds before a moment."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class View:
    """What was read.

    Args:
        moment: seconds since 1970.
        series: by expression; an expression that could not be asked is absent.
        facts: of the machine, by subject; what could not be looked at is absent.
        unseen: what could not be seen, and why, a sentence each.
        newest: when Prometheus last stored a scrape before the moment; None without one.
    """

    moment: float
    series: Mapping[str, tuple[Series, ...]] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    newest: float | None = None


def unchanged(expression: str) -> str:
    return expression


async def ask(
    prometheus: Asks, expressions: Iterable[str], moment: float, rewrite: Callable[[str], str] = unchanged
) -> tuple[dict[str, tuple[Series, ...]], str]:
    """The answer to each expression at a moment, and why some are missing; empty where none is.

    An expression that Prometheus refuses is absent, never without series: nobody saw that it does not hold.

    Args:
        prometheus: whom to ask.
        expressions: PromQL of instant vectors.
        moment: seconds since 1970.
        rewrite: applied to each expression before it is asked.
    """
    wanted = list(dict.fromkeys(expressions))
    answers = await asyncio.gather(
        *(prometheus.query(rewrite(expression), moment) for expression in wanted), return_exceptions=True
    )
    found: dict[str, tuple[Series, ...]] = {}
    fault = ""
    for expression, answer in zip(wanted, answers, strict=True):
        if isinstance(answer, MonitoringError):
            fault = f"{answer.thing}: {answer.fault}"
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found[expression] = tuple(series_of(answer))
    return found, fault


def series_of(answer: Iterable[dict[str, Any]]) -> list[Series]:
    """Series with a finite value; NaN is not an observation."""
    read = [Series(one["metric"], float(one["value"][1])) for one in answer]
    return [one for one in read if math.isfinite(one.value)]


async def newest_scrape(prometheus: Asks, moment: float) -> float | None:
    """When something was last scraped, as seen at a moment; None without a scrape in the five minutes before.

    Raises:
        MonitoringError: Prometheus does not answer.
    """
    found = series_of(await prometheus.query(_NEWEST, moment))
    return found[0].value if found else None
