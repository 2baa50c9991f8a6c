# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
When L{twisted_ws.authentication.Authenticate} logs out, and what it leaves behind.
"""

from __future__ import annotations

from weakref import ref

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail
from twisted.logger import LogLevel

from twisted_ws.authentication import Basic, Bearer, IAvatar
from twisted_ws.testing import RecordingReceiver

from .handshakes import GOODBYE, GREETING, Echo
from .logins import TOKEN, Avatar, LoginTests, basic
from .test_memory import Uncollected, forget

RIGHT = f"Authorization: Bearer {TOKEN}"


class Failing(RecordingReceiver):
    """
    Fails at once.
    """

    def connectionMade(self):
        raise ValueError("oops")


class LogoutTests(LoginTests):
    """
    When the realm's logout is called.
    """

    def come(self, **options):
        """
        Connect as Alice.
        """
        self.authenticate(Bearer("chat"), **options)
        self.peer = self.ask(RIGHT)
        return self.peer

    def assertOut(self):
        """
        Check that Alice was logged out once, and nothing is left.
        """
        self.server.flush()
        self.assertEqual(len(self.realm.asked), 1)
        self.assertEqual(self.realm.logouts, [b"alice"])
        closed = self.server.factory.closeAllConnections()
        self.server.flush()
        self.successResultOf(closed)
        self.assertQuiet()
        self.assertEqual(self.realm.logouts, [b"alice"])
        self.assertNothingTold()

    def test_endings(self):
        """
        However a connection ends, logout is called once.
        """
        for end in [
            lambda: self.peer.send(GOODBYE),
            lambda: self.peer.transport.loseConnection(),
            lambda: self.peer.transport.abortConnection(),
            lambda: self.peer.send(b"\x83\x80"),
            lambda: self.opened().abortConnection(),
            lambda: (self.opened().close(), self.peer.send(GOODBYE)),
            lambda: (
                self.opened().close(),
                self.server.flush(),
                self.clock.advance(5),
            ),
            lambda: (
                self.server.factory.closeAllConnections(),
                self.server.flush(),
                self.clock.advance(5),
            ),
            lambda: self.clock.pump([20, 10]),
        ]:
            self.setUp()
            self.come()
            self.assertEqual(self.peer.take(), GREETING)
            self.assertEqual(self.realm.logouts, [])
            end()
            self.assertOut()

    def test_afterTheReceiver(self):
        """
        The receiver is told of the end before the avatar is logged out.
        """
        seen = []

        class Last(RecordingReceiver):
            def connectionLost(receiver, reason=None):
                avatar = receiver.transport.avatar
                seen.append((avatar.avatarId, list(self.realm.logouts)))

        self.come(then=Last).transport.loseConnection()
        self.assertOut()
        self.assertEqual(seen, [(b"alice", [])])

    def test_laterStepRejects(self):
        """
        When a later step rejects the request, logout is called.
        """
        self.come(after=[lambda request: request.reject(402)])
        self.assertStatus(self.peer, 402)
        self.assertOut()

    def test_laterStepFails(self):
        """
        When a later step fails, logout is called.
        """
        self.come(after=[lambda request: fail(ValueError())])
        self.assertStatus(self.peer, 500)
        self.assertOut()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_applicationRejects(self):
        """
        When the application rejects the request, logout is called.
        """
        self.come(then=lambda request: request.reject(404))
        self.assertStatus(self.peer, 404)
        self.assertOut()

    def test_receiverFails(self):
        """
        When the receiver fails at once, the connection ends, and logout is called.
        """
        self.come(then=Failing)
        self.assertOut()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_peerLeavesLater(self):
        """
        When the client leaves while a later step waits, logout is called.
        """
        self.come(after=[lambda request: Deferred()])
        self.assertEqual(self.realm.logouts, [])
        self.peer.transport.loseConnection()
        self.assertOut()

    def test_timeoutLater(self):
        """
        When time is up while a later step waits, logout is called.
        """
        self.come(after=[lambda request: Deferred()])
        self.clock.advance(10)
        self.server.flush()
        self.assertStatus(self.peer, 503)
        self.assertOut()

    def test_acceptedTooLate(self):
        """
        When an application accepts the request after the client has left, logout was
        called and is not called again.
        """
        requests = []
        self.come(then=requests.append)
        self.peer.transport.loseConnection()
        self.server.flush()
        self.assertEqual(self.realm.logouts, [b"alice"])
        requests[0].accept(Echo())
        self.assertOut()

    def late(self, end):
        """
        Have a login succeed though it was cancelled.
        """
        self.checker.answer = lambda credentials: Deferred(
            lambda checking: checking.callback(b"alice")
        )
        requests = []
        self.come(before=[requests.append])
        end()
        self.assertOut()
        self.assertIsNone(requests[0].avatar)

    def test_successAfterTheEnd(self):
        """
        A login that succeeds all the same when nobody is there any more is logged out
        at once; no request has its avatar.
        """
        for end in [
            lambda: self.peer.transport.loseConnection(),
            lambda: self.clock.advance(10),
            lambda: self.server.factory.closeAllConnections(),
        ]:
            self.setUp()
            self.late(end)

    def test_muchLater(self):
        """
        So is one that takes its time after it was cancelled.
        """
        result = Deferred()
        self.checker.answer = lambda c: Deferred().addErrback(lambda _: result)
        self.come().transport.loseConnection()
        self.server.flush()
        self.assertEqual(self.realm.logouts, [])
        result.callback(b"alice")
        self.assertOut()

    def test_failureAfterTheEnd(self):
        """
        A login that fails when nobody is there any more says so nowhere but in the
        debug log.
        """
        for error in (UnauthorizedLogin(), ValueError("a database is gone")):
            self.setUp()
            self.checker.answer = lambda credentials, error=error: Deferred(
                lambda checking: checking.errback(error)
            )
            self.come().transport.loseConnection()
            self.server.flush()
            self.assertEqual(self.realm.logouts, [])
            levels = {event["log_level"] for event in self.events}
            self.assertLessEqual(levels, {LogLevel.debug})
            self.assertQuiet()

    def test_logoutFails(self):
        """
        A logout that fails is logged, at once or later; the end is an end.
        """
        for logout in (lambda: 1 / 0, lambda: fail(ZeroDivisionError())):
            self.realm.requestAvatar = lambda id, mind, *interfaces, logout=logout: (
                IAvatar,
                id,
                logout,
            )
            self.come().send(GOODBYE)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.assertIn("the logout after <WebSocketRequest", self.logged())
            self.assertQuiet()

    def test_realmFails(self):
        """
        A realm that fails, or gives what no realm gives, is answered for with 500.
        """
        for answer in (
            lambda *given: fail(NotImplementedError()),
            lambda *given: None,
            lambda *given: (IAvatar, "alice"),
        ):
            self.realm.requestAvatar = answer
            self.assertStatus(self.come(), 500)
            errors = (NotImplementedError, TypeError, ValueError)
            self.assertEqual(len(self.flushLoggedErrors(*errors)), 1)
            self.assertQuiet()


class MemoryTests(LoginTests, Uncollected):
    """
    What is left in memory: nothing, also without the garbage collector.
    """

    def setUp(self):
        LoginTests.setUp(self)
        Uncollected.setUp(self)

    def checkGone(self, name, fields, end=lambda peer: None, **options):
        """
        Check that the request, its avatar, and what the client has shown are gone
        after the end.
        """
        references = []

        def note(request):
            references.append(ref(request))

        def seen(credentials):
            references.append(ref(credentials))
            result = answer(credentials)
            self.checker.seen.clear()
            return result

        answer = self.checker.answer or (lambda credentials: b"alice")
        self.checker.answer = seen

        def requestAvatar(avatarId, mind, *interfaces):
            avatar = Avatar(avatarId)
            references.append(ref(avatar))
            return interfaces[0], avatar, lambda: self.realm.logouts.append(avatarId)

        self.realm.requestAvatar = requestAvatar
        self.authenticate(Bearer("chat"), Basic("chat"), before=[note], **options)
        peer = self.ask(*fields)
        end(peer)
        self.server.flush()
        self.assertQuiet()
        self.events.clear()
        forget(self.server)
        self.assertGreater(len(references), 0, name)
        self.assertGone(*references, name)
        self.checker.answer = None
        return len(references)

    def test_connection(self):
        """
        After a connection.
        """
        for end in (
            lambda peer: peer.send(GOODBYE),
            lambda peer: peer.transport.loseConnection(),
            lambda peer: peer.transport.abortConnection(),
        ):
            self.assertEqual(self.checkGone("a connection", [RIGHT], end), 3)
        self.assertEqual(self.realm.logouts, [b"alice"] * 3)

    def test_refused(self):
        """
        After a request that was refused, by us or by a later step.
        """
        self.checkGone("nothing", [])
        self.checkGone("malformed", ["Authorization: Basic ?"])
        self.checkGone("several fields", [RIGHT, RIGHT])
        self.checker.answer = lambda credentials: fail(UnauthorizedLogin())
        self.checkGone("wrong", [basic("alice", "wrong")])
        later = [lambda request: request.reject(402)]
        self.checkGone("a later step", [RIGHT], after=later)

    def test_leaves(self):
        """
        After a client that has left while the portal, or a later step, was waited for.
        """
        for end in (
            lambda peer: peer.transport.loseConnection(),
            lambda peer: self.clock.advance(10),
        ):
            self.checker.answer = lambda credentials: Deferred()
            self.assertEqual(self.checkGone("a slow portal", [RIGHT], end), 2)
