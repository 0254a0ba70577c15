"""pause_reading and resume_reading: nothing is told meanwhile, and nothing is lost."""

import threading

from peers import Client, Recorder, noise, wait_until


class Collects(Recorder):
    def __init__(self, **options):
        super().__init__(**options)
        self.received = bytearray()
        self.eof = threading.Event()

    def on_connect(self, session):
        session.pause_reading()
        super().on_connect(session)

    def on_data(self, session, data):
        self.received += data

    def on_eof(self, session):
        self.eof.set()
        session.send(b"%d" % len(self.received))


def test_a_paused_session_hears_nothing_until_it_is_resumed(serve):
    server = serve(Collects)
    with Client(server.address) as client:
        session = server.next_session()
        client.sendall(b"kept")
        client.half_close()
        # Another client's whole round shows that the workers have been busy since.
        with Client(server.address) as other:
            server.next_session().resume_reading()
            other.half_close()
            assert other.receive_all() == b"0"
        assert server.received == b""
        server.eof.clear()
        session.resume_reading()
        assert client.receive_all() == b"4"
        assert server.received == b"kept"
        assert server.eof.is_set()


def test_nothing_is_lost_between_pauses(serve):
    """A receive that is in flight when the pause begins brings its bytes all the same."""

    class PausesOften(Collects):
        def on_data(self, session, data):
            super().on_data(session, data)
            session.pause_reading()
            waiting.append(session)
            wake.set()

    waiting = []
    wake = threading.Event()
    done = threading.Event()

    def resume():
        while not done.is_set():
            wake.wait(0.05)
            wake.clear()
            while waiting:
                waiting.pop().resume_reading()

    server = serve(PausesOften, read_size=1000)
    data = noise(300_000)
    thread = threading.Thread(target=resume)
    thread.start()
    try:
        with Client(server.address) as client:
            server.next_session().resume_reading()
            client.sendall(data)
            client.half_close()
            assert client.receive_all() == b"%d" % len(data)
    finally:
        done.set()
        thread.join()
    assert bytes(server.received) == data


def test_a_reader_that_pauses_slows_its_client_down(serve):
    server = serve(Collects)
    data = noise(32 << 20)
    with Client(server.address) as client:
        session = server.next_session()
        client.settimeout(0.2)
        sent = 0
        try:
            while sent < len(data):
                sent += client.send(data[sent : sent + 65536])
        except TimeoutError:
            pass
        assert sent < len(data)
        assert session.bytes_received <= 16 * 1024
        session.resume_reading()
        client.settimeout(30)
        client.sendall(data[sent:])
        client.half_close()
        assert client.receive_all() == b"%d" % len(data)
    assert bytes(server.received) == data


def test_close_and_stop_while_paused(serve):
    server = serve(Collects)
    with Client(server.address) as first, Client(server.address) as second:
        session = server.next_session()
        server.next_session()
        session.send(b"bye")
        session.close()
        ended = first if first.getsockname() == session.peername else second
        assert ended.receive_all() == b"bye"
        ended.close()
        assert server.next_end()[0] is session
        session.resume_reading()
        session.pause_reading()
    server.stop(drain=0)
    wait_until(lambda: not server.sessions)
