"""The command line: each gap on two lines, and 1 if there is one."""

import sys

from tools.completeness.all import gaps

if __name__ == "__main__":
    found = gaps()
    for gap in found:
        print(gap, file=sys.stderr)
    sys.exit(1 if found else 0)
