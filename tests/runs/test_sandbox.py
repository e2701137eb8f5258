"""What is inside the walls can't get at what is outside."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bot.machine.errors import UserError
from bot.runs import sandbox as walls
from bot.runs.sandbox import Box, Bubblewrap, toolchain
from bot.runs.selftest import sandbox

CANARY = "canary-4f1c9e"
PATH = f"{Path(sys.executable).resolve().parent}:/usr/local/bin:/usr/bin:/bin"


@pytest.fixture
def box(tmp_path: Path) -> Box:
    for name in ("checkout", "home", "handover", "service"):
        (tmp_path / name).mkdir()
    (tmp_path / "service" / "key").write_text(CANARY)
    return Box(
        tmp_path / "checkout", tmp_path / "home", None, toolchain(), env={"PATH": PATH, "HOME": str(tmp_path / "home")}
    )


def inside(box: Box, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(Bubblewrap().wrap(argv, box), env=dict(box.env), capture_output=True, text=True, timeout=20)


@pytest.mark.attack("S-31")
def test_no_environment_command_line_or_file_of_the_service_can_be_read(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLBOARD_SECRET_KEY", CANARY)
    bystander = subprocess.Popen(["sh", "-c", "sleep 30", CANARY], env={"KEY": CANARY, "PATH": PATH})
    script = (
        "env; cat /proc/*/environ /proc/*/cmdline; cat /proc/*/fd/* < /dev/null & "
        f"cat {tmp_path}/service/key; cat /proc/*/root{tmp_path}/service/key; cat /proc/*/cwd/../service/key; "
        "ls -R /root /home /var /etc/ssl/private /mnt /opt; cat /etc/shadow; kill %1; true"
    )
    try:
        found = inside(box, "sh", "-c", script)
    finally:
        bystander.kill()
        bystander.wait()
    assert CANARY not in found.stdout + found.stderr
    assert "HOME=" in found.stdout
    assert "cat: /etc/shadow: No such file" in found.stderr


@pytest.mark.attack("S-33")
def test_only_the_checkout_and_the_home_can_be_written(box: Box, tmp_path: Path) -> None:
    script = (
        f"touch a {tmp_path}/home/b; touch /usr/c; touch {sys.base_prefix}/d; touch /etc/passwd; mkdir {tmp_path}/e"
    )
    found = inside(box, "sh", "-c", script)
    assert (tmp_path / "checkout" / "a").exists()
    assert (tmp_path / "home" / "b").exists()
    assert not (tmp_path / "e").exists()
    assert found.stderr.count("Read-only file system") == 3


@pytest.mark.attack("S-33", "S-35")
def test_there_is_no_network_not_even_the_loopback_of_the_host(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        probe = (
            "import socket\n"
            "print([name for _, name in socket.if_nameindex()])\n"
            f"for address in (('127.0.0.1', {port}), ('1.1.1.1', 53)):\n"
            "    with socket.socket() as s:\n"
            "        s.settimeout(2)\n"
            "        print(s.connect_ex(address) == 0)\n"
        )
        found = inside(box, "python3", "-I", "-c", probe)
        with socket.create_connection(("127.0.0.1", port), 2):
            pass
    assert found.stdout.split("\n")[:3] == ["['lo']", "False", "False"]


@pytest.mark.attack("S-33")
def test_user_1000_without_any_capability(box: Box) -> None:
    found = inside(box, "sh", "-c", "id -u; grep CapEff /proc/self/status; mount -t tmpfs none /usr")
    assert found.stdout.split() == ["1000", "CapEff:", "0" * 16]
    assert found.returncode != 0


@pytest.mark.attack("S-36")
def test_a_process_that_left_its_session_dies_with_the_box(box: Box) -> None:
    inside(box, "sh", "-c", "setsid sleep 92.0001 & sleep 0.05")
    alive = subprocess.run(["ps", "axww"], capture_output=True, text=True).stdout
    assert "sleep 92.0001" not in alive


@pytest.mark.attack("S-31")
def test_a_hidden_folder_and_file_under_a_visible_one_are_empty(box: Box, tmp_path: Path) -> None:
    service = tmp_path / "service"
    (service / "inner").mkdir()
    (service / "inner" / "key").write_text(CANARY)
    hidden = Box(box.checkout, box.home, None, (service,), (service / "key", service / "inner"), box.env)
    found = inside(hidden, "sh", "-c", f"ls {service}; cat {service}/key; ls -A {service}/inner")
    assert found.stdout.split() == ["inner", "key"]


def test_a_checkout_inside_a_hidden_home_of_the_service_can_still_be_worked_in(box: Box, tmp_path: Path) -> None:
    service = tmp_path / "service"
    checkout = service / ".trees" / "x"
    checkout.mkdir(parents=True)
    nested = Box(checkout, box.home, None, (tmp_path,), (service,), box.env)
    found = inside(nested, "sh", "-c", f"touch done; ls -A {service}")
    assert found.stdout.split() == [".trees"]
    assert (checkout / "done").exists()


async def test_off_is_only_taken_by_name_and_changes_nothing(box: Box) -> None:
    assert (await sandbox("off")).wrap(["a", "b"], box) == ["a", "b"]
    with pytest.raises(UserError, match="`none`"):
        await sandbox("none")


async def test_bubblewrap_is_tried_for_real(box: Box) -> None:
    assert isinstance(await sandbox("bwrap"), Bubblewrap)


async def test_a_missing_bubblewrap_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walls.shutil, "which", lambda *_, **__: None)
    with pytest.raises(UserError, match=r"not installed.*CALLBOARD_SANDBOX=off"):
        await sandbox("bwrap")


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("bwrap: No permissions to create new namespace, likely because ...", "unprivileged_userns"),
        ("bwrap: setting up uid map: Permission denied", "apparmor_restrict_unprivileged_userns=0"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "systempaths=unconfined"),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "its own loopback"),
        ("callboard: the walls could not be closed: PermissionError(1, 'seccomp')", "x86_64 and aarch64"),
        ("bwrap: something new", "must allow user namespaces"),
    ],
)
async def test_walls_that_cannot_be_made_quote_the_reason_and_say_what_to_do(
    said: str, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bubblewrap, "wrap", lambda *_: ["sh", "-c", 'echo "$0" >&2; exit 1', said])
    with pytest.raises(UserError) as refused:
        await sandbox("bwrap")
    assert said in str(refused.value)
    assert cure in str(refused.value)
