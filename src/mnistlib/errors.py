"""The one family of errors that a user of mnistlib can cause.

Each message says what is wrong, with which file or value, and what to do.
"""


class MnistError(Exception):
    """Base of every error that mnistlib raises on purpose."""


class FileFormatError(MnistError):
    """A file isn't in the format that its reader expects."""


class ChecksumError(MnistError):
    """A file's SHA-256 sum isn't that of the official file."""


class DownloadError(MnistError):
    """The official files aren't on this machine, and no mirror gave them."""
