# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Which files L{ServerCertificates} takes.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from twisted_ws import ServerCertificates

from .tlsmemory import CertificatesTests, serial
from .tlspeers import (
    issue,
    pemOf,
    trustme,
)

WEAK = b"""
-----BEGIN PRIVATE KEY-----
MIIBVgIBADANBgkqhkiG9w0BAQEFAASCAUAwggE8AgEAAkEA0WgvySuYuIqfEPBO
Q1nDrEnHiBMetOizPB9Pm+JYKSBlLF++FIDl7soTW0kyNmxskpiry8o0uKyy6xTY
k9upKwIDAQABAkEAw28lCe7yPWjCQ6DCqgDgqa7B1bFiexyiCn5+YdHAzb+JXksJ
1oTSEEpjukNlTghjl1aU1W/kNin/UyYJcmd+AQIhAPRiRxsbngJLKkZJdly6NJw+
VzGOn5xlWBSLzxJI0u5BAiEA21xNI3nwMlJBvsCpokyhaivdgtPSz3s74nkqoi3V
FGsCIQDbAD9McaFV2NoXhrnFOzDuW4dz56XtV3xpXSjB7/TmgQIhAIkeS0GvyUtL
S7l3KRJAoG2DefV7fz0epTJN1y6FQ7p9AiBDf5FgDWGFxrf7aQMWU4+wF8kWvJWz
i7qQZqlbtzyW0w==
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBdTCCAR+gAwIBAgIUarS2mk2HYL9+nLI7+acANBFdURowDQYJKoZIhvcNAQEL
BQAwDzENMAsGA1UEAwwEd2VhazAeFw0yNjExMjUxOTM5MjZaFw0zNjExMjIxOTM5
MjZaMA8xDTALBgNVBAMMBHdlYWswXDANBgkqhkiG9w0BAQEFAANLADBIAkEA0Wgv
ySuYuIqfEPBOQ1nDrEnHiBMetOizPB9Pm+JYKSBlLF++FIDl7soTW0kyNmxskpir
y8o0uKyy6xTYk9upKwIDAQABo1MwUTAdBgNVHQ4EFgQUlqF6mLTAR0EeLcoG/yrs
N2VMwV0wHwYDVR0jBBgwFoAUlqF6mLTAR0EeLcoG/yrsN2VMwV0wDwYDVR0TAQH/
BAUwAwEB/zANBgkqhkiG9w0BAQsFAANBAGWy/6URkvrs+YvoGdnrfdjDRw83HrPt
4nK1V2xpRP78jTvNMnRfhhRVUQhLurqoVpoHpC3vdJPMdlRhZEQR3dw=
-----END CERTIFICATE-----
"""
"""
A certificate with a key of RSA that has 512 bits, and that key.
"""


class FileTests(CertificatesTests):
    """
    What is in the files.
    """

    def test_keyFiles(self) -> None:
        """
        Keys can be in files of their own, in any order, for several certificates.
        """
        issued = [issue(f"{name}.example") for name in ("a", "b", "c")]
        certificates = [
            self.files.write(
                f"{number}.crt", b"".join(blob.bytes() for blob in each.cert_chain_pems)
            )
            for number, each in enumerate(issued[:2])
        ]
        certificates.append(self.files.write("2.pem", pemOf(issued[2])))
        keys = [
            self.files.write(f"{number}.key", each.private_key_pem.bytes())
            for number, each in enumerate(issued[:2])
        ]
        server = ServerCertificates(certificates, reversed(keys))
        for name, each in zip("abc", issued, strict=True):
            host = f"{name}.example".encode()
            self.assertEqual(self.shown(server, host), serial(each))

    def test_otherContent(self) -> None:
        """
        Comments, line ends of another kind, and blocks of another kind are passed over.
        """
        issued = issue("a.example")
        parameters = (
            b"-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n"
        )
        pem = b"\xef\xbb\xbfkey of a\n" + parameters + pemOf(issued) + b"\n# end"
        for content in (pem, pem.replace(b"\n", b"\r\n")):
            path = self.files.write("a.pem", content)
            self.assertEqual(self.shown(ServerCertificates([path])), serial(issued))

    def test_paths(self) -> None:
        """
        A path can be an object.
        """
        self.files.write("a.pem", pemOf(issue("a.example")))
        path = self.files.folder / "a.pem"
        server = ServerCertificates(iter([path]))
        self.assertEqual(self.shown(server), serial(issue("a.example")))

    def test_unusable(self) -> None:
        """
        A file that does not hold what it should is refused by its name.
        """
        issued, other = issue("a.example"), issue("b.example")
        pem, key = pemOf(issued), issued.private_key_pem.bytes()
        bare = issued.cert_chain_pems[0].bytes()
        loaded = load_pem_private_key(key, None)
        encrypted = [
            loaded.private_bytes(Encoding.PEM, kind, BestAvailableEncryption(b"pw"))
            for kind in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
        ]
        der = loaded.private_bytes(
            Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw")
        )
        broken = bare.replace(b"\nMII", b"\n!!!", 1)
        self.assertNotEqual(broken, bare)
        cut = bare[:200] + b"\n-----END CERTIFICATE-----\n"
        otherKey = other.private_key_pem.bytes()
        for says, content in (
            ("no certificate", b""),
            ("no certificate", b"hello"),
            ("no certificate", der),
            ("no certificate", key),
            ("no certificate", pem.replace(b"-----END CERTIFICATE", b"-----")),
            ("no private key", bare),
            ("not that of the first certificate", bare + otherKey),
            ("not that of the first", other.cert_chain_pems[0].bytes() + pem),
            ("several private keys", pem + key),
            ("several private keys", pem + otherKey),
            ("is encrypted", bare + encrypted[0]),
            ("is encrypted", bare + encrypted[1]),
            ("certificate that cannot be read", key + broken),
            ("certificate that cannot be read", key + cut),
            ("private key that cannot be read", bare + key.replace(b"\nM", b"\nA", 1)),
        ):
            path = self.files.write("the file.pem", content)
            error = self.assertRaises(ValueError, ServerCertificates, [path])
            self.assertTrue(str(error).startswith(f"{path}: "), error)
            self.assertIn(says, str(error))

    def test_unusableKeyFiles(self) -> None:
        """
        So is a file of a key, and one that is for no certificate.
        """
        issued = issue("a.example")
        own = self.files.write("a.pem", pemOf(issued))
        key = issued.private_key_pem.bytes()
        bare = self.files.write("a.crt", issued.cert_chain_pems[0].bytes())
        otherKey = issue("b.example").private_key_pem.bytes()
        pem = issued.cert_chain_pems[0].bytes() + otherKey
        mixed = self.files.write("mixed.pem", pem)
        for says, at, certificate, content in (
            ("not one private key", "key.pem", own, b""),
            ("not one private key", "key.pem", bare, b"hello"),
            ("not one private key", "key.pem", bare, key + otherKey),
            ("for no certificate", "key.pem", own, otherKey),
            ("no private key for", "a.crt", bare, otherKey),
            ("not that of the first", "mixed.pem", mixed, key),
        ):
            path = self.files.write("key.pem", content)
            error = self.assertRaises(
                ValueError, ServerCertificates, [certificate], [path]
            )
            self.assertTrue(str(error).startswith(str(self.files.folder / at)), error)
            self.assertIn(says, str(error))

    def test_unusableAuthorities(self) -> None:
        """
        So is a file of authorities without a certificate.
        """
        for says, content in (
            ("no certificate", b""),
            ("no certificate", issue("a.example").private_key_pem.bytes()),
            (
                "cannot be read",
                b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----",
            ),
        ):
            path = self.files.write("authority.pem", content)
            error = self.assertRaises(
                ValueError, self.serve, issue("a.example"), clientAuthority=path
            )
            self.assertTrue(str(error).startswith(f"{path}: "), error)
            self.assertIn(says, str(error))

    def test_noFile(self) -> None:
        """
        A file that cannot be read is an C{OSError} with its name.
        """
        own = self.files.write("a.pem", pemOf(issue("a.example")))
        missing = str(self.files.folder / "missing.pem")
        for arguments in (
            ([missing],),
            ([own, missing],),
            ([own], [missing]),
            ([own], (), missing),
        ):
            error = self.assertRaises(OSError, ServerCertificates, *arguments)
            self.assertEqual(error.filename, missing)
        folder = str(self.files.folder)
        self.assertRaises(IsADirectoryError, ServerCertificates, [folder])

    def test_neverShown(self) -> None:
        """
        A certificate that no client would ever get is refused.
        """
        first = issue("a.example", "*.b.example")
        for other in (
            issue("a.example", key_type=trustme.KeyType.RSA),
            issue("*.b.example"),
            issue("client@example"),
            issue("192.0.2.1"),
        ):
            error = self.assertRaises(ValueError, self.serve, first, other)
            self.assertIn("1.pem: ", str(error))
        self.serve(first, issue("x.b.example"))

    def test_wrongName(self) -> None:
        """
        A certificate with a name that breaks the rules is refused by its file's name.
        """
        key = load_pem_private_key(issue("a.example").private_key_pem.bytes(), None)
        name = x509.Name([])
        now = datetime.now(timezone.utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName("*.*.example")]), False
            )
            .sign(key, hashes.SHA256())
        )
        path = self.files.write(
            "a.pem",
            made.public_bytes(Encoding.PEM)
            + issue("a.example").private_key_pem.bytes(),
        )
        error = self.assertRaises(ValueError, ServerCertificates, [path])
        self.assertTrue(str(error).startswith(f"{path}: "), error)
        self.assertIn("*.*.example", str(error))

    def test_misuse(self) -> None:
        """
        One path is no collection of paths; and there has to be a certificate.
        """
        path = self.files.write("a.pem", pemOf(issue("a.example")))
        self.assertRaises(TypeError, ServerCertificates, path)
        self.assertRaises(TypeError, ServerCertificates, [path], path)
        self.assertRaises(ValueError, ServerCertificates, [])

    def test_weakKey(self) -> None:
        """
        A key that OpenSSL finds too weak is refused by the name of its file.
        """
        path = self.files.write("weak.pem", WEAK)
        error = self.assertRaises(ValueError, ServerCertificates, [path])
        self.assertTrue(str(error).startswith(f"{path}: "), error)
