"""The gateway counterpart's socket, spoken to by hand: pieces of frames, nonsense, an id twice."""

import socket
import struct
from collections.abc import Iterator

import pytest

from tools.counterparts.ib_gateway.messages import frame
from tools.counterparts.rigs import IbkrRig

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IbkrRig]:
    made = IbkrRig(tmp_path_factory.mktemp("socket"))
    made.start()
    yield made
    made.close()


def said(line: socket.socket) -> list[str]:
    """The fields of the next frame; empty at the end."""
    head = line.recv(4, socket.MSG_WAITALL)
    return line.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL).decode().split("\0")[:-1] if head else []


def greeted(rig: IbkrRig, versions: bytes = b"v157..176") -> socket.socket:
    line = socket.create_connection(("127.0.0.1", rig.port), timeout=10)
    line.sendall(b"API\0" + struct.pack(">I", len(versions)) + versions)
    return line


def test_a_frame_may_come_byte_by_byte(rig: IbkrRig) -> None:
    with greeted(rig) as line:
        assert said(line)[0] == "176"
        for byte in frame([71, 2, 9101, ""]):
            line.sendall(bytes([byte]))
        assert said(line) == ["15", "1", "DU1000910"]
        assert said(line) == ["9", "1", "1"]


def test_a_client_id_in_use_is_refused_and_the_first_client_stays(rig: IbkrRig) -> None:
    with greeted(rig) as first, greeted(rig) as second:
        for line in (first, second):
            assert said(line)[0] == "176"
        first.sendall(frame([71, 2, 9201, ""]))
        assert [said(first)[0] for _ in range(5)] == ["15", "9", "4", "4", "4"]
        second.sendall(frame([71, 2, 9201, ""]))
        assert said(second)[3] == "326"
        assert said(second) == []
        first.sendall(frame([49, 1]))
        assert said(first)[0] == "49"


def test_a_client_too_old_is_cut(rig: IbkrRig) -> None:
    with greeted(rig, b"v100..120") as line:
        assert said(line) == []
