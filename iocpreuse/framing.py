"""Where a message ends in a stream of bytes: Framing."""

from typing import Any, Final, Literal

from iocpreuse._engine import Packer

DELIMITER_MAX: Final = 16
LENGTH_MAX: Final = 2**31 - 1
HEADER_MAX: Final = 65536
_PREFIX_SIZES: Final = (1, 2, 4, 8)
_FIELD_SIZES: Final = (1, 2, 3, 4, 8)

# As in csrc/engine/bytes/framing.h: framing_kind_t, and of frame_t what can end a session.
_LINES: Final = 1
_LENGTH_PREFIX: Final = 2
_FIXED: Final = 3
_LENGTH_FIELD: Final = 4
_CUT_OFF: Final = 4
_TOO_SHORT: Final = 5


def _an_integer(name: str, value: object, least: int, most: int) -> int:
    right = f"an integer from {least} to {most}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be {right}, not {value!r} ({type(value).__name__})")
    if not least <= value <= most:
        raise ValueError(f"{name} must be {right}, not {value!r}")
    return value


def _a_length(name: str, value: object) -> int:
    return _an_integer(name, value, 1, LENGTH_MAX)


def _a_size(value: object, sizes: tuple[int, ...]) -> int:
    right = f"{', '.join(map(str, sizes[:-1]))} or {sizes[-1]}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"size must be {right}, not {value!r} ({type(value).__name__})")
    if value not in sizes:
        raise ValueError(f"size must be {right}, not {value!r}")
    return value


def _is_little(byteorder: object) -> bool:
    if byteorder not in ("big", "little"):
        raise ValueError(f"byteorder must be 'big' or 'little', not {byteorder!r}")
    return byteorder == "little"


class Framing(Packer):
    """How the engine cuts what it receives into messages: the option `framing` of `Server`.

    on_data then gets one message at a time, without its delimiter or prefix, from whatever
    segments it came in. A message that is too long, and a client that closes its side in the
    middle of one, end the session with FRAME_ERROR: what came before has been delivered, and
    the answers to it still go out. `Session.send` frames nothing by itself, `Session.send_message`
    does. So does `pack`, for `Server.broadcast`: it turns a message into bytes with its delimiter
    or prefix. Both refuse with ValueError what the other side could not cut out again.

    Made by `lines`, `length_prefix`, `length_field` and `fixed`; constant, and good for any number
    of servers.
    """

    __slots__ = (
        "_adjust",
        "_delimiter",
        "_kind",
        "_length",
        "_little",
        "_max_length",
        "_offset",
        "_prefix",
        "_strip",
    )
    _kind: int
    _length: int
    _prefix: int
    _little: bool
    _delimiter: bytes
    _max_length: int
    _offset: int
    _strip: int
    _adjust: int

    def __new__(
        cls,
        kind: int,
        length: int,
        prefix: int,
        little: bool,
        delimiter: bytes,
        max_length: int,
        offset: int = 0,
        strip: int = 0,
        adjust: int = 0,
    ) -> "Framing":
        """Made by `lines` and the others below only, which check what they are given."""
        self = super().__new__(
            cls, kind, length, prefix, little, delimiter, max_length, offset, strip, adjust
        )
        for name, value in (
            ("_kind", kind),
            ("_length", length),
            ("_prefix", prefix),
            ("_little", little),
            ("_delimiter", delimiter),
            ("_max_length", max_length),
            ("_offset", offset),
            ("_strip", strip),
            ("_adjust", adjust),
        ):
            object.__setattr__(self, name, value)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        """AttributeError: servers rely on it."""
        raise AttributeError(f"a Framing cannot be changed; make another one than {self!r}")

    @staticmethod
    def lines(delimiter: bytes = b"\n", max_length: int = 65536) -> "Framing":
        r"""Messages that end with DELIMITER, 1 to 16 bytes; `b"\r\n"` is one, too.

        MAX_LENGTH counts bytes without it. An empty line is an empty message. With `b"\n"`, a
        client that sends `\r\n` leaves the `\r` at the end of its messages.
        """
        right = f"bytes, 1 to {DELIMITER_MAX} of them"
        if not isinstance(delimiter, bytes):
            kind = type(delimiter).__name__
            raise TypeError(f"delimiter must be {right}, not {delimiter!r} ({kind})")
        if not 1 <= len(delimiter) <= DELIMITER_MAX:
            raise ValueError(f"delimiter must be {right}, not {delimiter!r}")
        return Framing(_LINES, 0, 0, False, delimiter, _a_length("max_length", max_length))

    @staticmethod
    def length_prefix(
        size: Literal[1, 2, 4, 8] = 4,
        byteorder: Literal["big", "little"] = "big",
        max_length: int = 1 << 20,
    ) -> "Framing":
        """Messages that follow their length, an unsigned integer of SIZE bytes.

        The length counts the message alone; 0 is an empty one. One above MAX_LENGTH is refused
        when the prefix has come. Memory is taken for what has come, not for what is announced.
        """
        size = _a_size(size, _PREFIX_SIZES)  # type: ignore[assignment]
        little = _is_little(byteorder)
        length = _a_length("max_length", max_length)
        return Framing(_LENGTH_PREFIX, 0, size, little, b"", length)

    @staticmethod
    def length_field(
        size: Literal[1, 2, 3, 4, 8] = 2,
        *,
        offset: int = 0,
        byteorder: Literal["big", "little"] = "big",
        adjust: int = 0,
        strip: int | None = None,
        max_length: int = 1 << 20,
    ) -> "Framing":
        """Messages whose header tells their length, in an unsigned integer of SIZE bytes.

        The field stands OFFSET bytes from the message's front. It counts what follows it, and with
        ADJUST what does not: that is added to it. So ADJUST is `-(OFFSET + SIZE)` where the field
        counts the whole message, and positive where some of what follows it is not counted.

        STRIP bytes are taken off the front; None keeps the header, and on_data gets the message as
        it came. MAX_LENGTH counts what on_data gets. A message that would end amid its header, or
        amid what is to be taken off, is refused like one that is too long: when the header has
        come. OFFSET and STRIP are at most 65536.

        `pack` and `Session.send_message` take a whole message where the header is kept, and check
        its field. Where STRIP takes off the field alone, they make it. With any other STRIP they
        raise RuntimeError, because they cannot know the rest of the header.
        """
        little = _is_little(byteorder)
        return Framing(
            _LENGTH_FIELD,
            0,
            _a_size(size, _FIELD_SIZES),
            little,
            b"",
            _a_length("max_length", max_length),
            _an_integer("offset", offset, 0, HEADER_MAX),
            0 if strip is None else _an_integer("strip", strip, 0, HEADER_MAX),
            _an_integer("adjust", adjust, -LENGTH_MAX, LENGTH_MAX),
        )

    @staticmethod
    def fixed(length: int) -> "Framing":
        """Messages of LENGTH bytes each."""
        length = _a_length("length", length)
        return Framing(_FIXED, length, 0, False, b"", length)

    def _parts(self) -> tuple[int, int, int, bool, bytes, int, int, int, int]:
        return (
            self._kind,
            self._length,
            self._prefix,
            self._little,
            self._delimiter,
            self._max_length,
            self._offset,
            self._strip,
            self._adjust,
        )

    def __reduce__(self) -> tuple[type["Framing"], tuple[Any, ...]]:
        """For pickle and copy."""
        return type(self), self._parts()

    def __eq__(self, other: object) -> bool:
        """Whether both cut in the same way."""
        return self._parts() == other._parts() if isinstance(other, Framing) else NotImplemented

    def __hash__(self) -> int:
        """Of what makes it equal to others."""
        return hash(self._parts())

    def __repr__(self) -> str:
        """The call that makes it."""
        if self._kind == _FIXED:
            return f"Framing.fixed({self._length})"
        if self._kind == _LINES:
            return f"Framing.lines({self._delimiter!r}, {self._max_length})"
        order = "little" if self._little else "big"
        if self._kind == _LENGTH_FIELD:
            return (
                f"Framing.length_field({self._prefix}, offset={self._offset}, byteorder={order!r}, "
                f"adjust={self._adjust}, strip={self._strip or None}, "
                f"max_length={self._max_length})"
            )
        return f"Framing.length_prefix({self._prefix}, {order!r}, {self._max_length})"

    def _describe_fault(self, fault: int, length: int) -> str:
        """What the client did wrong; FAULT is a frame_t of the engine."""
        if fault == _CUT_OFF:
            unit = {_LENGTH_PREFIX: "with its prefix, ", _LENGTH_FIELD: "with its header, "}.get(
                self._kind, ""
            )
            return f"the client closed its side in the middle of a message ({unit}{length} bytes)"
        if fault == _TOO_SHORT:
            least = max(self._offset + self._prefix, self._strip)
            return (
                f"a message that ends before its first {least} bytes do: its field tells {length}"
            )
        if self._kind == _LINES:
            return f"{length} bytes without a delimiter, at most {self._max_length} are allowed"
        return f"a message of {length} bytes, at most {self._max_length} are allowed"
