"""What the browser makes of the numbers in an answer."""

from edgeinfer.console.frames import Column, Value


def from_wire(column: Column) -> list[Value]:
    """Values of a column, None where there is none."""
    if isinstance(column, list):
        return column
    whole, values = 0, []
    for change in column["changes"]:
        whole += change or 0
        values.append(None if change is None else whole / 10 ** column["decimals"])
    return values
