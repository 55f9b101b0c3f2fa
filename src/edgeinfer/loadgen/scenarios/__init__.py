"""Every failure that is provoked, as data: one file for each kind."""

from edgeinfer.loadgen.scenario import Scenario
from edgeinfer.loadgen.scenarios.answers import ANSWERS
from edgeinfer.loadgen.scenarios.budgets import BUDGETS
from edgeinfer.loadgen.scenarios.connections import NETWORK
from edgeinfer.loadgen.scenarios.hardware import HARDWARE
from edgeinfer.loadgen.scenarios.meta_monitoring import CALM, WATCHING
from edgeinfer.loadgen.scenarios.processes import PROCESSES, RESOURCES

SCENARIOS: tuple[Scenario, ...] = (CALM, *NETWORK, *BUDGETS, *ANSWERS, *PROCESSES, *RESOURCES, *WATCHING, *HARDWARE)
