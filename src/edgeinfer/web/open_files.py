"""The limit of open files, raised as far as the machine lets us: each connection is one."""

import logging
import resource

_log = logging.getLogger(__name__)


def raise_open_files_limit(wanted: int) -> int:
    """Raise the soft limit to what is wanted, or to the hard limit where that is less; returns what it is now.

    A login shell and a unit without LimitNOFILE have a soft limit of 1024, at which accepting fails with a
    traceback each time and no client learns why.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted if soft == resource.RLIM_INFINITY else soft
    reachable = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    except (OSError, ValueError) as failure:
        _log.warning("cannot raise the limit of open files", extra={"limit": soft, "fault": str(failure)})
        return soft
    return reachable


def connections_within(limit: int, reserve: int, wanted: int) -> int:
    """How many connections of those wanted a limit of open files allows.

    Args:
        limit: of open files.
        reserve: files that are open for other things, connections to others among them.
        wanted: connections.
    """
    possible = max(1, min(wanted, limit - reserve))
    if possible < wanted:
        fields = {"connections": possible, "wanted": wanted, "open_files": limit}
        _log.warning("the limit of open files allows fewer connections; raise LimitNOFILE", extra=fields)
    return possible
