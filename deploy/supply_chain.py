"""What Callboard is made of: `audit` asks whether any of it is known to be vulnerable, `sbom` writes it down.

    python deploy/supply_chain.py audit PIP-AUDIT    exit code 1 when something is vulnerable
    python deploy/supply_chain.py sbom               CycloneDX 1.6 JSON on standard output, from the lock files alone

Where PyPI's vulnerability service does not answer, nothing was audited: that is said in capitals, and is no failure of
the code that is looked at.
"""

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)\s*(?:;\s*([^\\]+?))?\s*\\?$")
_HASH = re.compile(r"^--hash=sha256:([0-9a-f]{64})\s*\\?$")


@dataclass(frozen=True)
class Pin:
    """One package as a lock file pins it. `wanted_by` are the names of those that asked for it."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    wanted_by: tuple[str, ...]

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read_lock(text: str) -> tuple[Pin, ...]:
    """The packages of a lock file.

    Raises:
        ValueError: a line is neither a pinned package nor one of its hashes: an address, an option, a loose version.
    """
    pins: list[Pin] = []
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.strip()
        if plain.startswith("#"):
            name = plain.removeprefix("#").removeprefix(" via").strip().partition(" ")[0]
            if pins and name:
                last = pins[-1]
                pins[-1] = Pin(last.name, last.version, last.marker, last.hashes, (*last.wanted_by, name))
        elif match := _PIN.match(plain):
            pins.append(Pin(match[1].lower(), match[2], match[3] or "", (), ()))
        elif pins and (match := _HASH.match(plain)):
            last = pins[-1]
            pins[-1] = Pin(last.name, last.version, last.marker, (*last.hashes, match[1]), last.wanted_by)
        elif plain:
            raise ValueError(f"line {number} is no pinned package and no hash: {plain}")
    return tuple(pins)


def sbom(locks: Mapping[str, str], version: str) -> dict[str, Any]:
    """A CycloneDX document: what runs is `required`, what only tests and linters need is `excluded`."""
    runtime = {pin.name for pin in read_lock(locks[LOCKS[0]])}
    pins = {pin.name: pin for name in reversed(LOCKS) for pin in read_lock(locks[name])}
    above: dict[str, list[str]] = {name: [] for name in pins}
    for pin in pins.values():
        for parent in pin.wanted_by:
            if parent in above:
                above[parent].append(pin.purl)
    direct = [pin.purl for pin in pins.values() if any(one.startswith("callboard") for one in pin.wanted_by)]
    own = f"pkg:generic/callboard@{version}"
    serial = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(locks[name] for name in LOCKS))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "callboard", "version": version, "bom-ref": own, "purl": own}
        },
        "components": [_component(pins[name], required=name in runtime) for name in sorted(pins)],
        "dependencies": [
            {"ref": own, "dependsOn": sorted(direct)},
            *({"ref": pins[name].purl, "dependsOn": sorted(above[name])} for name in sorted(pins)),
        ],
    }


def _component(pin: Pin, *, required: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "name": pin.name,
        "version": pin.version,
        "bom-ref": pin.purl,
        "purl": pin.purl,
        "scope": "required" if required else "excluded",
        "properties": [{"name": "callboard:sha256", "value": one} for one in pin.hashes],
    }
    if pin.marker:
        found["properties"].append({"name": "callboard:marker", "value": pin.marker})
    return found


def judge(out: str, error: str) -> tuple[int, list[str]]:
    """What pip-audit's JSON says: the exit code, and lines for people."""
    try:
        found = json.loads(out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = next((line for line in reversed(error.splitlines()) if line.strip()), "it said nothing")
        return 0, [f"NOT AUDITED: the vulnerability service does not answer here ({last.strip()[:200]})."]
    skipped = [one["name"] for one in found if "skip_reason" in one]
    audited = [one for one in found if "skip_reason" not in one]
    bad = [
        f"VULNERABLE: {one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or '-'}"
        for one in audited
        for hole in one["vulns"]
    ]
    lines = [*bad, f"{len(audited)} of {len(found)} packages audited, {len(bad)} vulnerabilities."]
    if skipped and not audited:
        lines.append(
            "NOT AUDITED: the vulnerability service knows none of them here; ask it where PyPI itself answers."
        )
    elif skipped:
        lines.append(f"NOT AUDITED: {', '.join(skipped)}.")
    return (1 if bad else 0), lines


def audit(program: str) -> int:
    """Audit what the development lock pins, which is everything."""
    command = [program, "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(
        [*command, "--requirement", str(ROOT / LOCKS[1])], capture_output=True, text=True, check=False
    )
    code, lines = judge(done.stdout, done.stderr)
    sys.stdout.write("\n".join(lines) + "\n")
    return code


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says."""
    match arguments:
        case ["audit", program]:
            return audit(program)
        case ["sbom"]:
            version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)
            locks = {name: (ROOT / name).read_text() for name in LOCKS}
            sys.stdout.write(json.dumps(sbom(locks, version[1] if version else "0"), indent=2) + "\n")
            return 0
    sys.stderr.write((__doc__ or "") + "\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
