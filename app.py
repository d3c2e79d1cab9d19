"""What Chalice and Lambda start from: `app`, the Chalice app, and the functions beside the API by their names.

All functions share this module, and each is a process of its own. So nothing is imported until it is asked for: Lambda
asks for one handler while the function starts, and Chalice for `app` alone. Importing needs no setting, no secret and no
network.
"""

from chalicelib.functions import handlers


def __getattr__(name: str) -> object:
    try:
        found = globals()[name] = handlers.handler_of(name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return found
