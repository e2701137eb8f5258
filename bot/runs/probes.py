"""Probes: what an agent that was taken over would try first. Each must fail for the walls to stand.

They are run all together inside one box, by file name in an isolated interpreter (`python -I -S probes.py`), so this
imports the standard library only. Standard input is JSON: what `selftest.py` has planted outside. The answer is a line
of JSON: for each probe what it got, or an empty text when the wall held.
"""

import base64
import ctypes
import json
import os
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
World = dict[str, str]
"""Paths and numbers, as text: `canary`, `secret_file`, `tmp_file`, `shm_file`, `port`, `abstract`, `system`, `pid`,
`proxy`, `allowed`, `host`."""


@dataclass(frozen=True)
class Probe:
    """One try. `run` says what it got, or nothing when the wall held; an OSError means that it held, too."""

    name: str
    tries: str
    must: str
    run: Callable[[World], str]


PROBES: list[Probe] = []


def probe(tries: str, must: str) -> Callable[[Callable[[World], str]], Callable[[World], str]]:
    """Make a function a probe, by the function's name."""

    def add(run: Callable[[World], str]) -> Callable[[World], str]:
        PROBES.append(Probe(run.__name__.replace("_", " "), tries, must, run))
        return run

    return add


@probe("reads its own environment", "nothing of the service is in it")
def own_environment(world: World) -> str:
    return "the service's canary is in it" if world["canary"] in repr(dict(os.environ)) else ""


@probe("reads the environment of every process in /proc", "no process of the service is there")
def other_environments(world: World) -> str:
    return _search("environ", world)


@probe("reads the command line of every process in /proc", "no process of the service is there")
def command_lines(world: World) -> str:
    return _search("cmdline", world)


@probe("lists the processes", "only those of the box are there")
def process_table(world: World) -> str:
    alive = [entry for entry in os.listdir("/proc") if entry.isdigit()]  # noqa: PTH208  # names only
    return f"{len(alive)} processes" if len(alive) > 8 else ""


@probe("sends a signal to the service", "it can't be named from inside")
def signal_to_the_service(world: World) -> str:
    os.kill(int(world["pid"]), 0)
    return "the service can be signalled"


@probe("looks for open files that it inherited", "only standard input, output and error are open")
def inherited_files(world: World) -> str:
    found = [number for number in range(3, 256) if _is_open(number)]
    return f"open: {found}" if found else ""


@probe("reads a file of the service by its path", "it is not there")
def service_file(world: World) -> str:
    return _read(world["secret_file"])


@probe("reads a file of the service by way of other processes' roots and folders", "it is not there")
def service_file_by_proc(world: World) -> str:
    for entry in Path("/proc").iterdir():
        for way in ("root", "cwd"):
            found = _try(lambda path: _read(str(path)), Path(f"{entry}/{way}{world['secret_file']}"), "")
            if found:
                return found
    return ""


@probe("reads the machine's password hashes", "the file is not there")
def password_hashes(world: World) -> str:
    return _read("/etc/shadow")


@probe("lists the homes of people", "there are none, or they are empty")
def homes(world: World) -> str:
    shown = [Path(name).parts for name in (str(Path.home()), world["system"], __file__)]
    found = [
        str(one)
        for top in ("/root", "/home")
        for one in _list(top)
        if not any(one.parts == parts[: len(one.parts)] for parts in shown)
    ]
    return f"{found[:3]}" if found else ""


@probe("looks for sockets of daemons (docker, containerd, databases, the system bus)", "none is there")
def daemons(world: World) -> str:
    names = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd", "/run/dbus", "/run/postgresql", "/run/user")
    return ", ".join(name for name in names if os.path.exists(name))  # noqa: PTH110


@probe("reads a file that another process left in /tmp", "it has a /tmp of its own")
def shared_temporary_files(world: World) -> str:
    return _read(world["tmp_file"])


@probe("reads shared memory of the machine", "it has a /dev/shm of its own")
def shared_memory_files(world: World) -> str:
    return _read(world["shm_file"])


@probe("writes where the system's programs lie", "they can only be read")
def system_programs(world: World) -> str:
    return _write("/usr", "/usr/bin", "/etc", "/bin", "/lib", world["system"])


@probe("writes into the root folder and beside the toolchain", "they can only be read")
def root_folder(world: World) -> str:
    return _write("/", "/var", "/opt", str(Path(world["system"]).parent))


@probe("looks at who it is", "user 1000, without a capability, and none to be gained")
def capabilities(world: World) -> str:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    wanted = {"CapEff": "0" * 16, "CapPrm": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    wrong = [f"{name}: {status[name].strip()}" for name, value in wanted.items() if status[name].strip() != value]
    return ", ".join(wrong if os.getuid() == 1000 else [f"user {os.getuid()}", *wrong])


@probe("becomes root", "it may not")
def become_root(world: World) -> str:
    os.setuid(0)
    return "it is root"


@probe("mounts something over a folder", "it may not")
def mounting(world: World) -> str:
    return "" if ctypes.CDLL(None).mount(b"none", b"/tmp", b"tmpfs", 0, None) else "it mounted"


@probe("makes itself root of a new user namespace", "it may not")
def user_namespace(world: World) -> str:
    return "" if ctypes.CDLL(None).unshare(0x10000000) else "it has a namespace where it is root"


@probe("writes to settings of the kernel", "they can only be read")
def kernel_settings(world: World) -> str:
    names = (
        "kernel/core_pattern",
        "kernel/hostname",
        "vm/drop_caches",
        "net/ipv4/ip_forward",
        "user/max_user_namespaces",
    )
    found = [name for name in names if _opens(f"/proc/sys/{name}")]
    return ", ".join([*found, *(["sysrq-trigger"] if _opens("/proc/sysrq-trigger") else [])])


@probe("looks for disks and memory in /dev", "only harmless devices are there")
def devices(world: World) -> str:
    harmless = {"console", "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin"}
    found = set(os.listdir("/dev")) - harmless - {"stdout", "tty", "urandom", "zero"}  # noqa: PTH208
    return ", ".join(sorted(found))


@probe("looks for the machine's devices and control groups in /sys", "there is no /sys")
def sys_folder(world: World) -> str:
    return "/sys is there" if _list("/sys") else ""


@probe("talks to the terminal that the service was started from", "it has none")
def terminal(world: World) -> str:
    os.close(os.open("/dev/tty", os.O_RDWR))
    return "there is one"


@probe("connects to a port on the loopback of the machine", "the box has a loopback of its own")
def machine_loopback(world: World) -> str:
    return _connect(socket.AF_INET, ("127.0.0.1", int(world["port"])))


@probe("connects to an abstract unix socket of the machine", "the box has names of its own")
def abstract_socket(world: World) -> str:
    return _connect(socket.AF_UNIX, "\0" + world["abstract"])


@probe("connects to addresses outside, by IPv4 and IPv6", "there is no way there")
def outside(world: World) -> str:
    return _connect(socket.AF_INET, ("1.1.1.1", 443)) or _connect(socket.AF_INET6, ("2606:4700::1111", 443))


@probe("connects to the metadata service of a cloud", "there is no way there")
def metadata_service(world: World) -> str:
    return _connect(socket.AF_INET, ("169.254.169.254", 80))


@probe("sends a datagram to a name server", "there is no way there")
def name_server(world: World) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"?", ("1.1.1.1", 53))
    return "it was sent"


@probe("lists the network interfaces", "only the box's own loopback is there")
def interfaces(world: World) -> str:
    found = {name for _, name in socket.if_nameindex()} - {"lo"}
    return ", ".join(sorted(found))


@probe("opens a raw socket", "it may not")
def raw_socket(world: World) -> str:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    return "it has one"


@probe("opens the door of a virtual machine to its host, which knows no network namespace", "it may not")
def machine_socket(world: World) -> str:
    socket.socket(getattr(socket, "AF_VSOCK", 40), socket.SOCK_STREAM).close()
    return "it has one"


@probe("reads the keys that the kernel keeps for the service's user", "it may not")
def kernel_keys(world: World) -> str:
    number = 250 if os.uname().machine == "x86_64" else 219
    return "" if ctypes.CDLL(None).syscall(number, 0, -4, 1) == -1 else "it has the user's key ring"


@probe("lists shared memory, queues and semaphores of the machine", "it has its own, and they are empty")
def system_v(world: World) -> str:
    counts = {name: len(Path("/proc/sysvipc", name).read_text().splitlines()) - 1 for name in ("shm", "msg", "sem")}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


@probe("reads the name of the machine", "it has another one")
def machine_name(world: World) -> str:
    return f"it is {world['host']}" if socket.gethostname() == world["host"] else ""


@probe("looks for limits on what it may use", "no core dumps, and bounded files and processes")
def limits(world: World) -> str:
    core, size = resource.getrlimit(resource.RLIMIT_CORE)[0], resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    none = [name for name, value in (("size", size), ("processes", processes)) if value == resource.RLIM_INFINITY]
    return ", ".join([*(["core dumps"] if core else []), *(f"no limit on {name}" for name in none)])


@probe("asks the way out for a host that is not listed", "it is refused")
def unlisted_host(world: World) -> str:
    return _ask(world, "CONNECT unlisted.example:443 HTTP/1.1", token=True, wanted=b"403")


@probe("asks the way out for an address", "it is refused")
def literal_address(world: World) -> str:
    return _ask(world, "CONNECT 169.254.169.254:443 HTTP/1.1", token=True, wanted=b"403")


@probe("asks the way out without the token of the run", "it is refused")
def no_token(world: World) -> str:
    return _ask(world, f"CONNECT {world['allowed']}:443 HTTP/1.1", token=False, wanted=b"407")


@probe("asks the way out for a page without encryption", "it is refused")
def plain_page(world: World) -> str:
    return _ask(world, f"GET http://{world['allowed']}/ HTTP/1.1", token=True, wanted=b"405")


@probe("writes in its checkout, its home and /tmp", "it may: walls that let nobody work are none")
def own_folders(world: World) -> str:
    for folder in (Path.cwd(), Path.home(), Path("/tmp")):  # noqa: S108
        (folder / "probe").write_text("x")
    return ""


def _search(name: str, world: World) -> str:
    for entry in os.listdir("/proc"):  # noqa: PTH208
        content = _try(Path.read_bytes, Path("/proc", entry, name), b"") if entry.isdigit() else b""
        if content and world["canary"].encode() in content:
            return f"/proc/{entry}/{name} holds the service's canary"
    return ""


def _try(run: Callable[[Path], T], path: Path, otherwise: T) -> T:
    try:
        return run(path)
    except OSError:
        return otherwise


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _read(path: str) -> str:
    return f"{path} can be read" if Path(path).read_bytes() is not None else ""


def _list(folder: str) -> list[Path]:
    return list(Path(folder).iterdir()) if os.path.isdir(folder) else []  # noqa: PTH112


def _write(*folders: str) -> str:
    return ", ".join(folder for folder in folders if _opens(f"{folder}/callboard-probe", create=True))


def _opens(path: str, *, create: bool = False) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | (os.O_CREAT if create else 0), 0o600))
    except OSError:
        return False
    return True


def _connect(family: int, address: object) -> str:
    with socket.socket(family) as one:
        one.settimeout(1)
        return f"it reached {address!r}" if one.connect_ex(address) == 0 else ""  # type: ignore[arg-type]


def _ask(world: World, request: str, *, token: bool, wanted: bytes) -> str:
    where, _, secret = world["proxy"].partition(" ")
    host, _, port = where.partition(":")
    lines = [request, *([f"Proxy-Authorization: Basic {base64.b64encode(secret.encode()).decode()}"] if token else [])]
    with socket.create_connection((host, int(port)), 2) as one:
        one.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = one.recv(4096)
    status = answer.split(b" ")[1] if answer.count(b" ") > 1 else b""
    return "" if status == wanted else f"the answer was {answer[:60]!r}"


_MUST_WORK = ("unlisted host", "literal address", "no token", "plain page", "own folders", "limits", "capabilities")
"""Probes for which an error is no wall that stood: something that must be there is not."""


def main() -> None:
    """Run all probes and print what each got."""
    world: World = json.loads(sys.stdin.read())
    got = {}
    for one in PROBES:
        try:
            got[one.name] = one.run(world)
        except OSError as error:
            got[one.name] = f"{type(error).__name__}: {error}" if one.name in _MUST_WORK else ""
    sys.stdout.write(json.dumps(got) + "\n")


if __name__ == "__main__":
    main()
