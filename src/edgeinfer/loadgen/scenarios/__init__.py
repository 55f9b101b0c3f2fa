"""Every failure that is provoked, as data: one file for each kind."""

from collections.abc import Mapping

from edgeinfer.loadgen.scenario import Scenario
from edgeinfer.loadgen.scenarios.answers import ANSWERS
from edgeinfer.loadgen.scenarios.budgets import BUDGETS
from edgeinfer.loadgen.scenarios.hardware import HARDWARE
from edgeinfer.loadgen.scenarios.network import NETWORK
from edgeinfer.loadgen.scenarios.processes import PROCESSES, RESOURCES
from edgeinfer.loadgen.scenarios.watching import CALM, WATCHING

SCENARIOS: tuple[Scenario, ...] = (CALM, *NETWORK, *BUDGETS, *ANSWERS, *PROCESSES, *RESOURCES, *WATCHING, *HARDWARE)

NOT_PROVOKED: Mapping[str, str] = {
    "HailoDiskFull": "it would take the disk from everything that runs on the machine",
    "HailoDiskWillFill": "it would take the disk from everything that runs on the machine",
    "HailoMemoryLow": "it would take nine tenths of the machine's memory from everything that runs on it",
}
"""Alerts that no scenario provokes, with the reason; their unit tests are all that proves them."""
