"""A relay that counts the bytes of both directions, headers and all."""

import socket
import threading
from contextlib import suppress


class Counted:
    """Relays every connection to one address; `received` counts what the clients sent, `answered` what came back."""

    def __init__(self, host: str, port: int) -> None:
        self.received = self.answered = 0
        self._upstream = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        """Accept connections in the background, until `close`."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop accepting; open connections continue."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            server = socket.create_connection(self._upstream)
            threading.Thread(target=self._relay, args=(client, server, "received"), daemon=True).start()
            threading.Thread(target=self._relay, args=(server, client, "answered"), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, counter: str) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                setattr(self, counter, getattr(self, counter) + len(data))
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
