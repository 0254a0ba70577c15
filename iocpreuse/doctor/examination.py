"""The whole examination: which steps are taken, in which order, and with how much time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from iocpreuse.doctor import child, system, winsock
from iocpreuse.doctor.answer import FAILED, HUNG, LEFT_OUT, Answer, does_not_apply
from iocpreuse.doctor.questions import NO_DISCONNECTEX, QUESTIONS, Question

# Shares of the time in all, for what takes as long as it is given. The rest is for what does not:
# starting processes, and questions.
SHARES: Final = {"recycling": 0.2, "disconnect_times": 0.17, "churn": 0.2}
# A step is killed when it takes so much longer than it was told, or than a question may.
GRACE_SECONDS: Final = 10.0
QUESTION_SECONDS: Final = 20.0
BAD: Final = (FAILED, HUNG)
# Less than that is not worth starting a process for.
STEP_SECONDS_MIN: Final = 1.0


@dataclass
class Findings:
    """All that was found."""

    system: dict[str, Any]
    provider: Answer
    recycling: Answer
    disconnect_times: Answer
    churn: Answer
    questions: dict[str, Answer]
    seconds: float

    def failures(self) -> list[str]:
        """What is essential and is not so; empty if all is well."""
        found = [f"recycling: {each}" for each in self.recycling.figures.get("failures", ())]
        state = self.recycling.figures.get("recycling")
        if self.system["backend"] == "iocp" and not self.system["wine"] and state == "unsupported":
            found.append("recycling: the probe at the start failed, on a Windows that can do it")
        parts = {
            "provider": self.provider,
            "recycling": self.recycling,
            **self.questions,  # the disconnects' times among them
            "churn": self.churn,
        }
        found += [f"{name}: {each.text}" for name, each in parts.items() if each.status in BAD]
        if self.recycling.status == LEFT_OUT:
            found.append(f"recycling: {self.recycling.text}")
        return found

    def as_json(self) -> dict[str, Any]:
        """One object; docs/doctor.md says what is in it."""
        failures = self.failures()
        texts = {question.name: question.text for question in QUESTIONS}
        return {
            "ok": not failures,
            "failures": failures,
            "seconds": round(self.seconds, 1),
            "system": self.system,
            "provider": self.provider.as_json(),
            "recycling": self.recycling.as_json(),
            "disconnect_times": self.disconnect_times.as_json(),
            "questions": {
                name: {"question": texts[name], **answer.as_json()}
                for name, answer in self.questions.items()
            },
            "churn": self.churn.as_json(),
        }


class Examination:
    """Takes the steps one after the other, each in a process of its own."""

    def __init__(self, seconds: float, tell: Callable[[str], None]) -> None:
        """In SECONDS at most; TELL hears what is being done."""
        self._seconds = seconds
        self._begin = time.monotonic()
        self._tell = tell

    def run(self) -> Findings:
        """All of it. What there is no time for is left out, and says so."""
        # The order is that of weight: what comes last is what a slow machine has no time for.
        recycling = self._step("recycling")
        provider = self._on_windows("provider", "Winsock is Windows' own")
        times = self._on_windows("disconnect_times", NO_DISCONNECTEX)
        in_words = replace(times, figures={})  # these have a place of their own
        answers = {
            question.name: in_words if question.ask is None else self._ask(question)
            for question in QUESTIONS
        }
        churn = self._step("churn")
        seconds = time.monotonic() - self._begin
        return Findings(system.describe(), provider, recycling, times, churn, answers, seconds)

    def _ask(self, question: Question) -> Answer:
        if question.elsewhere is None:
            return self._step(question.name)
        return self._on_windows(question.name, question.elsewhere)

    def _on_windows(self, name: str, why: str) -> Answer:
        return self._step(name) if winsock.AVAILABLE else does_not_apply(why)

    def _step(self, name: str) -> Answer:
        left = self._begin + self._seconds - time.monotonic()
        if left < STEP_SECONDS_MIN:
            return Answer(f"there was no time left of {self._seconds:g} s", {}, LEFT_OUT)
        self._tell(name)
        share = min(SHARES.get(name, 0.0) * self._seconds, left)
        limit = share + GRACE_SECONDS if name in SHARES else QUESTION_SECONDS
        answer = child.ask(name, share, min(limit, left))
        if answer.status == HUNG and left < limit:
            return Answer(f"the {self._seconds:g} s were over before it ended", {}, LEFT_OUT)
        return answer
