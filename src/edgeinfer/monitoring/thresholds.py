"""Every number to tune, with where it comes from; dashboards draw the ones that alerts use."""

# --- Objectives: from the product's promise, "P95 under 100 ms, more than 95 % success" over 30 days.
OBJECTIVE = 0.95
ERROR_BUDGET = round(1 - OBJECTIVE, 4)
LATENCY_OBJECTIVE_SECONDS = 0.1
LATENCY_WARNING_SECONDS = 0.075  # three quarters of the objective: a dashboard turns yellow, nobody is called
# What we hold ourselves to; the textbook's burn factors suit its small budget.
INTERNAL_OBJECTIVE = 0.99
INTERNAL_FAST = 0.144  # 14.4 times the budget of 1 %
INTERNAL_SLOW = 0.06  # 6 times

# --- Burn rates, rescaled: with a budget of 5 % the textbook's 14.4 would page at 72 % errors only.
BURN_FAST = 0.3  # 6 times: a month's budget is gone in 5 days
BURN_SLOW = 0.15  # 3 times: gone in 10 days
BURN_EXHAUSTING = ERROR_BUDGET  # 1 time: all of it is being spent
# Below this many requests a second a ratio is made of too few events to page anyone.
TRAFFIC_GUARD_PER_SECOND = 0.1

# --- Requests that the HTTP server refuses itself: one in ten seconds is a client or a scanner that continues, not
# an accident of one connection.
REFUSALS_PER_SECOND = 0.1

# --- Errors
ERROR_SPIKE_FACTOR = 3
ERROR_SPIKE_FLOOR_PER_SECOND = 0.05  # a class that almost never happens must not alert on its second event
HARDWARE_ERRORS_PER_SECOND = 0.02  # more than one a minute
FALLBACK_SHARE = 0.1
UNANSWERED_SHARE = 0.05
SERVER_ERROR_SHARE = 0.05

# --- Service
QUEUE_BACKLOG_WINDOWS = 16  # a quarter of the sidecar's default queue, for two minutes without a pause
RECOVERIES_PER_QUARTER_HOUR = 3.5  # more than three; an increase is extrapolated, so three read as 3.05
HEALTH_CHECK_STALE_SECONDS = 120  # checks run every 30 s
MEMORY_AVAILABLE_SHARE = 0.1
CPU_BUSY_SHARE = 0.95
DISK_FULL_IN_SECONDS = 345_600  # four days: time enough to act on a working day
DISK_LOW_SHARE = 0.3  # with more left a forecast is mostly noise
DISK_FULL_SHARE = 0.05  # SQLite and Prometheus stop below about 200 MB, which a 4 GB card has at this share

# --- Chip. Orange is read from the device; one field log shows 103.99 degrees (firmware default 104).
BELOW_ORANGE_CELSIUS = 10
FALLBACK_TEMPERATURE_CELSIUS = 85  # where the device reports no limit: the usual limit of nearby components
UTILIZATION_SATURATED_RATIO = 0.9
SENSOR_STALE_SECONDS = 60  # sensors are read every 10 s

# --- Model output. 0.1 and 0.25 are the usual reading of a population stability index.
DRIFT_NOTICEABLE = 0.1
DRIFT_LARGE = 0.25
DRIFT_WINDOW_WINDOWS = 500  # under this many answers the index is mostly noise
CONFIDENCE_DROP_FACTOR = 0.5  # of what the highest score is above chance, which is 1 over the number of motifs
MOTIF_COLLAPSE_SHARE = 0.95

# --- Monitoring itself
SCRAPE_SLOW_SECONDS = 1
SCRAPE_SAMPLES = 3000  # our largest process exports about a tenth
REMOTE_WRITE_BEHIND_SECONDS = 120
STORE_DAMAGE_SECONDS = 3600  # how long after a start it is said that the start had to repair something
