"""The first program inside the walls: it closes what bubblewrap leaves open, and becomes the program of the run.

It forbids what namespaces do not: new user namespaces, kinds of sockets that know no network namespace (a virtual
machine's own door to its host among them), and parts of the kernel that no build needs. And it brings the way out to
where programs look for a proxy: a port on the box's own loopback, passed on to the service's socket.

It is run by file name in an isolated interpreter (`python -I -S inside.py SOCKET PORT PROGRAM [ARGUMENT…]`, SOCKET `-`
for no way out), so it imports the standard library only, and little of it: every run waits for this. Exit code 126: the
walls could not be closed.
"""

import ctypes
import os
import struct
import sys

TYPE_CHECKING = False  # as in `typing`, which alone takes longer to import than everything here
if TYPE_CHECKING:
    import socket

EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
_NEW_NAMESPACES = 0x7E020000
_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK."""
_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""What the kernel calls the architecture, and the column below."""
_CLONE, _UNSHARE, _SOCKET, _SOCKETPAIR, _CLONE3 = (56, 220), (272, 97), (41, 198), (53, 199), (435, 435)
_FORBIDDEN = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "setns": (308, 268),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "quotactl": (179, 60),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
}
_ABSENT = ((425, 425), _CLONE3)
"""io_uring_setup, and clone3, whose flags a filter can't read: programs then use what came before them."""
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


def rules(machine: str) -> bytes:
    """Return the seccomp program for a machine (see seccomp(2)).

    Raises:
        KeyError: nobody wrote down the numbers of its system calls.
    """
    architecture, column = _MACHINES[machine]
    steps = [_step(_LOAD, _ARCHITECTURE), _step(_EQUAL, architecture, 1, 0), _step(_RETURN, _ERROR | EPERM)]
    steps += [_step(_LOAD, _NUMBER)]
    if machine == "x86_64":  # the same calls once more under other numbers
        steps += [_step(_AT_LEAST, 0x40000000, 0, 1), _step(_RETURN, _ERROR | ENOSYS)]
    for numbers, error in [(one, EPERM) for one in _FORBIDDEN.values()] + [(one, ENOSYS) for one in _ABSENT]:
        steps += [_step(_EQUAL, numbers[column], 0, 1), _step(_RETURN, _ERROR | error)]
    for numbers in (_CLONE, _UNSHARE):
        steps += [_step(_EQUAL, numbers[column], 0, 4), _step(_LOAD, _FIRST_ARGUMENT)]
        steps += [_step(_ANY_BIT, _NEW_NAMESPACES, 0, 1), _step(_RETURN, _ERROR | EPERM), _step(_RETURN, _ALLOW)]
    for numbers in (_SOCKET, _SOCKETPAIR):
        steps += [_step(_EQUAL, numbers[column], 0, len(_FAMILIES) + 3), _step(_LOAD, _FIRST_ARGUMENT)]
        left = range(len(_FAMILIES), 0, -1)
        steps += [_step(_EQUAL, family, after, 0) for family, after in zip(_FAMILIES, left, strict=True)]
        steps += [_step(_RETURN, _ERROR | EAFNOSUPPORT), _step(_RETURN, _ALLOW)]
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _close_the_rest() -> None:
    """Bind this process and all its children to the rules.

    Raises:
        OSError: the kernel does not take them.
    """
    program = rules(os.uname().machine)
    kept = ctypes.create_string_buffer(program)

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))

    system = ctypes.CDLL(None, use_errno=True)
    given = Program(len(program) // 8, ctypes.addressof(kept))
    if system.prctl(38, 1, 0, 0, 0) or system.prctl(22, 2, ctypes.byref(given), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _pump(source: "socket.socket", sink: "socket.socket") -> None:
    try:
        while chunk := source.recv(1 << 16):
            sink.sendall(chunk)
        sink.shutdown(1)
    except OSError:
        for one in (source, sink):
            try:
                one.shutdown(2)
            except OSError:
                continue  # it was closed already


def _bridge(path: str, port: int) -> None:
    """Start a process that passes connections on; it dies with the box."""
    import _socket

    listener = _socket.socket(2, 1)  # AF_INET, SOCK_STREAM: `socket` itself is slow to import, and only for the child
    listener.setsockopt(1, 2, 1)  # SOL_SOCKET, SO_REUSEADDR
    listener.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY, for every connection: what streams must not wait for ACKs
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    if os.fork():
        listener.close()
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    _serve(listener.detach(), path)


def _serve(descriptor: int, path: str) -> None:
    """Pass on every connection that comes in; never returns."""
    import socket
    import threading

    def pass_on(near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(path)
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()

    listener = socket.socket(fileno=descriptor)
    while True:
        near, _ = listener.accept()
        threading.Thread(target=pass_on, args=(near,), daemon=True).start()


def main(arguments: list[str]) -> None:
    """Close the walls, open the way out, and become the program."""
    path, port, program = arguments[0], int(arguments[1]), arguments[2:]
    try:
        _close_the_rest()
        if path != "-":
            _bridge(path, port)
    except (OSError, KeyError) as error:
        sys.stderr.write(f"callboard: the walls could not be closed: {error!r}\n")
        sys.exit(126)
    for ignored in (13, 25):  # SIGPIPE and SIGXFSZ: Python ignores them, and what is ignored is inherited
        ctypes.CDLL(None).signal(ignored, 0)
    try:
        os.execvp(program[0], program)  # noqa: S606  # an argument list, no shell
    except OSError as error:
        sys.stderr.write(f"{program[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
