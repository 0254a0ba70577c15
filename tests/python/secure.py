"""What tests of TLS share: contexts, and clients that speak it."""

import contextlib
import socket
import ssl
from pathlib import Path

from peers import DEADLINE_SECONDS, LINGER_RESET, Client, Recorder

CERTS = Path(__file__).parent / "certs"
CA = str(CERTS / "ca.pem")


def server_context(name="server", **attributes):
    """A server's context with the certificate NAME."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTS / f"{name}.pem")
    for attribute, value in attributes.items():
        setattr(context, attribute, value)
    return context


def client_context(version=None, certificate=None):
    """A client's, which knows the CA."""
    context = ssl.create_default_context(cafile=CA)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if certificate is not None:
        context.load_cert_chain(CERTS / f"{certificate}.pem")
    return context


class TlsRecorder(Recorder):
    """A Recorder that writes down failed handshakes as well."""

    def __init__(self, host="127.0.0.1", port=0, **options):
        super().__init__(host, port, **options)
        self.failed = []

    def on_tls_error(self, peername, exc):
        self.failed.append((peername, exc))


class TlsClient:
    """A client of the ssl module's, with a deadline for every call."""

    def __init__(self, address, context=None, *, name="localhost", session=None, raw=None):
        self.raw = raw or Client(address)
        self.tls = (context or client_context()).wrap_socket(
            self.raw, server_hostname=name, session=session, suppress_ragged_eofs=False
        )
        self.tls.settimeout(DEADLINE_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, data):
        self.tls.sendall(data)

    def receive(self, count):
        parts = []
        while count > 0:
            part = self.tls.recv(min(count, 1 << 16))
            if not part:
                break
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def receive_all(self):
        """To the server's goodbye; without one it is an SSLEOFError."""
        parts = []
        while part := self.tls.recv(1 << 16):
            parts.append(part)
        return b"".join(parts)

    def ask(self, data):
        self.send(data)
        return self.receive(len(data))

    def say_goodbye(self):
        """Our goodbye; the server's is left to be read."""
        incoming = self.tls
        incoming.setblocking(False)
        try:
            incoming.unwrap()
        except (ssl.SSLWantReadError, OSError):
            pass
        finally:
            if incoming.fileno() != -1:
                incoming.settimeout(DEADLINE_SECONDS)

    def raw_reset(self):
        """Closes with RST."""
        raw = socket.socket(fileno=self.tls.detach())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        raw.close()

    def cut(self):
        """Our FIN, without a goodbye."""
        socket.socket.shutdown(self.tls, socket.SHUT_WR)

    def close(self):
        self.tls.close()


class BioClient:
    """A client whose bytes on the wire are the test's: so many at a time, or to be looked at."""

    def __init__(self, address, context=None, *, step=1 << 16):
        self.raw = Client(address)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._step = step
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or client_context()).wrap_bio(
            self._incoming, self._outgoing, server_hostname="localhost"
        )

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.raw.close()

    def flush(self):
        data = self._outgoing.read()
        for at in range(0, len(data), self._step):
            self.raw.sendall(data[at : at + self._step])

    def do(self, action):
        """Until ACTION is through."""
        while True:
            try:
                result = action()
            except ssl.SSLWantReadError:
                self.flush()
                self._incoming.write(self.raw.recv(1 << 16))
            else:
                self.flush()
                return result

    def ask(self, data):
        self.do(self.tls.do_handshake)
        self.do(lambda: self.tls.write(data))
        answer = b""
        while len(answer) < len(data):
            answer += self.do(lambda: self.tls.read(len(data)))
        return answer

    def say_goodbye(self):
        """And wait for no answer."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.flush()
