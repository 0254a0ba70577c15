"""The questions that only the system itself answers: QUESTIONS."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from iocpreuse.doctor import cancelling, listening, sending
from iocpreuse.doctor.answer import Answer

NO_DISCONNECTEX: Final = "it has no DisconnectEx; sockets are closed and replaced"
NO_OVERLAPPED: Final = "it has no overlapped calls; epoll tells when a call can be made"
NO_ACCEPTEX: Final = "it has no AcceptEx, and accept() hands no events on"
NO_PORTS: Final = "each process has its own epoll, and any number may watch a listening socket"


@dataclass(frozen=True)
class Question:
    """What is asked, how, and why it has no subject elsewhere than on Windows."""

    name: str
    text: str
    ask: Callable[[], Answer] | None  # None: another part of the examination answers it
    elsewhere: str | None  # None: it is asked everywhere


QUESTIONS: Final = (
    Question(
        "cancel_disconnect",
        "Does CancelIoEx end a DisconnectEx that waits? Does it abort the connection?",
        cancelling.cancel_disconnect,
        NO_DISCONNECTEX,
    ),
    Question(
        "cancel_receive",
        "Does the provider ignore CancelIoEx on WSARecv?",
        cancelling.cancel_receive,
        NO_OVERLAPPED,
    ),
    Question(
        "context_events",
        "Does SO_UPDATE_ACCEPT_CONTEXT copy the listener's WSAEventSelect?",
        listening.context_events,
        NO_ACCEPTEX,
    ),
    Question(
        "bind_again",
        "May a bind fail while clients of the port's last process are in FIN_WAIT?",
        listening.bind_again,
        None,
    ),
    Question(
        "skip_on_success",
        "Does FILE_SKIP_COMPLETION_PORT_ON_SUCCESS hold on recycled sockets?",
        sending.skip_on_success,
        NO_OVERLAPPED,
    ),
    Question(
        "send_without_overlapped",
        "Is a WSASend without OVERLAPPED safe from a thread that ends?",
        sending.without_overlapped,
        NO_OVERLAPPED,
    ),
    Question(
        "disconnect_times",
        "How long does DisconnectEx take, by who ended the connection?",
        None,
        NO_DISCONNECTEX,
    ),
    Question(
        "adopted_listener",
        "An adopted listener: does a second port fail, does WSAEventSelect take the events away?",
        listening.adopted_listener,
        NO_PORTS,
    ),
)
