"""What writes generated files; not shipped."""
