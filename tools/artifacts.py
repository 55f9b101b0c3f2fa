"""Every generated file of the repository and what renders it; a new one is a line here."""

from collections.abc import Callable
from dataclasses import dataclass

from tools import (
    architecture_picture,
    command_reference,
    device_guide,
    fleet_files,
    hailo_errors_reference,
    monitoring_files,
    python_api_reference,
    settings_reference,
    systemd_files,
)

# Folders in which nothing but generated files may lie.
GENERATED_FOLDERS = (
    "docs/runbooks",
    "src/edgeinfer/monitoring/generated",
)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A generated file.

    Args:
        path: from the root of the repository.
        render: its whole text, the same at every call.
    """

    path: str
    render: Callable[[], str]


def all_artifacts() -> list[Artifact]:
    """Every artifact, in no particular order."""
    return [
        Artifact(architecture_picture.PATH, architecture_picture.render),
        Artifact("docs/reference/commands.md", command_reference.render),
        Artifact("docs/reference/settings.md", settings_reference.render),
        Artifact(hailo_errors_reference.PATH, hailo_errors_reference.render),
        Artifact(python_api_reference.PATH, python_api_reference.render),
        Artifact(device_guide.PATH, device_guide.render),
        Artifact(systemd_files.PATH, systemd_files.render),
        *(Artifact(path, render) for path, render in monitoring_files.renders().items()),
        *(Artifact(path, render) for path, render in fleet_files.renders().items()),
    ]
