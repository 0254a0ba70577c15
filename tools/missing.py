"""What a machine lacks, and what was left out for it: one line that says how to get it."""

# Every such line begins like this; the summary of tools/check.py collects them.
MARK = "left out: "


class Missing(Exception):
    """WHAT cannot be done here; HOW says what would make it possible."""

    def __init__(self, what: str, how: str) -> None:
        super().__init__(f"{what} ({how})")


def left_out(reason: object) -> None:
    """Says in one line what is left out."""
    print(f"{MARK}{' '.join(str(reason).split())}", flush=True)
