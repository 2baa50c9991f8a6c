# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Extensions by name.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.extensions import Giving, Marking
from twisted_ws import PerMessageDeflate
from twisted_ws.extensions.naming import extensionNamed

FACTORY = Giving(Marking("x-named"))
FAILING = property()


class Deflating(PerMessageDeflate):
    """
    A factory that needs no arguments.
    """


class NamingTests(SynchronousTestCase):
    """
    What a name stands for.
    """

    def test_deflate(self) -> None:
        """
        Compression has its registered name, and its presets behind a colon.
        """
        for text, factory in (
            ("permessage-deflate", PerMessageDeflate()),
            ("permessage-deflate:balanced", PerMessageDeflate.balanced()),
            ("permessage-deflate:lowMemory", PerMessageDeflate.lowMemory()),
            ("permessage-deflate:best", PerMessageDeflate.best()),
        ):
            self.assertEqual(extensionNamed(text), factory, text)

    def test_dotted(self) -> None:
        """
        Any other is the dotted name of a factory, or of a class of them.
        """
        self.assertIs(extensionNamed(f"{__name__}.FACTORY"), FACTORY)
        made = extensionNamed(f"{__name__}.Deflating")
        self.assertIsInstance(made, Deflating)

    def test_wrong(self) -> None:
        """
        What is none is told, with its name.
        """
        for text, said in (
            (
                "permessage-deflate:most",
                "permessage-deflate has the presets lowMemory, balanced, best,"
                " not 'most'",
            ),
            (f"{__name__}.Marking", f"'{__name__}.Marking' is no extension factory"),
            (f"{__name__}.Giving", f"cannot import {__name__}.Giving: TypeError: "),
            (f"{__name__}.absent", f"cannot import {__name__}.absent: "),
            ("nowhere", "cannot import nowhere: ModuleNotFound: "),
            ("deflate-frame", "cannot import deflate-frame: ModuleNotFound: "),
            ("", "cannot import : InvalidName: "),
            (5, "an extension is named by a string, not 5"),
            (None, "an extension is named by a string, not None"),
        ):
            error = self.assertRaises(ValueError, extensionNamed, text)
            self.assertTrue(str(error).startswith(said), (text, str(error)))
