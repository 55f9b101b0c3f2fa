"""The scenarios fit the catalog, the alerts and the fake chip."""

import pytest

from chaos.actions import monitoring_files
from chaos.actions.hardware import Device, Flap, RaspberryPiCondition
from chaos.actions.monitoring import FalsifyScrapes
from chaos.actions.resources import ClockStep
from chaos.actions.traffic import Inject
from chaos.faults import FaultKind
from chaos.scenarios import SCENARIOS
from edgeinfer.catalog.labels import CONTRACT_CHECKS, INFERENCE_ERROR_TYPES
from edgeinfer.catalog.metric import MetricKind
from edgeinfer.monitoring.alerts import all_alerts
from tests.fakes.chip_service import STATES, become
from tests.fakes.hailo_platform.machine import Chip, Machine


def test_every_scenario_names_an_alert_that_exists_and_counters_of_the_catalog() -> None:
    alerts = {alert.name for alert in all_alerts()}
    for scenario in SCENARIOS:
        assert not scenario.alert or scenario.alert in alerts, scenario.name
        for counted in scenario.counted:
            assert counted.metric.kind is MetricKind.COUNTER
            assert len(counted.labels) == len(counted.metric.labels)


def test_what_damages_files_of_the_monitoring_gets_a_stack_of_its_own() -> None:
    for scenario in SCENARIOS:
        damages = any(type(action).__module__ == monitoring_files.__name__ for action in scenario.actions)
        assert scenario.needs_store == damages, scenario.name


def test_names_of_scenarios_are_unique() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


def test_every_class_of_error_and_some_violations_are_provoked() -> None:
    provoked = {label for scenario in SCENARIOS for counted in scenario.counted for label in counted.labels}
    assert set(INFERENCE_ERROR_TYPES) <= provoked
    assert {"motif_shape", "not_finite"} <= provoked & set(CONTRACT_CHECKS)


def test_every_state_that_a_scenario_asks_of_the_chip_is_one_that_the_fake_knows() -> None:
    actions = [(scenario, action) for scenario in SCENARIOS for action in scenario.actions]
    assert {action.state for _, action in actions if isinstance(action, Device | Flap)} <= set(STATES)
    assert all(
        scenario.needs_chip for scenario, action in actions if isinstance(action, RaspberryPiCondition | Device | Flap)
    )
    assert all(scenario.needs_clock for scenario, action in actions if isinstance(action, ClockStep))


@pytest.mark.parametrize("state", list(STATES))
def test_a_faked_chip_becomes_well_again(state: str) -> None:
    machine = Machine()
    become(machine, state)
    become(machine, "")
    well, chip = Chip(), machine.chip
    assert (chip.ts0, chip.zone, chip.present, chip.stuck) == (well.ts0, well.zone, well.present, well.stuck)
    assert machine.outcome_of("Device") is None


def test_every_kind_of_fault_is_injected_by_some_scenario() -> None:
    faults = [
        action.fault
        for scenario in SCENARIOS
        for action in scenario.actions
        if isinstance(action, Inject | FalsifyScrapes)
    ]
    assert {fault.kind for fault in faults} == set(FaultKind) - {FaultKind.NONE}


def test_every_alert_is_provoked_by_a_scenario() -> None:
    provoked = {name for scenario in SCENARIOS for name in (scenario.alert, *scenario.further_alerts)} - {""}
    assert provoked == {alert.name for alert in all_alerts()}
