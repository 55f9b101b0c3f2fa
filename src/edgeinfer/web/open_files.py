"""The limit of open files, raised as far as the machine lets us: each connection is one."""

import logging
import resource
from dataclasses import replace

from edgeinfer.web.limits import ConnectionLimits

# Files other than connections of clients: connections to sidecars or Prometheus, the store, listeners, libraries.
OTHER_OPEN_FILES = 768
# Of few open files, half are for others and an eighth for clients that are refused.
_OTHERS_SHARE, _REFUSED_SHARE = 2, 8

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


def within_open_files(limits: ConnectionLimits, open_files: int) -> ConnectionLimits:
    """The limits, with no more connections than these open files allow: where they are few, everyone gets fewer.

    Args:
        limits: as they are wanted.
        open_files: that this process may have.
    """
    refused = min(limits.max_refused_connections, open_files // _REFUSED_SHARE)
    others = min(OTHER_OPEN_FILES, open_files // _OTHERS_SHARE)
    possible = min(limits.max_connections, max(1, open_files - refused - others))
    if possible < limits.max_connections:
        fields = {"connections": possible, "wanted": limits.max_connections, "open_files": open_files}
        _log.warning("the limit of open files allows fewer connections; raise LimitNOFILE", extra=fields)
    return replace(limits, max_connections=possible, max_refused_connections=refused)
