"""The queries of the chips' panels: by chip, or by the sidecar that serves it."""

from edgeinfer.monitoring.dashboards.long_range import LongRangeQueries
from edgeinfer.monitoring.dashboards.sources import SCOPE
from edgeinfer.monitoring.promql import matching

Q = LongRangeQueries("$__rate_interval", SCOPE | {"chip_id": matching("$chip")})
SERVED = LongRangeQueries("$__rate_interval", SCOPE)
CHIP = ("chip_id", "instance")
LEGEND = "{{chip_id}} {{instance}}"
NO_CHIP = "no chip is read here"
