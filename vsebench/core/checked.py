"""A component's class or function, with its options validated whoever calls it: a file, Python, a subclass."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from vsebench.core.component import Component, parameters_of, signature_owner
from vsebench.core.shared_options import gathered, shared_in, splice, spliced_doc

T = TypeVar("T", bound=Callable[..., Any])


def checked(target: T, who: str, component_of: Callable[[], Component | None]) -> T:
    """Return a target whose keyword-only options are validated on each construction or call.

    Args:
        target: a class or function.
        who: kind and name, as in ``fusion 'gated'``.
        component_of: gives the component once it is registered.

    Raises: TypeError for a signature that is no schema.
    """
    owner = signature_owner(target)
    for parameter in parameters_of(target):
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            raise TypeError(f"{who} takes *args or **kwargs; its signature is its schema")

    @functools.wraps(owner)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        component = component_of()
        # A subclass that calls super().__init__ passes through here too: only this component's options are checked.
        if component is not None:
            options = {k: v for k, v in kwargs.items() if k in component.options}
            kwargs = {**kwargs, **component.validate(options)}
        return owner(*args, **gathered(kwargs, shared))

    shared = shared_in(owner)
    if shared:
        splice(wrapper, shared)
        documented = target if inspect.isclass(target) else wrapper
        documented.__doc__ = spliced_doc(target.__doc__ or "", shared)
    if inspect.isclass(target):
        target.__init__ = wrapper  # type: ignore[misc, method-assign]
        return target
    return typing.cast(T, wrapper)
