"""Lines of the report: what was measured, beside what, and the ratio; or why there is none."""

import sys
from dataclasses import dataclass, field


@dataclass
class Line:
    what: str
    ours: str = ""
    beside: str = ""
    ratio: str = ""
    goal: str = ""
    problem: str = ""  # why it does not count


@dataclass
class Report:
    lines: list[Line] = field(default_factory=list)

    def add(self, what: str, **words: str) -> None:
        self.lines.append(Line(what, **words))
        say(_row(self.lines[-1]))

    def markdown(self) -> str:
        head = ["| what | ours | beside | ratio | goal |", "| --- | --- | --- | --- | --- |"]
        return "\n".join([*head, *(_row(line) for line in self.lines)])


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _row(line: Line) -> str:
    ratio = f"does not count: {line.problem}" if line.problem else line.ratio
    return f"| {line.what} | {line.ours} | {line.beside} | {ratio} | {line.goal} |"


def micros(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs"
