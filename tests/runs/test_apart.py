"""Runs have nothing in common, leave nothing, and take no more of the machine than they may."""

import asyncio
import contextlib
import ctypes
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.process import keep_to_itself
from bot.runs import bounds, supervisor, warden
from bot.runs.bounds import Bounds
from bot.runs.disk import disk_use
from bot.runs.place import House, Place
from bot.runs.sandbox import Box, Bubblewrap, interpreter, toolchain
from bot.runs.supervisor import Command, End, Exit, Limits, supervise
from bot.runs.verification import verify

CANARY = "planted-7c1d"
PLACES = [
    *("/tmp", "/var/tmp", "/dev/shm", "/run", "/", "/etc", "/usr/local/bin", "/usr/lib/python3/dist-packages"),
    *("$HOME", "$HOME/.cache/pip", "$HOME/.config/git", "$HOME/.npm", "$TMPDIR", "..", "$TOOLS/lib", "$OBJECTS"),
]


@pytest.fixture(autouse=True)
async def walls() -> None:
    if missing := await Bubblewrap().missing():
        pytest.skip(missing)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    for name in ("checkout", "home"):
        (tmp_path / name).mkdir()
    env = {"PATH": f"{Path(interpreter()).parent}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path / "home")}
    return Box(tmp_path / "checkout", tmp_path / "home", env=env)


async def within(box: Box, code: str, **limits: Bounds | float) -> tuple[Exit, list[str]]:
    """Run Python behind the walls."""
    argv = Bubblewrap().wrap([interpreter(), "-I", "-c", code], box)
    lines: list[str] = []
    command = Command(tuple(argv), box.env, box.checkout, folders=(box.checkout, box.home))
    ended = await supervise(
        command,
        Limits(**{"wall": 60, **limits}),  # type: ignore[arg-type]
        transcript=box.home.parent / "said",
        on_line=lambda line: lines.append(line.decode()),
    )
    return ended, lines


@contextlib.asynccontextmanager
async def nothing_held(_bounds: Bounds | None) -> AsyncIterator[tuple[Path, ...]]:
    yield ()


@pytest.fixture(params=["held", "watched"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With control groups, and on a machine that has none."""
    if request.param == "watched":
        monkeypatch.setattr(supervisor.control, "held_to", nothing_held)
    elif bounds.groups() is None:
        pytest.skip("no control group can be written here")
    return str(request.param)


@pytest.mark.attack("S-34")
async def test_what_one_run_plants_no_other_one_finds(tmp_path: Path) -> None:
    shared = tmp_path / "objects"
    shared.mkdir()
    places = []
    for name in ("a", "b"):
        (tmp_path / name / "checkout").mkdir(parents=True)
        (tmp_path / name / "checkout/README.md").write_text("#")
        places.append(Place(tmp_path / name / "checkout", tmp_path / name / "run", "", read_only=(shared,)))
    tools = str((toolchain() or (Path(sys.base_prefix),))[0])
    folders = " ".join(f'"{one}"' for one in PLACES).replace("$TOOLS", tools).replace("$OBJECTS", str(shared))
    plant = f"for one in {folders}; do mkdir -p $one; touch $one/{CANARY} && echo planted; done 2>/dev/null; true"
    search = (
        f"find / -xdev -name {CANARY} 2>/dev/null; for one in {folders}; do ls $one/{CANARY}; done 2>/dev/null; true"
    )
    house = House(Bubblewrap())
    [planted] = await verify([plant], places[0], house, minutes=1)
    [found] = await verify([search], places[1], house, minutes=1)
    assert len(PLACES) >= 15
    assert planted.output.count("planted") >= 8, "some of them it can write, and believes so"
    assert (found.code, found.output) == (0, "")
    assert [path for path in tmp_path.rglob(CANARY) if "checkout" not in path.parts] == []
    assert not [one for one in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/") if Path(one, CANARY).exists()]


STUBBORN = """
import os, signal, sys, time
def stays():
    for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(one, signal.SIG_IGN)
    os.execvp("sleep", ["sleep", "93.0093"])
for depth in (1, 2, 3):
    if os.fork() == 0:
        for _ in range(depth):
            os.setsid() if os.getpid() != os.getsid(0) else None
            if os.fork():
                os._exit(0)
        stays()
if (stopped := os.fork()) == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
{then}
"""


def sleeping() -> list[str]:
    lines = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in lines if line == "sleep 93.0093"]


@pytest.mark.attack("S-36")
@pytest.mark.parametrize("then", ["time.sleep(60)", "sys.exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
async def test_of_a_run_that_does_not_want_to_end_nothing_is_left(box: Box, then: str) -> None:
    before = {process.pid for process in warden.descendants(os.getpid())}
    begun = time.monotonic()
    ended, said = await within(box, STUBBORN.format(then=then), wall=5.0, grace=0.5)
    assert said[:1] == ["ready"] or ended.end is End.WALL
    assert sleeping() == []
    assert {process.pid for process in warden.descendants(os.getpid())} <= before
    assert time.monotonic() - begun < 30, "the wall, the grace, and a moment"


@pytest.mark.attack("S-33", "S-60")
async def test_a_bomb_of_processes_does_not_go_off(box: Box, way: str) -> None:
    code = (
        "import os, time\nmade = 0\ntry:\n    for made in range(400):\n        if os.fork() == 0:\n"
        "            time.sleep(60)\nexcept BlockingIOError:\n    pass\nprint(made, flush=True)\n"
        f"time.sleep({0 if way == 'held' else 60})"
    )
    ended, said = await within(box, code, bounds=Bounds(processes=100))
    if way == "held":
        assert int(said[0]) < 100
    else:
        assert (ended.end, ended.why) == (End.BOUNDS, "It had more than 100 processes and was ended.")


@pytest.mark.attack("S-33", "S-60")
async def test_memory_is_bounded(box: Box, way: str) -> None:
    code = "import time\nkept = []\nfor _ in range(40):\n    kept.append(bytearray(10 << 20))\nprint('has it')\n"
    ended, said = await within(box, code + "time.sleep(60)", bounds=Bounds(memory=200 << 20))
    if way == "held":
        assert (ended.code, said) == (137, [])
    else:
        assert (ended.end, ended.why) == (End.BOUNDS, "It used more than 0.195312 GB of memory and was ended.")


@pytest.mark.attack("S-33", "S-60")
@pytest.mark.parametrize("folder", [".", "~"])
async def test_the_disk_is_bounded(box: Box, folder: str) -> None:
    code = (
        f"import os, time\nfor number in range(64):\n    open(os.path.expanduser('{folder}/%d' % number), 'wb')"
        ".write(os.urandom(1 << 20))\ntime.sleep(60)"
    )
    ended, _ = await within(box, code, bounds=Bounds(disk=32 << 20), wall=50.0)
    assert (ended.end, ended.why) == (End.BOUNDS, "It wrote more than 0.03125 GB and was ended.")


@pytest.mark.attack("S-33", "S-60")
@pytest.mark.parametrize("folder", ["/tmp", "/run", "/dev/shm"])
async def test_folders_in_memory_are_bounded(box: Box, folder: str) -> None:
    code = (
        f"import os\nos.truncate(os.open('{folder}/x', os.O_CREAT | os.O_RDWR), 0)\nfile = open('{folder}/x', 'wb')\n"
    )
    code += "os.posix_fallocate(file.fileno(), 0, 600 << 20)"
    ended, _ = await within(box, code)
    assert ended.code == 1
    assert "No space left on device" in ended.stderr


def test_disk_use_counts_what_lies_there_once_and_follows_nothing(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (1 << 20))
    os.link(tmp_path / "big", tmp_path / "again")
    (tmp_path / "out").symlink_to("/usr")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    use = disk_use([tmp_path, tmp_path / "gone"], 1 << 40)
    assert 1 << 20 <= use.size < 1.2 * (1 << 20)
    assert (use.files, use.hidden) == (4, False)
    assert disk_use([Path("/usr")], 1 << 20).size < 1 << 30, "it stops early"


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A control group of version 2, as far as files go."""
    folder = tmp_path / "cgroup"
    folder.mkdir()
    (folder / "cgroup.controllers").write_text("cpu memory pids")
    (folder / "cgroup.subtree_control").write_text("")
    (folder / "cgroup.procs").write_text("41\n42\n")
    return folder


def test_a_delegated_group_of_version_2_is_made_ready(fake: Path) -> None:
    line = f"30 24 0:26 / {fake} rw - cgroup2 cgroup2 rw".split()
    found = bounds._version_2([line], [["0", "", "/"]])
    assert found is not None
    assert set(found.folders.values()) == {fake}
    assert (fake / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert (fake / "service/cgroup.procs").read_text() == "42"
    (fake / "cgroup.controllers").write_text("cpu pids")
    assert bounds._version_2([line], [["0", "", "/"]]) is None, "no memory, no group"


def test_every_bound_is_written_for_both_versions() -> None:
    wanted = Bounds(memory=1 << 30, processes=7, cpus=1.5)
    assert bounds._settings("memory", wanted)["memory.max"] == str(1 << 30)
    assert bounds._settings("memory", wanted)["memory.limit_in_bytes"] == str(1 << 30)
    assert bounds._settings("pids", wanted) == {"pids.max": "7"}
    assert bounds._settings("cpu", wanted)["cpu.max"] == "150000 100000"


async def test_groups_go_with_their_runs_and_those_of_others_stay(box: Box) -> None:
    found = bounds.groups()
    if found is None:
        pytest.skip("no control group can be written here")
    made = found.make(Bounds())
    bounds._clear(found)
    assert all(folder.is_dir() for folder in made), "its owner is alive"
    bounds.remove(made)
    await within(box, "pass", bounds=Bounds())
    left = [one for folder in found.folders.values() for one in folder.glob(f"callboard-{os.getpid()}-*")]
    assert left == []


READER = """
import sys
for name in ("environ", "mem", "maps", "fd", "cwd"):
    try:
        path = f"/proc/{sys.argv[1]}/{name}"
        import os
        os.listdir(path) if name == "fd" else os.readlink(path) if name == "cwd" else open(path, "rb").read(1)
        print(name)
    except OSError:
        pass
"""


@pytest.mark.attack("S-31")
@pytest.mark.parametrize("kept", [True, False])
async def test_a_process_of_the_same_user_reads_nothing_of_the_service(kept: bool) -> None:
    ready, go = os.pipe(), os.pipe()
    service = os.fork()
    if service == 0:
        _become_nobody()
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as if it had been started by that user
        if kept:
            keep_to_itself()
        os.write(ready[1], b"!")
        os.read(go[0], 1)
        os._exit(0)
    try:
        await asyncio.to_thread(os.read, ready[0], 1)
        reader = subprocess.run(
            ["python3", "-I", "-S", "-c", READER, str(service)],
            preexec_fn=_become_nobody,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )
    finally:
        os.write(go[1], b"!")
        os.waitpid(service, 0)
    if reader.returncode != 0:
        pytest.skip("that user finds no Python here")
    assert ("environ" in reader.stdout) is (not kept)
    assert kept is (reader.stdout == "")


def _become_nobody() -> None:
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
