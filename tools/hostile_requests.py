"""Requests as a compromised web process, or a stranger with a shell, might drop them into `control/requests/`."""

import contextlib
import json
import os
import random
import socket
import stat
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tbot_bot.support.atomic_file import write_bytes
from tbot_bot.support.envelope import Request, encode_request
from tbot_bot.support.path_resolver import Paths
from tbot_bot.support.sealing import new_private_key, public_bytes, seal

KINDS = ("start", "build_universe", "backtest", "logout", "validate", "provision", "register", "login", "no_such_kind")
HEADS = (b"", b"\n", b"tbot-request-1", b"tbot-request-2 start ", b"tbot-request-1 start " + b"0" * 32 + b"\n")
BAD_TOKENS = (None, "", "0" * 64, "../../etc/passwd", "x" * 5000, "\u0000", "admin")


@dataclass(frozen=True, slots=True)
class Armoury:
    """What an attacker has: the public key, a valid login's token to misuse, one request that was accepted already."""

    paths: Paths
    runner_key: bytes
    token: str
    accepted: bytes
    accepted_name: str
    now: Callable[[], datetime]
    outside: Path
    """Holds files that the runner must not open for anyone."""


Drop = Callable[[Armoury, random.Random, Path], None]


def fresh(tools: Armoury, dice: random.Random, **changes: Any) -> Request:
    """A request that would be obeyed as it stands."""
    plain = Request(
        kind=dice.choice(("start", "build_universe")),
        id=uuid.uuid4().hex,
        at=tools.now(),
        ip="192.0.2.66",
        reply_to=public_bytes(new_private_key()),
        token=tools.token,
        body={},
    )
    return replace(plain, **changes)


def _file(folder: Path, name: str, data: bytes) -> None:
    write_bytes(folder / name, data, 0o640, durable=False)


def flipped(tools: Armoury, dice: random.Random, folder: Path) -> None:
    request = fresh(tools, dice)
    data = bytearray(encode_request(request, tools.runner_key))
    data[dice.randrange(len(data))] ^= dice.randint(1, 255)
    _file(folder, f"{request.id}.req", bytes(data))


def truncated(tools: Armoury, dice: random.Random, folder: Path) -> None:
    request = fresh(tools, dice)
    data = encode_request(request, tools.runner_key)
    _file(folder, f"{request.id}.req", data[: dice.randrange(len(data))])


def extended(tools: Armoury, dice: random.Random, folder: Path) -> None:
    request = fresh(tools, dice)
    _file(folder, f"{request.id}.req", encode_request(request, tools.runner_key) + dice.randbytes(dice.randint(1, 900)))


def replayed(tools: Armoury, dice: random.Random, folder: Path) -> None:
    _file(folder, tools.accepted_name, tools.accepted)


def renamed(tools: Armoury, dice: random.Random, folder: Path) -> None:
    data = encode_request(fresh(tools, dice), tools.runner_key)
    _file(folder, f"{uuid.uuid4().hex}.req", dice.choice((data, tools.accepted)))


def wrong_key(tools: Armoury, dice: random.Random, folder: Path) -> None:
    request = fresh(tools, dice)
    _file(folder, f"{request.id}.req", encode_request(request, public_bytes(new_private_key())))


def other_kind(tools: Armoury, dice: random.Random, folder: Path) -> None:
    """The seal of a logout with the head of a start."""
    request = fresh(tools, dice, kind="logout")
    data = encode_request(request, tools.runner_key).replace(b" logout ", b" start ", 1)
    _file(folder, f"{request.id}.req", data)


def out_of_time(tools: Armoury, dice: random.Random, folder: Path) -> None:
    away = timedelta(seconds=dice.choice((-1, 1)) * dice.uniform(65, 1e7))
    request = fresh(tools, dice, at=tools.now() + away)
    _file(folder, f"{request.id}.req", encode_request(request, tools.runner_key))


def bad_token(tools: Armoury, dice: random.Random, folder: Path) -> None:
    """Well made, but by nobody."""
    cut = tools.token[:-1] + ("0" if tools.token[-1] != "0" else "1")
    kind = dice.choice(("start", "build_universe", "backtest", "provision", "no_such_kind"))
    request = fresh(tools, dice, kind=kind, token=dice.choice((*BAD_TOKENS, cut)))
    _file(folder, f"{request.id}.req", encode_request(request, tools.runner_key))


def sealed_nonsense(tools: Armoury, dice: random.Random, folder: Path) -> None:
    """Properly sealed content that is no request."""
    kind, number = dice.choice(KINDS), uuid.uuid4().hex
    odd: tuple[Any, ...] = (None, 0, [], {}, {"at": 1}, "x", {"at": "now", "ip": "", "reply_to": "", "body": {}})
    plain = dice.choice((dice.randbytes(60), json.dumps(dice.choice(odd)).encode(), b"[" * 20000, b'{"a":NaN}'))
    head = f"tbot-request-1 {kind} {number}\n".encode()
    sealed = seal(plain, tools.runner_key, f"tbot-request-1|{kind}|{number}".encode())
    _file(folder, f"{number}.req", head + sealed)


def noise(tools: Armoury, dice: random.Random, folder: Path) -> None:
    data = dice.choice(HEADS) + dice.randbytes(dice.choice((0, 1, 50, 4000, 70_000)))
    _file(folder, f"{uuid.uuid4().hex}.req", data)


def odd_name(tools: Armoury, dice: random.Random, folder: Path) -> None:
    data = encode_request(fresh(tools, dice), tools.runner_key)
    odd = ("x.req", "\u202e.req", "a b.req", "-rf", "A" * 32 + ".req", "0" * 32 + ".REQ", "\n.req", "0" * 200)
    _file(folder, dice.choice(odd) + str(dice.randrange(1000)) * dice.randint(0, 1), data)


def symlink(tools: Armoury, dice: random.Random, folder: Path) -> None:
    """To a key, to something endless, to a proper request, to nothing, to itself."""
    name = f"{uuid.uuid4().hex}.req"
    inner = (tools.paths.runner_private / "runner.key", tools.paths.bot_state, tools.paths.keys / "broker.key")
    obeyed = tools.outside / f"obeyed-{name}"
    write_bytes(obeyed, encode_request(fresh(tools, dice, id=name[:32]), tools.runner_key), durable=False)
    targets = (*map(str, inner), "/dev/zero", "/dev/stdin", "/etc/shadow", "nowhere", name, ".", str(obeyed))
    (folder / name).symlink_to(dice.choice((*targets, str(tools.outside / "secret"))))


def hard_link(tools: Armoury, dice: random.Random, folder: Path) -> None:
    """A second name lets its writer change a request after it was checked."""
    request = fresh(tools, dice)
    first = folder.parent / f".linked-{request.id}"
    write_bytes(first, encode_request(request, tools.runner_key), 0o640, durable=False)
    os.link(first, folder / f"{request.id}.req")


def hard_link_to_a_secret(tools: Armoury, dice: random.Random, folder: Path) -> None:
    os.link(tools.outside / "secret", folder / f"{uuid.uuid4().hex}.req")


def huge(tools: Armoury, dice: random.Random, folder: Path) -> None:
    """A proper request followed by more than anyone would send: written out, or a hole that takes no space."""
    request = fresh(tools, dice)
    path = folder / f".{request.id}"
    with path.open("wb") as file:
        file.write(encode_request(request, tools.runner_key))
        if dice.random() < 0.5:
            file.write(bytes(dice.choice((70_000, 1_000_000))))
        else:
            file.truncate(dice.choice((70_000, 1 << 32, 1 << 42)))
    path.rename(folder / f"{request.id}.req")


def unix_socket(tools: Armoury, dice: random.Random, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as channel:
        place = tools.outside / f"s{dice.randrange(1 << 30)}"
        channel.bind(str(place))
        place.rename(folder / f"{uuid.uuid4().hex}.req")


def device(tools: Armoury, dice: random.Random, folder: Path) -> None:
    """Only root can make one; a pipe otherwise."""
    path = folder / f"{uuid.uuid4().hex}.req"
    if os.geteuid() == 0:
        kind, numbers = dice.choice(((stat.S_IFCHR, (1, 5)), (stat.S_IFCHR, (1, 9)), (stat.S_IFBLK, (7, 0))))
        os.mknod(path, kind | 0o644, os.makedev(*numbers))
    else:
        os.mkfifo(path)


def unreadable(tools: Armoury, dice: random.Random, folder: Path) -> None:
    """Nothing may be read of it, or it belongs to someone who has no business here."""
    request = fresh(tools, dice)
    path = folder / f".{request.id}"
    path.write_bytes(encode_request(request, tools.runner_key))
    if os.geteuid() == 0:
        os.chown(path, 12_345, 12_345)
    else:
        path.chmod(0)
    path.rename(folder / f"{request.id}.req")


def flood(tools: Armoury, dice: random.Random, folder: Path) -> None:
    """Many at once, most of them of the kind that costs the runner most: properly sealed, to be opened and refused."""
    for number in range(dice.randint(20, 60)):
        request = fresh(tools, dice, at=tools.now() - timedelta(hours=1))
        data = encode_request(request, tools.runner_key) if number % 2 else b"junk"
        _file(folder, f"{request.id}.req", data)


def fifo(tools: Armoury, dice: random.Random, folder: Path) -> None:
    os.mkfifo(folder / f"{uuid.uuid4().hex}.req")


def a_folder(tools: Armoury, dice: random.Random, folder: Path) -> None:
    made = folder / f"{uuid.uuid4().hex}.req"
    made.mkdir()
    if dice.random() < 0.5:
        (made / "inside").write_bytes(b"x")


def flag_of_odd_kind(tools: Armoury, dice: random.Random, folder: Path) -> None:
    """The provisioning doorbell as something that is no file."""
    path = folder / tools.paths.provision_flag.name
    with contextlib.suppress(FileExistsError):
        match dice.randrange(4):
            case 0:
                path.symlink_to("/dev/zero")
            case 1:
                os.mkfifo(path)
            case 2:
                path.mkdir()
            case _:
                os.link(tools.outside / "secret", path)


DROPS: tuple[Drop, ...] = (
    *(flipped, flipped, flipped, truncated, truncated, extended, replayed, renamed, wrong_key, other_kind, out_of_time),
    *(bad_token, bad_token, sealed_nonsense, sealed_nonsense, noise, odd_name, symlink, symlink, hard_link, fifo),
    *(hard_link_to_a_secret, huge, unix_socket, device, unreadable, flood, a_folder, flag_of_odd_kind),
)
"""None of these may have any effect."""
