"""Live instruments made from the catalog, readings that may be absent, and their exposition."""
