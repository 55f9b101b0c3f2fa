"""What the gateway says of damage to its session store: a report for each time it set files aside."""

from pathlib import Path

_MAX_REPORT_BYTES = 2000


class GatewayReports:
    """Finds the reports that appear while a run lasts, so that each is said once on the terminal.

    Args:
        folder: the gateway's data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._damaged = folder / "damaged"
        self._known = frozenset[Path]()

    def remember(self) -> None:
        """Take those that are there as said already."""
        self._known = self._there()

    def news(self) -> list[str]:
        """One message for each report since, oldest first; one that cannot be read yet comes another time."""
        messages = []
        for report in sorted(self._there() - self._known):
            try:
                with report.open(encoding="utf-8", errors="replace") as file:
                    first_line = file.readline(_MAX_REPORT_BYTES).strip()
            except OSError:
                continue
            if first_line:
                self._known |= {report}
                where = self._damaged.parent
                messages.append(f"gateway: its session store was damaged: {first_line} of {where}")
        return messages

    def _there(self) -> frozenset[Path]:
        try:
            return frozenset(self._damaged.glob("*/report.txt"))
        except OSError:
            return frozenset()
