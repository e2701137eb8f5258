"""Every probe is tried for real, and each wall that is taken away is noticed."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from rich.markup import escape

from bot.machine.errors import UserError
from bot.runs.probes import PROBES
from bot.runs.sandbox import Box, Bubblewrap, interpreter
from bot.runs.selftest import Examination, Tried, examine, sandbox
from bot.simulator.demo.command import walls

Change = Callable[[list[str]], list[str]]


@pytest.fixture(scope="module")
def examined() -> Examination:
    if missing := asyncio.run(Bubblewrap().missing()):
        pytest.skip(missing)
    return asyncio.run(examine(Bubblewrap()))


@pytest.mark.attack("S-31", "S-33", "S-35")
@pytest.mark.parametrize("name", [one.name for one in PROBES])
def test_a_probe_does_not_get_through(examined: Examination, name: str) -> None:
    assert examined.missing == ""
    [tried] = [one for one in examined.tried if one.probe.name == name]
    assert tried.got == "", f"it {tried.probe.tries}"


def test_there_are_enough_of_them_and_each_says_what_it_does() -> None:
    assert len({one.name for one in PROBES}) == len(PROBES) >= 20
    assert all(one.tries and one.must for one in PROBES)


def without(*words: str) -> Change:
    def change(argv: list[str]) -> list[str]:
        text = "\n".join(argv)
        gone = "\n".join(words)
        assert gone in text
        return text.replace(f"{gone}\n", "").split("\n")

    return change


def instead(old: str, *new: str) -> Change:
    return lambda argv: [word for one in argv for word in (new if one == old else (one,))]


def unclosed(argv: list[str]) -> list[str]:
    at = argv.index(interpreter())
    return [*argv[:at], *argv[at + 6 :]]


SPACES = ("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup")
TAKEN = {
    "the network": (
        instead("--unshare-all", *(one for one in SPACES if one != "--unshare-net")),
        {"machine loopback", "abstract socket", "interfaces"},
    ),
    "the processes": (
        instead("--unshare-all", *(one for one in SPACES if one != "--unshare-pid")),
        {"process table", "signal to the service", "command lines"},
    ),
    "the root folder": (without("--remount-ro", "/"), {"root folder"}),
    "what inside.py closes": (unclosed, {"capabilities", "user namespace", "machine socket", "unlisted host"}),
    "the service's files": (instead("--chdir", "--ro-bind", "/", "/", "--chdir"), {"service file", "password hashes"}),
}


@pytest.mark.parametrize("taken", TAKEN)
async def test_a_wall_that_is_missing_is_noticed_and_nobody_is_put_behind_the_rest(
    taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, found = TAKEN[taken]
    wrap = Bubblewrap.wrap

    def weaker(self: Bubblewrap, argv: Sequence[str], box: Box) -> list[str]:
        return change(wrap(self, argv, box))

    monkeypatch.setattr(Bubblewrap, "wrap", weaker)
    if missing := await Bubblewrap().missing():
        pytest.skip(missing)
    seen = await examine(Bubblewrap())
    assert found <= {one.probe.name for one in seen.through}, seen
    with pytest.raises(UserError, match=r"do not hold here.*Without walls no agent is started"):
        await sandbox("bwrap")


def test_the_demo_goes_without_walls_only_when_it_says_so(examined: Examination) -> None:
    broken = Examination(missing="bubblewrap is not installed [yet].")
    leaky = Examination((Tried(PROBES[0], "a key"), Tried(PROBES[1], "")))
    assert walls(None, examined, scripted=True) == (
        "bwrap",
        f"The agents run behind walls that {len(PROBES)} probes tried to get through, and none did",
    )
    for seen in (broken, leaky):
        name, said = walls(None, seen, scripted=True)
        assert (name, "without walls" in said, escape(seen.reason) in said) == ("off", True, True)
        assert walls(None, seen, scripted=False)[0] == "bwrap", "which then refuses to start"
        assert walls("bwrap", seen, scripted=True)[0] == "bwrap"
    assert walls("off", examined, scripted=True)[0] == "off"


async def test_probes_that_could_not_be_tried_are_no_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_self: Bubblewrap) -> str:
        return ""

    monkeypatch.setattr(Bubblewrap, "missing", nothing)
    monkeypatch.setattr(Bubblewrap, "wrap", lambda *_: ["true"])
    with pytest.raises(UserError, match="Without walls no agent is started"):
        await sandbox("bwrap")
    monkeypatch.setattr(Bubblewrap, "wrap", lambda *_: ["echo", "{}"])
    with pytest.raises(UserError, match="it was not tried"):
        await sandbox("bwrap")
