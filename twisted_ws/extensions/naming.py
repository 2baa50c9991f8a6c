# -*- test-case-name: tests.test_extension_naming -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Extensions by name, for those who can only write words: command lines and files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.python import reflect

from ..interfaces import IExtensionFactory
from .deflate import PerMessageDeflate

_PRESETS: dict[str, Callable[[], IExtensionFactory]] = {
    "": PerMessageDeflate,
    "lowMemory": PerMessageDeflate.lowMemory,
    "balanced": PerMessageDeflate.balanced,
    "best": PerMessageDeflate.best,
}


def extensionNamed(text: str) -> IExtensionFactory:
    """
    @param text: C{permessage-deflate}, also with one of its presets behind a colon
        (C{permessage-deflate:lowMemory}); or the dotted name of an extension
        factory, or of a class of them that takes no arguments.
    @raise ValueError: when there is none of that name.
    """
    if not isinstance(text, str):
        raise ValueError(f"an extension is named by a string, not {text!r}")
    name, _, preset = text.partition(":")
    if name == PerMessageDeflate.name:
        make = _PRESETS.get(preset)
        if make is None:
            presets = ", ".join(each for each in _PRESETS if each)
            raise ValueError(f"{name} has the presets {presets}, not {preset!r}")
        return make()
    try:
        found: Any = reflect.namedAny(text)
        isClass = isinstance(found, type) and IExtensionFactory.implementedBy(found)
        made: Any = found() if isClass else found
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"cannot import {text}: {type(error).__name__}: {error}"
        ) from error
    if not IExtensionFactory.providedBy(made):
        raise ValueError(f"{text!r} is no extension factory")
    factory: IExtensionFactory = made
    return factory
