"""What an event is; the outbox writes it, consumers follow it."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar
from uuid import UUID


@dataclass(frozen=True)
class Event:
    """Base of all events: frozen, named in the past tense, small. `subject_id` is what it is about;
    the remaining fields become `data`."""

    type: ClassVar[str]
    subject_type: ClassVar[str]

    subject_id: UUID

    def data(self) -> dict[str, Any]:
        # Not asdict: copying the long lists inside costs more than writing them.
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "subject_id"}
