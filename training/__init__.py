"""Rebuilds the shipped model from public recordings; needs torch, and is not part of the wheel."""
