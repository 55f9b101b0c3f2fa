"""Every failure that is provoked, as data: one file for each kind."""

from edgeinfer.loadgen.scenario import Scenario
from edgeinfer.loadgen.scenarios.answers import ANSWERS
from edgeinfer.loadgen.scenarios.budgets import BUDGETS
from edgeinfer.loadgen.scenarios.hardware import HARDWARE
from edgeinfer.loadgen.scenarios.network import NETWORK
from edgeinfer.loadgen.scenarios.processes import PROCESSES, RESOURCES
from edgeinfer.loadgen.scenarios.watching import CALM, WATCHING

SCENARIOS: tuple[Scenario, ...] = (CALM, *NETWORK, *BUDGETS, *ANSWERS, *PROCESSES, *RESOURCES, *WATCHING, *HARDWARE)
