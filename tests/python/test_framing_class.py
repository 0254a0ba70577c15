"""Framing as an object: what it packs and refuses, how it is made, copied and shown."""

import copy
import pickle
import re

import pytest

import iocpreuse
from iocpreuse import Framing


@pytest.mark.parametrize(
    ("framing", "message", "wire"),
    [
        (Framing.lines(), b"hello", b"hello\n"),
        (Framing.lines(b"\r\n"), b"", b"\r\n"),
        (Framing.length_prefix(), b"hello", b"\0\0\0\5hello"),
        (Framing.length_prefix(2, "little"), b"hi", b"\2\0hi"),
        (Framing.length_prefix(8), b"", b"\0" * 8),
        (Framing.fixed(3), b"abc", b"abc"),
        (Framing.lines(), bytearray(b"copy"), b"copy\n"),
        (Framing.length_prefix(1), memoryview(b"view"), b"\4view"),
        (Framing.fixed(2), memoryview(b"ab"), b"ab"),
        (Framing.length_field(), b"\0\3abc", b"\0\3abc"),
        (Framing.length_field(1, offset=2, adjust=-3), b"xy\4z", b"xy\4z"),
        (Framing.length_field(4, adjust=1, byteorder="little"), b"\1\0\0\0ab", b"\1\0\0\0ab"),
        (Framing.length_field(2, strip=2), b"hello", b"\0\5hello"),
        (Framing.length_field(3, strip=3, byteorder="little"), b"hi", b"\2\0\0hi"),
        (Framing.length_field(2, strip=2, adjust=-2), b"all", b"\0\5all"),
        (Framing.length_field(1, strip=1, adjust=4), b"flagbody!", b"\5flagbody!"),
    ],
)
def test_pack(framing, message, wire):
    packed = framing.pack(message)
    assert type(packed) is bytes
    assert packed == wire


@pytest.mark.parametrize(
    ("framing", "message", "text"),
    [
        (Framing.lines(), b"a\nb", r"has the delimiter b'\n' in it, at 1"),
        (Framing.lines(b"aa"), b"xa", "in it, at 1"),
        (Framing.lines(max_length=3), b"abcd", "at most 3 bytes, not 4"),
        (Framing.length_prefix(1), b"x" * 256, "at most 255 bytes, not 256"),
        (Framing.length_prefix(4, max_length=10), b"x" * 11, "at most 10 bytes, not 11"),
        (Framing.fixed(3), b"ab", "must have 3 bytes, not 2"),
        (Framing.length_field(2, offset=3), b"abcd", "its header of 5 bytes, and has 4"),
        (Framing.length_field(), b"\0\3ab", "has 4 bytes, and the field in its header, 3, tells"),
        (Framing.length_field(8), b"\xff" * 8, "has 8 bytes, and the field in its header, 1844"),
        (Framing.length_field(max_length=3), b"\0\2ab", "at most 3 bytes, not 4"),
        (
            Framing.length_field(1, strip=1),
            b"x" * 256,
            "a field of 1 bytes could tell: it would be",
        ),
        (Framing.length_field(1, strip=1, adjust=4), b"abc", "it would be -1"),
    ],
)
def test_pack_refuses(framing, message, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        framing.pack(message)


@pytest.mark.parametrize(
    "framing",
    [
        Framing.length_field(2, offset=1, strip=3),
        Framing.length_field(2, strip=1),
        Framing.length_field(2, strip=3),
        Framing.length_field(2, offset=4, strip=2),
    ],
)
def test_nobody_knows_what_was_stripped(framing):
    with pytest.raises(RuntimeError, match=r"which \d bytes strip has taken off"):
        framing.pack(b"message")


@pytest.mark.parametrize(
    "framing",
    [
        Framing.lines(),
        Framing.length_prefix(),
        Framing.fixed(1),
        Framing.length_field(),
        Framing.length_field(strip=2),
    ],
)
@pytest.mark.parametrize("message", ["text", 5, None])
def test_pack_wants_bytes(framing, message):
    with pytest.raises(TypeError, match="bytes-like"):
        framing.pack(message)


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: Framing.lines("\n"), TypeError, "delimiter must be bytes, 1 to 16 of them, not"),
        (lambda: Framing.lines(b""), ValueError, "delimiter must be bytes, 1 to 16 of them"),
        (lambda: Framing.lines(b"x" * 17), ValueError, "1 to 16"),
        (lambda: Framing.lines(max_length=0), ValueError, "max_length must be an integer from 1"),
        (lambda: Framing.lines(max_length=1.5), TypeError, "not 1.5 (float)"),
        (lambda: Framing.length_prefix(3), ValueError, "size must be 1, 2, 4 or 8, not 3"),
        (lambda: Framing.length_prefix("4"), TypeError, "size must be 1, 2, 4 or 8, not '4' (str)"),
        (lambda: Framing.length_prefix(True), TypeError, "bool"),
        (lambda: Framing.length_prefix(4, "network"), ValueError, "'big' or 'little'"),
        (lambda: Framing.length_prefix(max_length=2**31), ValueError, "2147483647"),
        (lambda: Framing.length_field(5), ValueError, "size must be 1, 2, 3, 4 or 8, not 5"),
        (
            lambda: Framing.length_field(2, offset=-1),
            ValueError,
            "offset must be an integer from 0",
        ),
        (lambda: Framing.length_field(2, offset=65537), ValueError, "to 65536, not 65537"),
        (lambda: Framing.length_field(2, offset=None), TypeError, "offset must be an integer"),
        (lambda: Framing.length_field(2, strip=-1), ValueError, "strip must be an integer from 0"),
        (lambda: Framing.length_field(2, strip=b""), TypeError, "strip must be an integer from 0"),
        (lambda: Framing.length_field(2, adjust=2**31), ValueError, "adjust must be an integer"),
        (lambda: Framing.length_field(2, adjust=0.5), TypeError, "not 0.5 (float)"),
        (lambda: Framing.length_field(2, byteorder=0), ValueError, "'big' or 'little'"),
        (lambda: Framing.length_field(max_length=0), ValueError, "max_length must be"),
        (lambda: Framing.fixed(0), ValueError, "length must be an integer from 1"),
        (lambda: Framing.fixed(b"1"), TypeError, "length must be"),
        (lambda: iocpreuse.Server(framing="lines"), TypeError, "framing must be Framing.lines("),
        (lambda: iocpreuse.Server(framing=Framing), TypeError, "or None, not"),
    ],
)
def test_wrong(make, kind, text):
    with pytest.raises(kind) as caught:
        make()
    assert text in str(caught.value)


def test_constant_and_copied():
    for framing in (
        Framing.lines(),
        Framing.length_prefix(8, "little", 9),
        Framing.length_field(1, adjust=-1, strip=1),
        Framing.fixed(3),
    ):
        with pytest.raises(AttributeError, match="cannot be changed"):
            framing._length = 5
        assert pickle.loads(pickle.dumps(framing)) == framing
        assert copy.deepcopy(framing) == framing
        assert copy.copy(framing).pack(b"abc") == framing.pack(b"abc")
    assert Framing.fixed(3) != Framing.fixed(4)
    assert Framing.fixed(3) != "fixed"


@pytest.mark.parametrize("arguments", [(0, 1, 0, 0, b"", 1), (9, 1, 0, 0, b"", 1)])
def test_made_by_its_methods_only(arguments):
    with pytest.raises(ValueError, match=r"made by Framing\.lines"):
        Framing(*arguments)


def test_repr_is_the_call():
    for framing in (
        Framing.lines(b"\r\n", 5),
        Framing.length_prefix(2, "little"),
        Framing.length_field(),
        Framing.length_field(3, offset=5, byteorder="little", adjust=-8, strip=4, max_length=70),
        Framing.fixed(7),
    ):
        assert eval(repr(framing)) == framing
        assert hash(eval(repr(framing))) == hash(framing)
