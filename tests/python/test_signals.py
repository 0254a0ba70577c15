"""serve_forever and Ctrl-C, in child processes and here."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from peers import DEADLINE_SECONDS, WINDOWS, Client, Recorder, child_environment, run_python

from iocpreuse import latch

# A server whose clients take long to drain, and how the child signals itself. On Windows Ctrl-C
# runs the handler in a thread of its own, which raise_signal in a thread comes down to; elsewhere
# it interrupts the main thread.
SERVE = """
    import signal, sys, threading
    from peers import Client, Recorder, wait_until

    class Slow(Recorder):
        def on_data(self, session, data):
            session.send(bytes(20_000_000))

    server = Slow("127.0.0.1", 0, write_limit=None, drain_timeout={drain})
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def main_is_in(call):
        # Whether the main thread has come to CALL, which is one of the server's.
        frame = sys._current_frames()[threading.main_thread().ident]
        while frame is not None and frame.f_code is not getattr(Recorder, call).__code__:
            frame = frame.f_back
        return frame is not None

    def in_the_midst_of(call, *numbers):
        def body():
            wait_until(lambda: main_is_in(call))
            for number in numbers:
                stop.wait(0.3)
                if hasattr(signal, "pthread_kill"):
                    signal.pthread_kill(threading.main_thread().ident, number)
                else:
                    signal.raise_signal(number)
        stop = threading.Event()
        threading.Thread(target=body, daemon=True).start()
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGBREAK"])
def test_a_signal_ends_serve_forever_normally(number):
    if not hasattr(signal, number):
        pytest.skip(f"this system has no {number}")
    done = run_python(
        code=SERVE.format(drain=10)
        + f"""
    server.start()
    client = Client(server.address)
    server.next_session()
    in_the_midst_of("serve_forever", signal.{number})
    server.serve_forever()
    print(server.wait(0), server.next_end()[1].reason.value, client.is_ended())
    print(before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)))
    print(signal.set_wakeup_fd(-1))
    client.close()
    """
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["True", "shutdown", "fin", "True", "-1"]
    assert done.returncode == 0


def test_a_second_signal_aborts():
    done = run_python(
        code=SERVE.format(drain=1000)
        + """
    server.start()
    client = Client(server.address, receive_buffer=65536)
    client.sendall(b"x")
    client.receive(10)
    in_the_midst_of("serve_forever", signal.SIGINT, signal.SIGINT)
    server.serve_forever()
    print(server.next_end()[1].unsent_bytes > 0)
    client.close()
    """
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["True"]
    assert done.returncode == 0


@pytest.mark.parametrize(
    "call", ["server.serve_forever(handle_signals=False)", "server.wait()", "server.wait(1000)"]
)
def test_without_handlers_ctrl_c_is_keyboard_interrupt(call):
    done = run_python(
        code=SERVE.format(drain=10)
        + f"""
    server.start()
    in_the_midst_of("{call.partition(".")[2].partition("(")[0]}", signal.SIGINT)
    try:
        {call}
    except KeyboardInterrupt:
        print("interrupted")
    with Client(server.address) as client:
        client.sendall(b"x")
        print(len(client.receive(5)))
    server.stop()
    """
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["interrupted", "5"]


def test_ctrl_c_interrupts_stop():
    done = run_python(
        code=SERVE.format(drain=1000)
        + """
    server.start()
    client = Client(server.address, receive_buffer=65536)
    client.sendall(b"x")
    client.receive(10)
    in_the_midst_of("stop", signal.SIGINT)
    try:
        server.stop()
    except KeyboardInterrupt:
        print("interrupted")
    server.stop()
    print(server.wait(0))
    client.close()
    """
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["interrupted", "True"]


@pytest.mark.skipif(WINDOWS, reason="needs a signal from another process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_from_outside(number):
    code = """
import signal, threading
from peers import Recorder, wait_until

server = Recorder().start()
before = signal.getsignal(signal.SIGTERM)

def tell():  # once serve_forever has taken the signals, of which this is the last
    wait_until(lambda: signal.getsignal(signal.SIGTERM) is not before)
    print(server.address[1], flush=True)

threading.Thread(target=tell).start()
server.serve_forever()
print("ended")
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=child_environment()
    ) as child:
        port = int(child.stdout.readline())
        with Client(("127.0.0.1", port)) as client:
            assert client.ask(b"x") == b"x"
            os.kill(child.pid, number)
            rest, _ = child.communicate(timeout=DEADLINE_SECONDS)
    assert rest == "ended\n"
    assert child.returncode == 0


def test_in_another_thread_it_just_waits(serve):
    server = Recorder()
    thread = threading.Thread(target=server.serve_forever)
    handler = signal.getsignal(signal.SIGINT)
    thread.start()
    server_is_up = threading.Event()
    while not server_is_up.wait(0.01):
        if repr(server).endswith("running>"):
            server_is_up.set()
    with Client(server.address) as client:
        assert client.ask(b"x") == b"x"
    assert signal.getsignal(signal.SIGINT) is handler
    assert thread.is_alive()
    server.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_serve_forever_of_a_server_that_stopped(serve):
    server = serve()
    server.stop()
    server.serve_forever()
    server.serve_forever(handle_signals=False)


def test_serve_forever_that_cannot_start(serve):
    taken = serve()
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(OSError, match="listen on"):
        Recorder("127.0.0.1", taken.address[1]).serve_forever()
    assert signal.getsignal(signal.SIGINT) is handler


def test_stop_in_a_callback_ends_serve_forever(serve):
    class Quits(Recorder):
        def on_data(self, session, data):
            self.stop()

    server = serve(Quits)
    with Client(server.address) as client:
        client.sendall(b"x")
        server.serve_forever()
    assert server.wait(0)


# How the main thread waits on Windows, run everywhere.


@pytest.fixture
def as_on_windows(monkeypatch):
    monkeypatch.setattr(latch, "LOCKS_HOLD_UP_SIGNALS", True)


def test_latch_wakes_the_main_thread(as_on_windows):
    one = latch.Latch()
    assert one.wait(0) is False
    assert one.wait(0.02) is False
    timer = threading.Timer(0.05, one.set)
    timer.start()
    assert one.wait() is True
    assert one.wait(0) is True
    timer.join()


def test_latch_wait_is_interrupted_by_a_signal(as_on_windows):
    one = latch.Latch()
    timer = threading.Timer(0.1, signal.raise_signal, (signal.SIGINT,))

    def wait():
        timer.start()  # here, for it may come before the next line
        one.wait(DEADLINE_SECONDS)

    with pytest.raises(KeyboardInterrupt):
        wait()
    timer.join()
