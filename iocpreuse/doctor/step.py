"""One step of the examination in this process: `python -m iocpreuse.doctor.step NAME SECONDS`."""

import json
import os
import sys
from collections.abc import Callable, Sequence

from iocpreuse.doctor import churn, disconnects, provider, recycling
from iocpreuse.doctor.answer import FAILED, Answer
from iocpreuse.doctor.connection import Refused
from iocpreuse.doctor.questions import QUESTIONS


def _find(name: str) -> Callable[[float], Answer]:
    parts: dict[str, Callable[[float], Answer]] = {
        "provider": lambda _: provider.look(),
        "recycling": recycling.measure,
        "disconnect_times": disconnects.measure,
        "churn": churn.measure,
    }
    if name in parts:
        return parts[name]
    ask = next(question.ask for question in QUESTIONS if question.name == name)
    assert ask is not None
    return lambda _: ask()


def main(argv: Sequence[str]) -> None:
    """Prints the answer as a line of JSON, and ends the process."""
    name, seconds = argv
    try:
        answer = _find(name)(float(seconds))
    except (OSError, Refused) as exc:
        answer = Answer(f"it could not be asked: {exc}", {}, FAILED)
    print(json.dumps(answer.as_json()), flush=True)
    # At once: the kernel may still own memory of calls that never ended, and Python would free it.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
