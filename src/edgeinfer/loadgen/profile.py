"""How much load: users, time, and what each user does; all of it numbers."""

from dataclasses import dataclass

STRESS_STEPS = (5, 10, 20, 30)
_STRESS_GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class Profile:
    """One run of the generator.

    Args:
        name: for the report.
        users: phones at the same time.
        seconds: how long sessions last.
        speed: seconds of recording that a phone streams each second.
        process_per_second: analyses without a session that each user requests, at random moments.
        synchrony_seconds: time between two synchrony requests.
        timeout_seconds: after this a phone gives up a request.
        seed: of the random moments; the same seed gives the same schedule.
        streams: whether users have sessions, or only request analyses without one.
    """

    name: str
    users: int
    seconds: float
    speed: float = 1.0
    process_per_second: float = 1.0
    synchrony_seconds: float = 5.0
    timeout_seconds: float = 10.0
    seed: int = 1
    streams: bool = True


@dataclass(frozen=True, slots=True)
class Objective:
    """What the service promises: the service level objectives of the source document."""

    p95_seconds: float = 0.1
    success_ratio: float = 0.95


QUICK = Profile("quick", users=5, seconds=15)
DEFAULT = Profile("default", users=10, seconds=60)
STRESS = Profile("stress", users=STRESS_STEPS[0], seconds=10)
SOAK = Profile("soak", users=10, seconds=3600)
PROFILES = {profile.name: profile for profile in (QUICK, DEFAULT, STRESS, SOAK)}


def stress_users(most: int) -> list[int]:
    """Users of each step of a stress run: 5, 10, 20, 30, then half as many again, up to a limit."""
    steps = [users for users in STRESS_STEPS if users <= most]
    users = STRESS_STEPS[-1]
    while (users := round(users * _STRESS_GROWTH)) <= most:
        steps.append(users)
    return steps
