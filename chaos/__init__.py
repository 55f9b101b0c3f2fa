"""Chaos scenarios: failures caused on purpose on a stack of their own. Runs from a checkout; no part of the product."""
