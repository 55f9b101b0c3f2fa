"""What the package index's advisories say of the packages that ship: read from pip-audit's JSON on standard input."""

import json
import sys
from typing import Any

Document = dict[str, Any]


def verdict(document: Document) -> tuple[int, str]:
    """Exit code and message; an index that knows none of the packages proves nothing, so that is a failure."""
    packages = document["dependencies"]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    known = [package for package in packages if "skip_reason" not in package]
    holes = [
        f"{package['name']} {package['version']}: {hole['id']}, fixed in {', '.join(hole['fix_versions']) or 'none'}"
        for package in known
        for hole in package["vulns"]
    ]
    if holes:
        return 1, "\n".join([f"{len(holes)} known vulnerabilities:", *holes])
    if not known:
        return 0, f"NOT AUDITED: the index here shows no advisories of any of the {len(packages)} packages"
    left = f"; no advisories are reported of {', '.join(unknown)}" if unknown else ""
    return 0, f"{len(known)} packages audited, no known vulnerabilities{left}"


def main() -> None:
    """Print the verdict; exit code 1 if there is a vulnerability."""
    text = sys.stdin.read()
    if not text.strip():
        sys.stdout.write("NOT AUDITED: pip-audit could not ask the index\n")
        return
    code, reported = verdict(json.loads(text))
    sys.stdout.write(reported + "\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
