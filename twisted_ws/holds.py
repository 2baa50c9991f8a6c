# -*- test-case-name: tests.test_reception -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Why a connection is not read from.
"""

from __future__ import annotations

from enum import IntFlag


class Hold(IntFlag):
    """
    The reasons; each is taken back by itself.
    """

    APPLICATION = 1
    """
    C{pauseProducing} was called.
    """

    CONGESTION = 2
    """
    The peer does not read, so neither do we (C{pauseWhileCongested}).
    """

    PENDING = 4
    """
    The application has enough messages at work (C{maxPendingMessages}).
    """

    STREAM = 8
    """
    What takes a message piece by piece wants no more for now.
    """

    TURN = 32
    """
    It is the turn of other connections (C{framesPerTurn}).
    """

    RATE = 16
    """
    The peer sends more than it may.
    """

    INBOX = 64
    """
    Nobody takes what waits in an L{Inbox<twisted_ws.Inbox>}.
    """
