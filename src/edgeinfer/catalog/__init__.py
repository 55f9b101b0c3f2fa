"""Every metric: name, kind, unit, help, labels, buckets, owner. Standard library only; all else derives from it."""
