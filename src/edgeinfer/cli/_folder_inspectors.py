"""What inspects which part of a data folder: the one list, because the rooms of the parts do not know each other."""

from edgeinfer.diagnostics import FolderInspector
from edgeinfer.gateway.store.inspection import inspect_store
from edgeinfer.stack.inspection import inspect_monitoring

FOLDER_INSPECTORS: tuple[FolderInspector, ...] = (inspect_store, inspect_monitoring)
