from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.gateway.circuit import CircuitBreaker, CircuitState
from tests.gateway.rigs import Clock


def make(clock: Clock, entered: list[CircuitState] | None = None, failures: int = 3) -> CircuitBreaker:
    entered = [] if entered is None else entered
    return CircuitBreaker(failures=failures, open_seconds=1.0, clock=clock, on_change=entered.append)


def passes(circuit: CircuitBreaker) -> bool:
    return circuit.would_allow


def state_of(circuit: CircuitBreaker) -> CircuitState:
    return circuit.state


def call(circuit: CircuitBreaker, *, succeeds: bool) -> bool:
    """Whether the call passed."""
    if not circuit.would_allow:
        return False
    circuit.enter()
    (circuit.succeed if succeeds else circuit.fail)()
    return True


def test_it_opens_after_failures_in_a_row_only() -> None:
    circuit = make(Clock())
    for succeeds in (False, False, True, False, False):
        call(circuit, succeeds=succeeds)
    assert state_of(circuit) is CircuitState.CLOSED
    call(circuit, succeeds=False)
    assert state_of(circuit) is CircuitState.OPEN
    assert not circuit.would_allow


def test_one_probe_passes_after_the_pause_and_closes_it() -> None:
    clock, entered = Clock(), list[CircuitState]()
    circuit = make(clock, entered, failures=1)
    call(circuit, succeeds=False)
    clock.now += 0.99
    assert not passes(circuit)
    clock.now += 0.01
    assert passes(circuit)
    circuit.enter()
    assert state_of(circuit) is CircuitState.HALF_OPEN
    assert not passes(circuit)
    circuit.succeed()
    assert passes(circuit)
    assert entered == [CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED]


def test_each_failed_probe_doubles_the_pause_up_to_half_a_minute() -> None:
    clock = Clock()
    circuit = make(clock, failures=1)
    call(circuit, succeeds=False)
    for pause in (1, 2, 4, 8, 16, 30, 30):
        clock.now += pause - 0.01
        assert not circuit.would_allow
        clock.now += 0.01
        assert call(circuit, succeeds=False)


def test_a_closed_circuit_begins_with_the_first_pause_again() -> None:
    clock = Clock()
    circuit = make(clock, failures=1)
    call(circuit, succeeds=False)
    clock.now += 1
    call(circuit, succeeds=False)
    clock.now += 2
    call(circuit, succeeds=True)
    call(circuit, succeeds=False)
    clock.now += 1
    assert circuit.would_allow


def test_an_abandoned_probe_leaves_room_for_another() -> None:
    clock = Clock()
    circuit = make(clock, failures=1)
    call(circuit, succeeds=False)
    clock.now += 1
    circuit.enter()
    circuit.abandon()
    assert circuit.would_allow


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5)), max_size=60))
def test_an_open_circuit_always_lets_a_probe_pass_in_time(history: list[tuple[bool, float]]) -> None:
    clock = Clock()
    circuit = make(clock)
    for succeeds, pause in history:
        call(circuit, succeeds=succeeds)
        clock.now += pause
    clock.now += 30
    assert circuit.would_allow
    call(circuit, succeeds=True)
    assert state_of(circuit) is CircuitState.CLOSED
