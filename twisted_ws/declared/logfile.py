# -*- test-case-name: tests.test_logfile -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A log in a file of its own.
"""

from __future__ import annotations

from typing import Any, TextIO

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsJSON,
    eventAsText,
    globalLogPublisher,
    textFileLogObserver,
)


def openToAppend(path: str) -> TextIO:
    """
    Open a file for lines.  It can be copied and truncated while it is written.

    @raise OSError: when it cannot be opened.
    """
    # Whatever is logged must not fail for want of an encoding.
    return open(path, "a", 1, encoding="utf-8", errors="backslashreplace", newline="\n")


class LogFile:
    """
    Writes down what anything in this process logs, from C{open} to C{close}.
    """

    def __init__(self, path: str, format: str = "text", level: str = "info") -> None:
        """
        @param path: of the file.
        @param format: C{"text"}; or C{"json"}, for an object per line, whose C{text}
            is what C{"text"} would say.
        @param level: the name of the lowest L{LogLevel} that is written down.
        """
        self._path = path
        self._format = format
        self._level = LogLevel.levelWithName(level)
        self._file: TextIO | None = None
        self._observer: ILogObserver | None = None

    def open(self) -> None:
        """
        Begin.

        @raise OSError: when the file cannot be opened.
        """
        file = openToAppend(self._path)
        observer: Any = (
            FileLogObserver(file, _asJSON)
            if self._format == "json"
            else textFileLogObserver(file)
        )
        levels = LogLevelFilterPredicate(defaultLogLevel=self._level)
        self._file = file
        self._observer = FilteringLogObserver(observer, [levels])
        globalLogPublisher.addObserver(self._observer)

    def close(self) -> None:
        """
        End, if it was begun.
        """
        if self._file is not None and self._observer is not None:
            globalLogPublisher.removeObserver(self._observer)
            self._file.close()
            self._file = self._observer = None


def _asJSON(event: Any) -> str:
    text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    return eventAsJSON({**event, "text": text}) + "\n"
