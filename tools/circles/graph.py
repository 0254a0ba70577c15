"""A graph of files: which file needs which other one, and for what."""

from collections.abc import Iterator


class Graph:
    """Files by their names, and what ties one to another: symbols, imports, attributes."""

    def __init__(self) -> None:
        self._ties: dict[str, dict[str, set[str]]] = {}

    def add(self, name: str) -> None:
        """A file, perhaps without ties."""
        self._ties.setdefault(name, {})

    def tie(self, user: str, used: str, what: str) -> None:
        """The file USER needs USED for WHAT. That it needs itself says nothing."""
        self.add(user)
        self.add(used)
        if user != used:
            self._ties[user].setdefault(used, set()).add(what)

    def files(self) -> list[str]:
        return sorted(self._ties)

    def ties(self) -> Iterator[tuple[str, str, list[str]]]:
        """Each file, one that it needs, and what for."""
        for user in self.files():
            for used, what in sorted(self._ties[user].items()):
                yield user, used, sorted(what)

    def circles(self) -> list[list[str]]:
        """The groups of files in which each needs each other one, at least by way of others."""
        reached = {name: self._reached(name) for name in self._ties}
        found = []
        seen: set[str] = set()
        for name in self.files():
            if name in reached[name] and name not in seen:
                circle = sorted(other for other in reached[name] if name in reached[other])
                seen.update(circle)
                found.append(circle)
        return found

    def _reached(self, name: str) -> set[str]:
        reached: set[str] = set()
        ahead = list(self._ties[name])
        while ahead:
            other = ahead.pop()
            if other not in reached:
                reached.add(other)
                ahead += self._ties[other]
        return reached


def describe(graph: Graph) -> list[str]:
    """Each circle in words: who is in it, and what ties whom to whom."""
    lines = []
    for circle in graph.circles():
        lines.append(f"a circle of {', '.join(circle)}")
        for user, used, what in graph.ties():
            if user in circle and used in circle:
                lines.append(f"    {user} needs {used} for {', '.join(what)}")
    return lines
