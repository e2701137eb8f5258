"""The table that says which test proves which requirement: made from the markers, never written by hand.

    python tests/walls.py           writes docs/walls.md
    python tests/walls.py --check   exit code 1 when that file is not what the markers say, or a requirement has no test

A test bears `@pytest.mark.attack("S-35")` when it tries to get through a wall and must fail, and
`@pytest.mark.proves("S-35")` when it shows a requirement in another way. More than one requirement may be named; a
whole file is marked with `pytestmark`. `make walls` runs the attacks.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = TESTS.parent / "docs" / "walls.md"
MARKERS = ("attack", "proves")
REQUIREMENTS = {
    "Webhooks": {
        "S-01": "A webhook is verified by HMAC over its raw bytes, in constant time, before anything is parsed; an"
        " empty secret refuses to start; several are good while one is changed.",
        "S-02": "An old delivery is at most a hint to read again; one without a time, or from before, is dropped.",
        "S-03": "Bodies are capped while they stream in, read within seconds, of sane depth, and never forms.",
        "S-04": "A delivery and its job are stored in one transaction before the answer; the same one twice is one.",
        "S-05": "What a payload says is never authority: it is reduced to a key, and read again.",
        "S-05b": "Answers to webhooks say nothing: a fixed body on every path.",
        "S-06": "Requests without a login are limited; an unknown event is counted, a malformed one parked.",
        "S-07": "Everything live is looked at on a timer, so that no lost webhook is missed.",
    },
    "Who may do what": {
        "S-10": "One pure function says who may; it denies by default, on doubt and on errors, and knows people by"
        " their immutable ids.",
        "S-11": "An approval names what it approves; a later push, or another base, voids it.",
        "S-12": "Bots, ourselves, synced and edited comments approve nothing; roles are asked from the API.",
        "S-13": "A merge names the commit that was approved; when the head moved, it is refused.",
        "S-14": "Records of ours are signed with a key that no agent sees.",
        "S-15": "Nothing that the bot writes triggers it; bots that answer each other are stopped.",
        "S-16": "An approval is a whole comment of one fixed ASCII word, outside of quotes and code, unedited.",
    },
    "Text by others": {
        "S-20": "Text by people without standing never reaches a prompt.",
        "S-21": "Text counts as it was when it was weighed: what was edited since, or when nobody knows, is dropped.",
        "S-22": "Text reaches a prompt as what a reader would see: everything invisible is gone, by rendering.",
        "S-23": "It arrives as quoted data with its author, capped in size, never in an argument or a shell.",
        "S-24": "An attachment is fetched from named hosts only, never from an address inside.",
        "S-25": "What agents wrote mentions nobody, closes nothing, loads nothing, and bears no secret.",
    },
    "Secrets and sandbox": {
        "S-30": "No agent holds a token for Linear or GitHub.",
        "S-31": "Nothing of the service can be read from inside: no environment, command line, file, descriptor.",
        "S-32": "The model's key stays with the gateway; a run has a token of its own, with a budget.",
        "S-33": "Every agent and every verification runs behind bubblewrap, with bounded memory, processes and disk, or"
        " not at all.",
        "S-34": "Nothing that can be written is shared between runs.",
        "S-35": "The only way out is a proxy that denies by default, has an exact list, and looks names up itself.",
        "S-36": "When a run is over nothing of it runs, and the result of an older generation is refused.",
    },
    "Git and what lies in repositories": {
        "S-40": "Branch names come from the ticket's id; names from elsewhere are checked.",
        "S-41": "Programs are started by argument lists, never through a shell string.",
        "S-42": "Agents start with a home and settings of the service; hooks, servers and settings in the repository do"
        " not run.",
        "S-43": "Agent settings come from the base branch; changes to protected paths need a person who names them.",
        "S-44": "The service runs no git where an agent could write; bundles come into one of its own, checked.",
        "S-45": "Symbolic links out of the tree, submodules, look-alikes of `.git` and oversized files are refused.",
        "S-46": "Our GitHub App holds no permission over workflows, secrets, environments or administration.",
    },
    "Logs, pages, service": {
        "S-50": "No secret stands in a command line.",
        "S-51": "No secret is logged, stored, shown or posted, not even in a traceback.",
        "S-60": "Runs, tokens, money and time are capped per ticket and in all, and no text can raise the caps.",
        "S-70": "The dashboard asks for a login whose session holds an id only and can be revoked; nothing changes by"
        " GET; what agents wrote is escaped.",
        "S-71": "Paths hold ids only; metrics and logs are not for everybody.",
        "S-72": "Dependencies are locked by hash and audited; nothing runs when one is installed.",
        "S-73": "Only one process does the work of one key, by leases with fencing.",
        "S-74": "What was done outside, and why, is on record.",
    },
}


def proofs() -> dict[str, list[tuple[Path, str]]]:
    """Return for every requirement the tests that bear its name, as file and function."""
    found: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(path.read_text(), str(path))
        shared = [name for one in tree.body if _is_pytestmark(one) for name in _named(ast.walk(one))]
        for function in tree.body:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith("test_"):
                inside = (node for decorator in function.decorator_list for node in ast.walk(decorator))
                for requirement in dict.fromkeys((*shared, *_named(inside))):
                    found[requirement].append((path, function.name))
    return found


def _is_pytestmark(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "pytestmark" for target in statement.targets
    )


def _named(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MARKERS:
            yield from (word.value for word in node.args if isinstance(word, ast.Constant))


def table() -> str:
    """Return docs/walls.md as the markers would have it."""
    found = proofs()
    known = {name for section in REQUIREMENTS.values() for name in section}
    if unknown := found.keys() - known:
        raise SystemExit(f"No such requirement: {', '.join(sorted(unknown))}. See REQUIREMENTS in tests/walls.py.")
    lines = [
        "# Which test proves which requirement",
        "",
        "Made by `python tests/walls.py` from the marks that the tests bear; `make walls` runs those that are attacks.",
        "What the walls are for is in [SECURITY.md](../SECURITY.md).",
    ]
    for title, section in REQUIREMENTS.items():
        lines += ["", f"## {title}", "", "| | requirement | tests |", "| --- | --- | --- |"]
        lines += [f"| {name} | {text} | {_links(found.get(name, []))} |" for name, text in section.items()]
    return "\n".join(lines) + "\n"


def _links(tests: list[tuple[Path, str]]) -> str:
    by_file: dict[Path, list[str]] = defaultdict(list)
    for path, function in tests:
        by_file[path].append(function.removeprefix("test_").replace("_", " "))
    return "<br>".join(
        f"[{path.relative_to(TESTS)}](../{path.relative_to(TESTS.parent)}): {'; '.join(names)}"
        for path, names in by_file.items()
    )


def main(arguments: list[str]) -> int:
    """Write the table, or check it."""
    if arguments == ["--check"]:
        current = TABLE.exists() and TABLE.read_text() == table()
        if not current:
            sys.stderr.write("docs/walls.md is not what the marks of the tests say: run `python tests/walls.py`.\n")
        found = proofs()
        unproved = [name for section in REQUIREMENTS.values() for name in section if not found.get(name)]
        if unproved:
            sys.stderr.write(f"No test bears the name of {', '.join(unproved)}.\n")
        return 0 if current and not unproved else 1
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
