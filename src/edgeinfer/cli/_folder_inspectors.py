"""Who looks at which part of a data folder: the one list, because the rooms of the parts do not know each other."""

from edgeinfer.findings import FolderInspector
from edgeinfer.stack.records_inspection import inspect_records

FOLDER_INSPECTORS: tuple[FolderInspector, ...] = (inspect_records,)
