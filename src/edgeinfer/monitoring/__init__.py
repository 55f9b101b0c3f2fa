"""Dashboards, rules and alerts as code; knows metrics only through the catalog."""
