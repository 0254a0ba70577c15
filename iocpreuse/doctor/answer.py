"""What comes back from asking the system something: Answer, and the statuses it can have."""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

MEASURED: Final = "measured"
DOES_NOT_APPLY: Final = "does not apply"
FAILED: Final = "failed"  # it crashed, or could not be carried out
HUNG: Final = "hung"  # it was ended at its deadline
LEFT_OUT: Final = "left out"  # there was no time left


@dataclass(frozen=True)
class Answer:
    """A sentence or two for people, and the figures behind them."""

    text: str
    figures: dict[str, Any] = field(default_factory=dict)
    status: str = MEASURED

    def as_json(self) -> dict[str, Any]:
        """For a line of JSON."""
        return asdict(self)


def does_not_apply(why: str, figures: dict[str, Any] | None = None) -> Answer:
    """The answer to a question that has no subject here."""
    return Answer(f"does not apply on this system: {why}", figures or {}, DOES_NOT_APPLY)
