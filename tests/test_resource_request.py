# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What an application can do with the HTTP request that a handshake came in: sessions,
cookies, header fields; and who may get as far, by Twisted's own C{guard}.
"""

from base64 import b64encode
from hashlib import md5

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.web.guard import (
    BasicCredentialFactory,
    DigestCredentialFactory,
    HTTPAuthSessionWrapper,
)
from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from twisted_ws import Cookie, WebSocketResource
from twisted_ws._wire.headers import parseFields

from .handshakes import HELLO, HELLO_REPLY, Echo
from .sites import PAGE, SiteTests, get, upgrade


def readAnswer(data):
    """
    @return: the status, and the header fields of a response.
    """
    lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return int(lines[0].split(b" ")[1]), parseFields(lines[1:])


class Setting(Resource):
    """
    Sets something on each request on its way down the tree.
    """

    def __init__(self, set):
        Resource.__init__(self)
        self.set = set

    def getChildWithDefault(self, name, request):
        self.set(request)
        return Resource.getChildWithDefault(self, name, request)


class HTTPRequestTests(SiteTests):
    """
    The HTTP request, until there is a verdict.
    """

    def answer(self, application, *fields):
        """
        @return: the status and the header fields that answer a handshake.
        """
        self.serve(application)
        self.addCleanup(self.endSessions)
        return readAnswer(self.connect(upgrade("/ws", *fields)).take())

    def endSessions(self):
        """
        They wait for their own end.
        """
        for session in list(self.site.sessions.values()):
            session.expire()

    def test_session(self):
        """
        A session of Twisted's that begins here is kept by a cookie that goes with the
        verdict, whichever it is; and the page has it as well.
        """

        def accept(request):
            request.httpRequest.getSession().name = "alice"
            request.accept(Echo())

        def reject(request):
            request.httpRequest.getSession().name = "alice"
            request.reject(401)

        for application, expected in ((accept, 101), (reject, 401)):
            status, headers = self.answer(application)
            self.assertEqual(status, expected)
            (cookie,) = headers.getAll("set-cookie")
            uid = cookie.partition(";")[0].partition("=")[2]
            self.assertEqual(self.site.sessions[uid.encode()].name, "alice")
            self.assertIn("Path=/", cookie)

    def test_knownSession(self):
        """
        A session that began on a page is found by its cookie; no other one is begun.
        """
        names = []

        def application(request):
            names.append(request.httpRequest.getSession().name)
            request.accept(Echo())

        self.serve(application)
        self.addCleanup(self.endSessions)
        session = self.site.makeSession()
        session.name = "alice"
        cookie = f"Cookie: TWISTED_SESSION={session.uid.decode()}"
        status, headers = readAnswer(self.connect(upgrade("/ws", cookie)).take())
        self.assertEqual((status, names), (101, ["alice"]))
        self.assertNotIn("set-cookie", headers)

    def test_cookies(self):
        """
        Cookies that are set on it come before those of the verdict.
        """

        def application(request):
            request.httpRequest.addCookie("a", "1", path="/", sameSite="lax")
            request.accept(Echo(), cookies=[Cookie("b", "2")])

        _, headers = self.answer(application)
        first, second = headers.getAll("set-cookie")
        self.assertTrue(first.startswith("a=1; Path=/; SameSite=lax"), first)
        self.assertEqual(second, "b=2")

    def test_fields(self):
        """
        Header fields that are set on it are sent; those of the verdict go before, and
        what the handshake or the server settles is left alone.
        """

        def set(request):
            for name in ("X-Above", "X-Both", "Content-Length", "Upgrade", "Server"):
                request.setHeader(name, "above")
            request.setHeader("Content-Type", "image/png")

        for verdict in ("accept", "reject"):
            self.serve(
                lambda request, verdict=verdict: (
                    request.accept(Echo(), headers={"X-Both": "verdict"})
                    if verdict == "accept"
                    else request.reject(403, headers={"X-Both": "verdict"})
                )
            )
            root = Setting(set)
            root.putChild(b"ws", self.resource)
            self.site.resource = root
            _, headers = readAnswer(self.connect(upgrade("/ws")).take())
            self.assertEqual(headers.getAll("x-above"), ["above"])
            self.assertEqual(headers.getAll("x-both"), ["verdict"])
            self.assertNotIn("server", headers)
            self.assertNotIn("above", headers.getAll("upgrade"))
            self.assertNotIn("above", headers.getAll("content-length"))
            self.assertNotIn("image/png", headers.getAll("content-type"))

    def test_wrongFields(self):
        """
        Where one is set on it that cannot be sent, nothing is accepted, and the client
        is told that the server is not well.
        """

        def application(request):
            request.httpRequest.setHeader("X-Wrong", "a\0b")
            request.accept(Echo())

        status, headers = self.answer(application)
        self.assertEqual(status, 503)
        self.assertNotIn("x-wrong", headers)
        (failure,) = self.flushLoggedErrors(ValueError)
        self.assertIn("X-Wrong", failure.getErrorMessage())
        self.assertEqual(self.factory.connections, set())

    def test_noneOnAPort(self):
        """
        On a port of its own there is none, and nothing of it is missed.
        """
        self.serve()
        self.server.factory = self.factory
        peer = self.connect(upgrade("/ws"))
        (request,) = self.requests
        self.assertIsNone(request.httpRequest)
        request.accept(Echo())
        self.server.flush()
        self.assertEqual(readAnswer(peer.take())[0], 101)


@implementer(IRealm)
class Realm:
    """
    Gives each user a C{WebSocketResource}.
    """

    def __init__(self, resource):
        self.resource = resource
        self.loggedIn = []
        self.loggedOut = 0

    def requestAvatar(self, avatarId, mind, *interfaces):
        self.loggedIn.append(avatarId)
        return IResource, self.resource, self.logout

    def logout(self):
        self.loggedOut += 1


class SlowChecker(InMemoryUsernamePasswordDatabaseDontUse):
    """
    Takes its time.
    """

    waiting = None

    def requestAvatarId(self, credentials):
        self.waiting = Deferred()
        return self.waiting.addCallback(
            lambda _: InMemoryUsernamePasswordDatabaseDontUse.requestAvatarId(
                self, credentials
            )
        )


class GuardTests(SiteTests):
    """
    Behind an C{HTTPAuthSessionWrapper}.
    """

    def guard(self, schemes, checker=InMemoryUsernamePasswordDatabaseDontUse):
        """
        Serve an echo to alice.
        """
        self.serve(Echo)
        self.realm = Realm(self.resource)
        self.checker = checker(alice=b"secret")
        guarded = HTTPAuthSessionWrapper(Portal(self.realm, [self.checker]), schemes)
        self.site.resource.putChild(b"ws", guarded)

    def basic(self, password):
        """
        @return: the header field of a login.
        """
        return f"Authorization: Basic {b64encode(b'alice:' + password).decode()}"

    def test_basic(self):
        """
        Who is nobody gets Twisted's own 401; who is somebody, a WebSocket, at the path
        or below.
        """
        self.guard([BasicCredentialFactory("chat")])
        for fields in ((), (self.basic(b"wrong"),)):
            status, headers = readAnswer(self.connect(upgrade("/ws", *fields)).take())
            self.assertEqual(status, 401)
            self.assertEqual(headers.get("www-authenticate"), 'basic realm="chat"')
        for path in ("/ws", "/ws/below"):
            peer = self.connect(upgrade(path, self.basic(b"secret")), HELLO)
            received = peer.take()
            self.assertEqual(readAnswer(received)[0], 101, path)
            self.assertTrue(received.endswith(HELLO_REPLY))
        self.assertEqual(self.realm.loggedIn, [b"alice", b"alice"])

    def test_digest(self):
        """
        So does a digest.
        """
        self.guard([DigestCredentialFactory("md5", b"chat")])
        status, headers = readAnswer(self.connect(upgrade("/ws")).take())
        self.assertEqual(status, 401)
        challenge = dict(
            part.split("=", 1)
            for part in headers.get("www-authenticate")[len("digest ") :].split(", ")
        )
        nonce = challenge["nonce"].strip('"')

        def digest(text):
            return md5(text.encode()).hexdigest()

        secret, wanted = digest("alice:chat:secret"), digest("GET:/ws")
        response = digest(f"{secret}:{nonce}:{wanted}")
        login = (
            f'Authorization: Digest username="alice", realm="chat", nonce="{nonce}",'
            f' uri="/ws", response="{response}", opaque={challenge["opaque"]}'
        )
        peer = self.connect(upgrade("/ws", login), HELLO)
        received = peer.take()
        self.assertEqual(readAnswer(received)[0], 101)
        self.assertTrue(received.endswith(HELLO_REPLY))

    def test_slowPortal(self):
        """
        A portal may take its time; frames sent meanwhile are not lost.
        """
        self.guard([BasicCredentialFactory("chat")], SlowChecker)
        peer = self.connect(upgrade("/ws", self.basic(b"secret")), HELLO)
        self.assertEqual(peer.take(), b"")
        self.checker.waiting.callback(None)
        self.server.flush()
        received = peer.take()
        self.assertEqual(readAnswer(received)[0], 101)
        self.assertTrue(received.endswith(HELLO_REPLY))

    def test_slowPortalPeerLeaves(self):
        """
        A client that left meanwhile leaves nothing behind.
        """
        self.guard([BasicCredentialFactory("chat")], SlowChecker)
        peer = self.connect(upgrade("/ws", self.basic(b"secret")))
        peer.transport.abortConnection()
        self.server.flush()
        if not self.checker.waiting.called:
            self.checker.waiting.callback(None)
        self.server.flush()
        self.assertQuiet()

    def test_fallback(self):
        """
        The page behind it has the same guard.
        """
        self.guard([BasicCredentialFactory("chat")])
        status, _ = readAnswer(self.connect(get("/ws")).take())
        self.assertEqual(status, 401)
        status, _ = readAnswer(
            self.connect(get("/ws", "GET", self.basic(b"secret"))).take()
        )
        self.assertEqual(status, 426)
        self.assertEqual(self.statuses(self.connect(PAGE)), [200])


class ResourceTests(SiteTests):
    """
    Several.
    """

    def test_oneFactoryTwice(self):
        """
        One factory can be behind several resources; it has the connections of all.
        """
        self.serve(Echo)
        self.site.resource.putChild(b"other", WebSocketResource(self.factory))
        self.connect(upgrade("/ws"))
        self.connect(upgrade("/other"))
        self.assertEqual(len(self.factory.connections), 2)
