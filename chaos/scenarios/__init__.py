"""Every failure that is provoked, as data: one file for each kind."""

from chaos.scenario import Scenario
from chaos.scenarios.answers import ANSWERS
from chaos.scenarios.budgets import BUDGETS
from chaos.scenarios.connections import NETWORK
from chaos.scenarios.hardware import HARDWARE
from chaos.scenarios.meta_monitoring import STEADY_STATE, WATCHING
from chaos.scenarios.processes import PROCESSES, RESOURCES

SCENARIOS: tuple[Scenario, ...] = (
    STEADY_STATE,
    *NETWORK,
    *BUDGETS,
    *ANSWERS,
    *PROCESSES,
    *RESOURCES,
    *WATCHING,
    *HARDWARE,
)
