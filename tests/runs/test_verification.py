"""Commands of a plan are run behind walls, and whatever one does comes to a receipt."""

import asyncio
import json
import subprocess
import time
from pathlib import Path

import pytest

from bot.runs import verification
from bot.runs.gateway import Meter, Upstream, gateway
from bot.runs.place import House, Place
from bot.runs.sandbox import Bubblewrap, Off
from bot.runs.verification import Receipt, verify

CANARY = "canary-9b2e71"
WALLS = House(Bubblewrap())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A checkout needs no git to be verified in."""
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout/README.md").write_text("# YouLab\n")
    return Place(tmp_path / "checkout", tmp_path / "run", "")


async def one(command: str, place: Place, *, minutes: float = 0.25, house: House = WALLS) -> Receipt:
    (receipt,) = await verify([command], place, house, minutes=minutes)
    assert len(receipt.output) <= 4_000
    assert all(letter in "\n\t" or letter.isprintable() for letter in receipt.output)
    return receipt


def alive(words: str) -> bool:
    return words in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout


async def test_all_commands_run_in_one_checkout_in_order_also_after_a_failure(place: Place) -> None:
    told: list[str] = []
    commands = ["echo one > made; echo out; echo err >&2; echo out again", "exit 3", "cat made; kill -9 $$"]
    receipts = await verify(commands, place, WALLS, minutes=1, on_progress=told.append)
    assert [receipt.command for receipt in receipts] == commands
    assert [(receipt.code, receipt.end, receipt.passed) for receipt in receipts] == [
        (0, "exited", True),
        (3, "exited", False),
        (137, "exited", False),
    ]
    assert [receipt.output for receipt in receipts] == ["out\nerr\nout again", "", "one"]
    assert told[0] == f"Verifying, 1 of 3: {commands[0]}"
    assert Path(receipts[0].log) == place.folder / "verify-1.log"
    assert Path(receipts[0].log).read_text() == "out\nerr\nout again\n"
    assert not place.home.exists()


async def test_a_receipt_survives_json(place: Place) -> None:
    receipt = await one("echo é; exit 4", place)
    assert Receipt.from_json(json.loads(json.dumps(receipt.to_json()))) == receipt


async def test_a_line_of_bash_may_be_written(place: Place) -> None:
    assert (await one('set -o pipefail; [[ a == a* ]] && words=(x y) && echo "${words[1]}"', place)).output == "y"


async def test_without_bash_the_plain_shell_does_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification.shutil, "which", lambda *_, **__: None)
    assert (await one('echo "${BASH_VERSION:-plain}"', place)).output == "plain"


@pytest.mark.parametrize(
    "command",
    [
        "sleep 71.0071",
        "trap '' TERM HUP INT; while :; do sleep 71.0071; done",
        "trap 'exit 0' TERM; sleep 71.0071 & wait",
        "cat /dev/zero > /dev/null; sleep 71.0071",
    ],
)
async def test_a_command_that_hangs_is_ended_at_its_limit_and_the_next_one_runs(
    place: Place, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_GRACE", 0.2)
    first, second = await verify([f"echo begun; {command}", "echo next"], place, WALLS, minutes=0.05)
    assert (first.end, first.passed) == ("timed out", False)
    assert first.output == "begun\n[It was not done after 0.05 minutes and was ended.]"
    assert first.seconds < 30
    assert (second.passed, second.output) == (True, "next")
    assert not alive("sleep 71.0071")


@pytest.mark.parametrize(
    "command", ["yes", r"tr '\0' x </dev/zero", "trap 'exit 0' TERM PIPE; while echo xxxxxxx; do :; done"]
)
async def test_a_command_that_never_stops_printing_is_ended(
    place: Place, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_FLOOD", 1 << 20)
    monkeypatch.setattr(verification, "_GRACE", 0.2)
    receipt = await one(command, place)
    assert (receipt.end, receipt.code, receipt.passed) == ("exited", 153, False)
    assert receipt.output.endswith("\n[It printed more than 1 MB and was ended.]")
    assert "bytes left out …]" in receipt.output
    assert Path(receipt.log).stat().st_size < 300 << 20


async def test_a_full_log_of_an_earlier_verification_does_not_end_this_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_FLOOD", 1_000)
    place.folder.mkdir()
    (place.folder / "verify-1.log").write_text("x" * 2_000)
    assert (await one("sleep 0.1; echo fine", place)).output == "fine"


@pytest.mark.parametrize(("lines", "size"), [(2_000, 18_893), (200_000, 2_288_895)])
async def test_of_a_long_output_both_ends_are_shown_and_the_log_has_it_all(place: Place, lines: int, size: int) -> None:
    receipt = await one(f"seq -f 'line %.0f' {lines}", place)
    assert receipt.output.startswith("line 1\nline 2\n")
    assert receipt.output.endswith(f"line {lines - 1}\nline {lines}")
    assert f"\n[… {size - 3_900:,} bytes left out …]\n" in receipt.output
    assert Path(receipt.log).stat().st_size == size
    assert len(Path(receipt.log).read_text().splitlines()) == lines


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (
            r"printf '\033[1;31mred\033[0m \033]0;title\007\033]8;;http://x\033\\link\033]8;;\033\\ \033(Bend'",
            "red link end",
        ),
        (r"printf 'a\000b\001c\177d\x9be\xff\xfe \xf0\x9f\x8e\xad\r\n'", "abcd�e�� 🎭"),
        (r"printf ' 10%%\r 50%%\r100%%\r\ndone\r\r\n'", "100%\ndone"),
        (r"printf 'a\342\200\250b\342\200\256c\342\200\213d'", "a\nbcd"),
        (r"printf '\033]unfinished\nnext \033['", "\nnext "),
    ],
)
async def test_what_is_shown_is_plain_text(place: Place, command: str, shown: str) -> None:
    assert (await one(command, place)).output == shown.strip("\n")


@pytest.mark.parametrize(
    ("command", "code", "shown"),
    [
        ("read answer; echo $?", 0, "1"),
        ("cat", 0, ""),
        ("tty", 1, "not a tty"),
        ("echo hello > /dev/tty", 1, "No such device or address"),
        ("echo $TERM", 0, "dumb"),
        ("sudo true", 127, "not found"),
        ("no-such-program", 127, "not found"),
        ("if", 2, "syntax error"),
    ],
)
async def test_there_is_no_terminal_and_nobody_to_answer(place: Place, command: str, code: int, shown: str) -> None:
    receipt = await one(command, place)
    assert receipt.code == code
    assert shown in receipt.output


@pytest.mark.parametrize("house", [WALLS, House(Off())], ids=["walls", "none"])
async def test_a_daemon_does_not_outlive_its_command(place: Place, house: House) -> None:
    daemon = "setsid nohup sh -c 'while :; do sleep 72.0072; done' & echo forked"
    receipt = await one(daemon, place, house=house)
    assert (receipt.passed, receipt.output) == (True, "forked")
    assert receipt.seconds < 60
    assert not alive("sleep 72.0072")


async def test_after_the_checkout_was_deleted_each_receipt_says_so(place: Place) -> None:
    deleted, *after = await verify(['rm -rf "$PWD"', "true", "ls"], place, WALLS, minutes=1)
    assert not deleted.passed
    for receipt in after:
        assert (receipt.end, receipt.passed, receipt.log) == ("exited", False, "")
        assert "the checkout is gone" in receipt.output


async def test_without_walls_a_deleted_checkout_is_no_exception_either(place: Place) -> None:
    deleted, after = await verify(['rm -rf "$PWD"', "true"], place, House(Off()), minutes=1)
    assert deleted.passed
    assert not place.checkout.exists()
    assert "the checkout is gone" in after.output


async def test_a_home_that_was_deleted_is_there_again_and_otherwise_it_is_shared(place: Place) -> None:
    commands = ["echo kept > ~/note", "cat ~/note; rm -rf ~ 2>/dev/null", 'test -w "$TMPDIR" && ls ~']
    receipts = await verify(commands, place, WALLS, minutes=1)
    assert [receipt.output for receipt in receipts] == ["", "kept", "tmp"]


@pytest.mark.parametrize(
    ("command", "said"),
    [("  ", "no command"), ("true\0", "no shell"), ("echo \ud800", "no shell"), ("#" * 200_000, "no shell")],
)
async def test_a_command_that_no_shell_takes_has_not_passed(place: Place, command: str, said: str) -> None:
    receipt = await one(command, place)
    assert not receipt.passed
    assert said in receipt.output


async def test_no_command_reaches_a_model_a_network_or_a_secret(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    monkeypatch.setenv("CALLBOARD_SECRET_KEY", CANARY)
    upstream = Upstream("http://127.0.0.1:9", api_key=CANARY)
    async with gateway(upstream, Meter()) as door:  # that of some other run
        commands = [
            "env; cat /proc/*/environ /proc/*/cmdline; ls -la /proc/*/fd",
            f"test -e {door.socket}",
            "find / -xdev -type s 2>/dev/null",
            "cat /proc/net/unix /proc/net/route",
            f"python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{door.socket}\")'",
            "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 9), 1)'",
        ]
        receipts = await verify(commands, place, House(Bubblewrap(), upstream=upstream), minutes=1)
    everything = "".join(Path(receipt.log).read_text(errors="replace") for receipt in receipts)
    assert "HOME=" in everything
    assert CANARY not in everything
    assert "ANTHROPIC_" not in everything
    assert [receipt.passed for receipt in receipts] == [True, False, True, True, False, False]
    assert receipts[2].output == ""
    assert "FileNotFoundError" in receipts[4].output


async def test_nothing_but_the_checkout_and_the_home_can_be_written(place: Place) -> None:
    receipt = await one(
        f"echo forged > {place.folder}/verify-1.log; rm -f {place.folder}/verify-1.log; echo true", place
    )
    assert Path(receipt.log).read_text().endswith("true\n")


async def test_to_stop_ends_what_runs_and_starts_nothing_more(place: Place) -> None:
    stop = asyncio.Event()

    async def stopping() -> None:
        log = place.folder / "verify-1.log"
        while not log.exists() or b"begun" not in log.read_bytes():
            await asyncio.sleep(0.02)
        stop.set()

    begun, stopper = time.monotonic(), asyncio.create_task(stopping())
    first, second = await verify(["echo begun; sleep 73.0073", "touch next"], place, WALLS, minutes=1, stop=stop)
    await stopper
    assert time.monotonic() - begun < 30
    assert (first.end, first.passed, first.output) == ("stopped", False, "begun\n[It was stopped.]")
    assert (second.end, second.passed, second.log) == ("stopped", False, "")
    assert not (place.checkout / "next").exists()
    assert not alive("sleep 73.0073")


async def test_a_verification_that_is_cancelled_leaves_nothing_running(place: Place) -> None:
    task = asyncio.create_task(verify(["sleep 74.0074"], place, WALLS, minutes=1))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive("sleep 74.0074")


async def test_no_commands_are_no_receipts(place: Place) -> None:
    assert await verify([], place, WALLS, minutes=1) == ()
