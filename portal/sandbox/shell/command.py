"""What the played shell understands: a kit's command (fetch the script, check its hash, run it), and plain lines of gcloud, az or aws."""

import re
import shlex
from dataclasses import dataclass

# What takes a kit in, and what looks for what is left of it.
SCRIPT = r"byoc-(?:kit|recovery|leftovers)\.sh"
# A word as bash would leave it: bare characters without meaning to a shell, or quoted once. No expansion of any kind.
# One bare character at a time: a run of runs could be cut in endlessly many ways, and a line that ends in another sign would try them all.
WORD = r"(?:[\w@%+=:,./-]|'[^'\n]*'|\"[^\"$`\\!\n]*\")+"
GAP = r"[ \t]+"  # never a line's end: what follows one is another command
FORM = re.compile(
    rf"curl{GAP}-fsSLo{GAP}(?P<script>{SCRIPT}){GAP}'(?P<url>[^'\s]+)'{GAP}&&{GAP}"
    rf"echo{GAP}'(?P<sha256>[0-9a-f]{{64}})  (?P=script)'{GAP}\|{GAP}sha256sum{GAP}--check{GAP}&&{GAP}"
    rf"bash{GAP}(?P=script)(?P<arguments>(?:{GAP}{WORD})*)"
)
BETWEEN = r"[ \t]*;[ \t]*"  # two commands on one line
PART = re.compile(r"(?:[^;'\"]|'[^']*'|\"[^\"]*\")+")  # one of them, in a line that is known to be well formed
LONGEST, MOST_LINES = 24000, 120  # taking a kit away in several locations of Azure is some 50 lines
REFUSAL = "The demo's Cloud Shell runs only a kit's command. Copy the whole command from the portal's page."


class NotAKitCommandError(ValueError):
    """Whatever else could be typed into a shell."""


@dataclass(frozen=True)
class KitCommand:
    url: str
    sha256: str
    arguments: tuple[str, ...]
    script: str = "byoc-kit.sh"


@dataclass(frozen=True)
class GcloudLines:
    """As the portal's page for taking a kit away shows them: one program, no shell."""

    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class AzLines(GcloudLines):
    """The same for Azure."""


@dataclass(frozen=True)
class AwsLines(GcloudLines):
    """The same for AWS."""


Wanted = KitCommand | GcloudLines
PROGRAMS: dict[type[GcloudLines], str] = {GcloudLines: "gcloud", AzLines: "az", AwsLines: "aws"}


def _lines_of(program: str) -> re.Pattern[str]:
    one = rf"{program}(?:{GAP}{WORD})+"
    return re.compile(rf"{one}(?:{BETWEEN}{one})*(?:[ \t]*;)?")


LINES = {kind: _lines_of(program) for kind, program in PROGRAMS.items()}


def parse(text: str) -> Wanted:
    """Raises NotAKitCommandError."""
    joined = re.sub(r"\\\r?\n", " ", text).replace("\r", "").strip()
    lines = [line.strip() for line in joined.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    if len(text) > LONGEST or not 0 < len(lines) <= MOST_LINES:
        raise NotAKitCommandError(REFUSAL)
    if found := FORM.fullmatch(joined):
        return KitCommand(found["url"], found["sha256"], tuple(shlex.split(found["arguments"])), found["script"])
    for kind, form in LINES.items():
        if all(form.fullmatch(line) for line in lines):
            parts = [part for line in lines for part in PART.findall(line) if part.strip()]
            if len(parts) > MOST_LINES:
                break
            return kind(tuple(tuple(shlex.split(part)[1:]) for part in parts))
    raise NotAKitCommandError(REFUSAL)
