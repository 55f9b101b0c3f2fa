"""Sessions on disk: a log of checked records in segment files, written by one thread."""
