"""A reporter that remembers."""

from edgeinfer.stack.events import Event, EventKind


class RecordedEvents:
    """Remembers every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def messages(self, kind: EventKind) -> list[str]:
        return [event.message for event in self.events if event.kind is kind]

    def order(self, kind: EventKind) -> list[object]:
        return [event.details.get("process") for event in self.events if event.kind is kind]
