"""A server and its clients against a model of them, in sequences that hypothesis makes up.

After each step all that the model expects must have come about: the callbacks of each session in
their order, the bytes at each client, the registries. Examples are the same in each run, and few;
IOCPREUSE_STATEFUL_EXAMPLES=1000 tries so many others."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from peers import WINDOWS, WINE, wait_until
from told import DO, FRAMING, Peer, Told

import iocpreuse
from iocpreuse import CloseReason

ASKED = os.environ.get("IOCPREUSE_STATEFUL_EXAMPLES")
SLOW = WINDOWS or bool(os.environ.get("IOCPREUSE_SANITIZE"))
EXAMPLES = int(ASKED) if ASKED else 20 if SLOW else 150
STEPS = 30
NAMES = ("anna", "bob")

messages = st.lists(st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"")), max_size=4)
payloads = st.one_of(st.binary(min_size=1, max_size=40), st.binary(min_size=1000, max_size=5000))
names = st.sampled_from(NAMES)
reset_ends = {CloseReason.PEER_RESET, CloseReason.PEER_EOF} if WINE else {CloseReason.PEER_RESET}


class Machine(RuleBasedStateMachine):
    peers = Bundle("peers")
    requests = Bundle("requests")

    @initialize(target=peers, count=st.integers(2, 4), named=st.integers(0, 2))
    def begin_server(self, count, named):
        self.server = Told().start()
        self.all = []
        self.gone = []
        self.owners = {}  # of each request that is open
        self.tags = 0
        come = [self.come() for _ in range(count)]
        for peer, name in zip(come[:named], NAMES, strict=False):
            peer.session.login(name)
            self.named(peer, name)
        return multiple(*come)

    def teardown(self):
        if not hasattr(self, "server"):
            return
        self.server.stop(drain=0)
        for peer in self.all:
            events = self.server.events[peer.session.id]
            assert [event[0] for event in events].count("disconnect") == 1
            assert events[-1][0] == "disconnect"
            if peer.open:
                assert events[-1] == ("disconnect", CloseReason.SHUTDOWN)
            peer.socket.close()
        for request in self.owners:
            assert request.aborted
            assert request.reply(b"late") is False
        assert dict(self.server.sessions) == dict(self.server.logged_in) == {}
        assert self.server.errors == []

    # What steps are made of.

    def come(self):
        """A client that connects."""
        peer = Peer(self.server)
        self.all.append(peer)
        self.told(peer)
        assert peer.session.peername[:2] == peer.socket.getsockname()[:2]
        return peer

    def told(self, peer):
        """Waits until its callbacks have been told what they should, and nothing else."""
        events = self.server.events[peer.session.id]
        self.server.wait_for(lambda: len(events) >= len(peer.expected))
        assert events == peer.expected

    def do(self, peer, inside, action):
        """Calls ACTION here, or in a callback of PEER's; what it returns or raises."""
        outcome = []

        def run():
            try:
                outcome.append(action())
            except Exception as exc:
                outcome.append(exc)

        if not (inside and peer.may_do()):
            run()
            return outcome[0]
        self.server.todo = run
        peer.expected.append(("data", DO))
        peer.socket.sendall(FRAMING.pack(DO))
        wait_until(lambda: outcome, "the action in a callback")
        return outcome[0]

    def hears(self, peer):
        """The client has got all that is due, and nothing else."""
        assert peer.socket.receive(len(peer.due)) == peer.due
        peer.due = b""

    def hears_the_end(self, peer):
        assert peer.socket.receive_all() == peer.due
        peer.due = b""

    def ended(self, peer, *reasons, heir=None):
        """Its session has ended for one of REASONS; HEIR has its requests, if it is there."""
        peer.open = False
        self.gone.append(peer)
        mine = [request for request, owner in self.owners.items() if owner is peer]
        if mine:
            peer.expected.append(("abort", {request.tag for request in mine}))
        events = self.server.events[peer.session.id]
        assert self.server.wait_for(lambda: events[-1][0] == "disconnect"), (events, peer.expected)
        assert events[-1][1] in reasons
        peer.expected.append(events[-1])
        assert events == peer.expected
        self.lost(peer)
        for request in mine:
            if heir is not None and heir.open:
                self.owners[request] = heir
                assert not request.aborted
                assert request.session_id == heir.session.id
            else:
                del self.owners[request]
                assert request.aborted
                assert request.reply(b"nobody") is False
        peer.socket.close()

    def lost(self, peer):
        """Messages that are told as lost are the last ones of what its client has not heard."""
        unsent, partial = self.server.unsent.get(peer.session.id, (b"", False))
        if peer.due is not None:
            assert peer.due.endswith(unsent)
            assert not partial or len(unsent) < len(peer.due)

    def leave_to(self, peer, heir):
        """Who is to get its requests; none that ends by this."""
        heir = None if heir is peer else heir
        self.server.heirs[peer.session.id] = None if heir is None else heir.session
        return heir

    def said(self, peer, data):
        """What happens with messages DATA, which the client has sent."""
        if peer.paused:
            peer.held += data
        elif peer.open:
            peer.expected += [("data", message) for message in data]
            self.told(peer)

    # The steps: clients.

    @rule(peer=peers, lines=messages, cut=st.integers(0, 100))
    def say(self, peer, lines, cut):
        if peer.may_talk():
            data = b"".join(map(FRAMING.pack, lines))
            peer.socket.sendall(data[:cut])
            peer.socket.sendall(data[cut:])
            self.said(peer, lines)

    @rule(peer=peers)
    def hear(self, peer):
        if peer.open:
            self.hears(peer)

    @rule(target=peers, peer=consumes(peers), heir=peers)
    def reset(self, peer, heir):
        if not peer.may_do():
            return peer
        heir = self.leave_to(peer, heir)
        peer.socket.reset()
        if WINE:  # where its FIN may be what is noticed
            wait_until(lambda: peer.session.id not in self.server.sessions)
            events = self.server.events[peer.session.id]
            peer.expected += [event for event in events if event == ("eof",)]
        self.ended(peer, *reset_ends, heir=heir)
        return self.come()

    @rule(target=peers, peer=consumes(peers), keeps=st.booleans(), amid=st.booleans(), heir=peers)
    def half_close(self, peer, keeps, amid, heir):
        if not peer.may_do():
            return peer
        heir = self.leave_to(peer, heir)
        if amid:
            peer.socket.sendall(b"no end")
        elif keeps:
            self.server.keeps_open.add(peer.session.id)
        peer.socket.half_close()
        peer.said_eof = True
        if not amid:
            peer.expected.append(("eof",))
        if amid or not keeps or peer.wrote_eof:
            self.hears_the_end(peer)
            reason = CloseReason.FRAME_ERROR if amid else CloseReason.PEER_EOF
            self.ended(peer, reason, heir=heir)
            return self.come()
        self.told(peer)
        return peer

    # The server.

    @rule(peer=peers, parts=st.lists(payloads, min_size=1, max_size=3), inside=st.booleans())
    def send(self, peer, parts, inside):
        sent = self.do(peer, inside, lambda: peer.session.send(*parts))
        if peer.may_send():
            assert sent is True or len(peer.due) + len(b"".join(parts)) > 65536
            peer.due += b"".join(parts)
        else:
            refused = iocpreuse.SessionClosed if not peer.open else RuntimeError
            assert isinstance(sent, refused)

    @rule(peer=peers, data=payloads, framed=st.booleans(), inside=st.booleans())
    def send_to_id(self, peer, data, framed, inside):
        data = data.replace(b"\n", b" ")
        send = self.server.send_message if framed else self.server.send
        sent = self.do(peer, inside, lambda: send(peer.session.id, data))
        if peer.may_send():
            assert sent is True
            peer.due += FRAMING.pack(data) if framed else data
        else:
            assert sent is False if not peer.open else isinstance(sent, RuntimeError)

    @rule(peer=peers, data=payloads, inside=st.booleans())
    def broadcast(self, peer, data, inside):
        everybody = [each for each in self.all if each.may_send()]
        queued = self.do(peer, inside, lambda: self.server.broadcast(data))
        full = [each for each in everybody if len(each.due) + len(data) > 65536]
        if not full:  # whether such a one is left out depends on what its system has taken
            assert queued == len(everybody)
        for each in everybody:
            if each not in full:
                each.due += data
        for each in full:
            self.drop(each)

    def drop(self, peer):
        """Ends a session of which the model cannot know what it gets."""
        peer.session.abort()
        self.server.heirs[peer.session.id] = peer.due = None
        self.ended(peer, CloseReason.LOCAL_ABORT)

    @rule(target=peers, peer=consumes(peers), heir=peers, inside=st.booleans())
    def close(self, peer, heir, inside):
        if peer.open:
            heir = self.leave_to(peer, heir)
            self.do(peer, inside, peer.session.close)
            assert peer.session.is_closing()
            peer.open = False
            with pytest.raises(iocpreuse.SessionClosed):
                peer.session.send(b"late")
            self.hears_the_end(peer)
            peer.socket.close()
            self.ended(peer, CloseReason.LOCAL_CLOSE, heir=heir)
        return self.come()

    @rule(target=peers, peer=consumes(peers), heir=peers, inside=st.booleans())
    def abort(self, peer, heir, inside):
        if peer.open:
            heir = self.leave_to(peer, heir)
            self.do(peer, inside, peer.session.abort)
            self.ended(peer, CloseReason.LOCAL_ABORT, heir=heir)
        return self.come()

    @rule(target=peers, peer=consumes(peers), inside=st.booleans())
    def write_eof(self, peer, inside):
        if peer.open:
            self.leave_to(peer, None)
            self.do(peer, inside, peer.session.write_eof)
            peer.wrote_eof = True
            self.hears_the_end(peer)
            if peer.said_eof:
                self.ended(peer, CloseReason.PEER_EOF)
        return peer if peer.open else self.come()

    @rule(peer=peers, inside=st.booleans())
    def pause(self, peer, inside):
        if peer.may_talk():
            self.do(peer, inside, peer.session.pause_reading)
            peer.paused = True

    @rule(peer=peers)
    def resume(self, peer):
        if peer.open:
            peer.session.resume_reading()
            held, peer.held, peer.paused = peer.held, [], False
            self.said(peer, held)

    # Names and requests.

    def owner_of(self, name):
        return next((each for each in self.all if each.open and each.name == name), None)

    def named(self, peer, name):
        """Its login has succeeded."""
        peer.name = name
        peer.expected.append(("login", name))
        self.told(peer)
        assert self.server.logged_in[name] is peer.session

    @rule(peer=peers, name=names, inside=st.booleans())
    def login(self, peer, name, inside):
        other = self.owner_of(name)
        done = self.do(peer, inside, lambda: peer.session.login(name))
        if not peer.open:
            assert isinstance(done, iocpreuse.SessionClosed)
        elif other in (None, peer):
            assert done is None
            self.named(peer, name)
        else:
            assert isinstance(done, iocpreuse.LoginConflict)

    @rule(peer=peers, which=st.integers(0, 1), heir=peers, inside=st.booleans())
    @precondition(lambda self: any(peer.open and peer.name for peer in self.all))
    def take_over(self, peer, which, heir, inside):
        named = [each for each in self.all if each.open and each.name]
        other = named[which % len(named)]
        if other is peer or not peer.open:
            return
        heir = self.leave_to(other, heir)
        name = other.name
        done = self.do(peer, inside, lambda: peer.session.login(name, conflict="replace"))
        assert done is None
        other.open = False
        self.named(peer, name)
        self.hears_the_end(other)
        other.socket.close()
        self.ended(other, CloseReason.REPLACED, heir=heir)

    @rule(target=requests, peer=peers, inside=st.booleans())
    def begin(self, peer, inside):
        self.tags += 1
        tag = self.tags
        made = self.do(peer, inside, lambda: peer.session.begin(tag))
        if not peer.open:
            assert isinstance(made, iocpreuse.SessionClosed)
            return multiple()
        assert made.session_id == peer.session.id
        self.owners[made] = peer
        return made

    @rule(request=consumes(requests), data=payloads, peer=peers, inside=st.booleans())
    def reply(self, request, data, peer, inside):
        owner = self.owners.get(request)
        if owner is not None and owner.wrote_eof:
            return
        done = self.do(peer, inside, lambda: request.reply(data))
        if owner is None:
            assert done is False
            assert request.aborted
        else:
            assert done is True
            owner.due += data
            del self.owners[request]
            with pytest.raises(iocpreuse.ServerStateError, match="twice"):
                request.reply(data)

    @rule(request=requests, peer=peers, by_name=st.booleans(), inside=st.booleans())
    def handoff(self, request, peer, by_name, inside):
        to = peer.name if by_name and peer.name and peer.open else peer.session
        done = self.do(peer, inside, lambda: request.handoff(to))
        assert done is (peer.open and request in self.owners)
        if done:
            self.owners[request] = peer
            assert request.session_id == peer.session.id

    @rule(which=st.integers(0, 30), name=names, peer=peers)
    @precondition(lambda self: self.gone)
    def late(self, which, name, peer):
        """Calls on a session that has ended reach nobody, and change nothing."""
        gone = self.gone[which % len(self.gone)].session
        for call in (
            lambda: gone.send(b"late"),
            lambda: gone.send_message(b"late"),
            lambda: gone.login(name, conflict="replace"),
            lambda: gone.begin("late"),
        ):
            with pytest.raises(iocpreuse.SessionClosed):
                call()
        assert self.server.send(gone.id, b"late") is False
        assert self.server.broadcast(b"late", to=[gone.id]) == 0
        for call in (gone.close, gone.abort, gone.pause_reading, gone.resume_reading):
            call()
        for request in list(self.owners):
            assert request.handoff(gone) is False

    # What holds at any time.

    @invariant()
    def registries_are_right(self):
        if not hasattr(self, "server"):
            return
        here = {each.session.id: each for each in self.all if each.open}
        named = {each.name: each.session for each in here.values() if each.name}
        assert dict(self.server.sessions) == {key: each.session for key, each in here.items()}
        assert dict(self.server.logged_in) == named
        nameless = {key for key, each in here.items() if not each.name}
        assert set(self.server.connected_only) == nameless
        for each in here.values():
            self.told(each)
        wait_until(lambda: self.server.stats().connections_active == len(here))
        assert self.server.stats().connections_total == len(self.all)
        assert self.server.errors == []


def test_a_server_does_as_its_model():
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=not ASKED,
            # What fails often waits for its deadline: that is not made smaller unless asked for.
            phases=list(Phase) if ASKED else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
