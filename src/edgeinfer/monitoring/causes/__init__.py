"""Causes of failures, one file for each subject; each offers `create() -> list[Cause]`."""

import importlib
import pkgutil

from edgeinfer.monitoring.causes.cause import Cause

_NOT_SUBJECTS = ("cause", "commands", "facts", "signs")


def subjects() -> tuple[str, ...]:
    """The subject files of this folder."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NOT_SUBJECTS))


def causes_of(subject: str) -> list[Cause]:
    """The causes of one subject file."""
    found: list[Cause] = importlib.import_module(f"{__name__}.{subject}").create()
    return found


def all_causes() -> list[Cause]:
    """Every cause, by subject and then as the file orders them."""
    return [cause for subject in subjects() for cause in causes_of(subject)]
