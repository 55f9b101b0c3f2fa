"""Times in words, and what is said where measurements lie ahead of this machine's clock."""

from datetime import UTC, datetime

_DAY_SECONDS, _HOUR_SECONDS = 86_400.0, 3_600.0


def in_words(seconds: float) -> str:
    """A time in UTC as a person writes it; a time that no calendar has as the number that it is."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds:.0f}"


def ahead_in_words(newest: float, now: float, folder: str) -> tuple[str, str]:
    """What is wrong where the newest measurement lies ahead of the clock, and what to do; times since 1970."""
    ahead = newest - now
    span = f"{ahead / _DAY_SECONDS:.1f} days" if ahead > _DAY_SECONDS else f"{ahead / _HOUR_SECONDS:.1f} hours"
    fault = (
        f"the newest measurement in {folder} is of {in_words(newest)}, {span} ahead of this machine's clock "
        f"({in_words(now)}): this clock is wrong now, or was wrong then"
    )
    remedy = (
        "Look at 'timedatectl'. If this clock is wrong, set it. If it is right and kept so by NTP, the next "
        "'edgeinfer up' sets aside what carries a wrong time; without NTP, move the newest blocks out of the folder "
        "yourself. Until then Prometheus takes new measurements only if these are less than 30 days ahead."
    )
    return fault, remedy
