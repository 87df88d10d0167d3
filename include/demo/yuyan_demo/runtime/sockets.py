"""Ports on loopback: which are free, who listens on which."""

import contextlib
import socket

import psutil

HOST = "127.0.0.1"


def free() -> int:
    """A port that nobody has just now."""
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def is_free(port: int | None) -> bool:
    """Could a service take it? None is no port."""
    if port is None:
        return False
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Does somebody take a connection within a second?"""
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((HOST, port)) == 0


def of(process: psutil.Process) -> int:
    """The port of a running service whose remembered one is lost; a free one while it does not listen yet."""
    with contextlib.suppress(psutil.Error):
        for part in (process, *process.children(recursive=True)):
            for connection in part.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return connection.laddr.port
    return free()
