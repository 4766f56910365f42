"""A pickle machine that builds NumPy arrays of numbers, and nothing else.

A pickle is a program for a small stack machine. Python's own machine imports what
the program names and calls it, with the arguments that the program gives. A list
of allowed names (``pickle.Unpickler.find_class``) stops that, but not a file of a
few bytes that asks for all of the memory: an array of any shape, a memo of any
length, a million empty lists.

This machine knows only the instructions that picklers of protocol 0 to 5 write
for tuples of arrays, Python 2's included. It never imports or calls what a file
names, makes an array only from bytes that the file holds, and counts both.

References
----------
https://docs.python.org/3/library/pickle.html and the comments of
https://github.com/python/cpython/blob/main/Lib/pickletools.py
"""

from __future__ import annotations

import codecs
import pickle
import re
from typing import BinaryIO

from mnistlib.data.rebuild import MAX_NAME, Refused, call, look_up, set_state

MAX_INSTRUCTIONS = 1_000  # six arrays take about 300
LONGEST_NUMBER = 8  # bytes of a number that isn't text
ESCAPE_LENGTH = len(r"\u0000")  # the most that protocol 0 writes for one byte
CONSTANTS = {
    pickle.NONE: None,
    pickle.NEWTRUE: True,
    pickle.NEWFALSE: False,
    pickle.EMPTY_TUPLE: (),
}
INTEGERS = {  # instruction: (bytes, whether there is a sign)
    pickle.BININT: (4, True),
    pickle.BININT1: (1, False),
    pickle.BININT2: (2, False),
}
STRINGS = {  # instruction: (bytes of the length, whether UTF-8 follows)
    pickle.SHORT_BINSTRING: (1, False),
    pickle.BINSTRING: (4, False),
    pickle.SHORT_BINBYTES: (1, False),
    pickle.BINBYTES: (4, False),
    pickle.BINBYTES8: (8, False),
    pickle.BYTEARRAY8: (8, False),
    pickle.SHORT_BINUNICODE: (1, True),
    pickle.BINUNICODE: (4, True),
    pickle.BINUNICODE8: (8, True),
}
TUPLES = {pickle.TUPLE1: 1, pickle.TUPLE2: 2, pickle.TUPLE3: 3}
NAMES = {
    code: name
    for name, code in vars(pickle).items()
    if name.isupper() and isinstance(code, bytes) and len(code) == 1
}


class Machine:
    """Runs one pickle.

    Parameters
    ----------
    stream
        Open at the pickle's first byte.
    max_bytes
        How many bytes all strings of the pickle may have together; the values of
        arrays are strings to it.
    """

    def __init__(self, stream: BinaryIO, max_bytes: int) -> None:
        self._stream = stream
        self._room = max_bytes
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}

    def run(self) -> object:
        """Run the program to its end.

        Returns
        -------
        object
            A :class:`~mnistlib.data.rebuild.Array`, or tuples of them. Don't print or
            compare it before you know how deep it is: tuples can share parts, so
            that a short program makes one with more leaves than there are atoms.

        Raises
        ------
        Refused
            If the program does anything that no pickle of arrays does, or ends
            too early.
        """
        for _ in range(MAX_INSTRUCTIONS):
            code = self._take(1)
            if code == pickle.STOP:
                [result] = self._pop(1)
                return result
            self._execute(code)
        raise Refused(f"it has more than {MAX_INSTRUCTIONS:,} instructions")

    def _execute(self, code: bytes) -> None:
        if code in CONSTANTS:
            self._stack.append(CONSTANTS[code])
        elif code in INTEGERS:
            size, signed = INTEGERS[code]
            self._stack.append(int.from_bytes(self._take(size), "little", signed=signed))
        elif code in STRINGS:
            self._stack.append(self._string(*STRINGS[code]))
        elif code in TUPLES:
            self._stack.append(self._pop(TUPLES[code]))
        elif not (self._execute_text(code) or self._execute_other(code)):
            name = NAMES.get(code, code.hex())
            raise Refused(f"it has the instruction {name}, which no array of numbers needs")

    def _execute_text(self, code: bytes) -> bool:
        """Execute what protocol 0 writes as text; say whether it was that."""
        match code:
            case pickle.INT | pickle.LONG:
                self._stack.append(self._number())
            case pickle.STRING:
                self._stack.append(self._quoted_string())
            case pickle.UNICODE:
                self._stack.append(self._escaped_text())
            case pickle.PUT:
                self._memo[self._number()] = self._top()
            case pickle.GET:
                self._stack.append(self._recall(self._number()))
            case pickle.GLOBAL:
                self._stack.append(look_up(self._line(MAX_NAME), self._line(MAX_NAME)))
            case _:
                return False
        return True

    def _execute_other(self, code: bytes) -> bool:
        match code:
            case pickle.PROTO:
                self._take(1)
            case pickle.FRAME:
                self._take(8)
            case pickle.MARK:
                self._marks.append(len(self._stack))
            case pickle.TUPLE:
                self._stack.append(self._pop_to_mark())
            case pickle.LONG1:
                size = self._unsigned(1)
                if size > LONGEST_NUMBER:
                    raise Refused("it has a number that no array has")
                self._stack.append(int.from_bytes(self._take(size), "little", signed=True))
            case pickle.BINPUT | pickle.LONG_BINPUT:
                self._memo[self._unsigned(1 if code == pickle.BINPUT else 4)] = self._top()
            case pickle.MEMOIZE:
                self._memo[len(self._memo)] = self._top()
            case pickle.BINGET | pickle.LONG_BINGET:
                index = self._unsigned(1 if code == pickle.BINGET else 4)
                self._stack.append(self._recall(index))
            case pickle.STACK_GLOBAL:
                self._stack.append(look_up(*self._pop(2)))
            case pickle.REDUCE:
                self._stack.append(call(*self._pop(2)))
            case pickle.BUILD:
                target, state = self._pop(2)
                set_state(target, state)
                self._stack.append(target)
            case _:
                return False
        return True

    def _take(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise Refused("it ends too early: is it truncated?")
        return data

    def _unsigned(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _line(self, limit: int) -> bytes:
        line = self._stream.readline(limit + 1)
        if not line.endswith(b"\n"):
            raise Refused(f"a line of it ends too early or has more than {limit:,} bytes")
        return line[:-1]

    def _number(self) -> int:
        line = self._line(MAX_NAME).removesuffix(b"L")
        if not re.fullmatch(rb"-?[0-9]+", line):
            raise Refused("it has a number that isn't one")
        return int(line)

    def _string(self, width: int, is_utf8: bool) -> bytes:
        """Read a string; text is given as Latin-1, in which picklers hide bytes."""
        size = self._unsigned(width)
        # Latin-1 has one byte where UTF-8 has up to two.
        if size > self._room * (1 + is_utf8):
            raise Refused(f"it holds more bytes than its arrays need ({size:,} in one place)")
        data = self._take(size)
        if is_utf8 and not data.isascii():
            if re.search(rb"[\xc4-\xff]", data):
                raise Refused("it has text that isn't Latin-1")
            data = data.decode().encode("latin-1")
        return self._count(data)

    def _quoted_string(self) -> bytes:
        line = self._line(ESCAPE_LENGTH * self._room)
        if len(line) < 2 or line[:1] not in (b"'", b'"') or line[:1] != line[-1:]:
            raise Refused("it has a string without quotes")
        return self._count(codecs.escape_decode(line[1:-1])[0])

    def _escaped_text(self) -> bytes:
        line = self._line(ESCAPE_LENGTH * self._room)
        if re.search(rb"\\(?!u00)", line):
            raise Refused("it has text that isn't Latin-1")
        return self._count(line.decode("raw_unicode_escape").encode("latin-1"))

    def _count(self, data: bytes) -> bytes:
        self._room -= len(data)
        if self._room < 0:
            raise Refused("it holds more bytes than its arrays need")
        return data

    def _pop(self, count: int) -> tuple[object, ...]:
        floor = self._marks[-1] if self._marks else 0
        start = len(self._stack) - count
        if start < floor:
            raise Refused("it takes from an empty stack")
        values = tuple(self._stack[start:])
        del self._stack[start:]
        return values

    def _pop_to_mark(self) -> tuple[object, ...]:
        if not self._marks:
            raise Refused("it looks for a mark that it hasn't set")
        values = self._pop(len(self._stack) - self._marks[-1])
        self._marks.pop()
        return values

    def _top(self) -> object:
        if not self._stack:
            raise Refused("it takes from an empty stack")
        return self._stack[-1]

    def _recall(self, index: int) -> object:
        if index not in self._memo:
            raise Refused("it recalls what it hasn't stored")
        return self._memo[index]
