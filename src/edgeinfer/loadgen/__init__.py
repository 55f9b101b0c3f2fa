"""Replay, load and its report."""
