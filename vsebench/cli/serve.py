"""``vsebench serve``."""

from __future__ import annotations

import ipaddress
import os
import socket
from contextlib import closing, suppress
from typing import Annotated, Any

import typer

from vsebench.cli.options import Device, Gallery, Plugins, Trust
from vsebench.core.errors import ConfigError
from vsebench.core.sizes import in_bytes
from vsebench.core.terminal import say

#: A text of the greatest length that is answered with a message of ours may stand in an address.
HEADER_BYTES = 256 * 1024


def serve(
    gallery: Gallery,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    host: Annotated[str, typer.Option(help="Address; this machine alone by default.")] = "127.0.0.1",
    workers: Annotated[int | None, typer.Option(min=1, help="Searches at a time; one per core by default.")] = None,
    queue: Annotated[int, typer.Option(min=0, help="Searches that may wait; beyond them the answer is 503.")] = 64,
    max_upload: Annotated[str, typer.Option(help="Maximum upload size.")] = "16MB",
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
) -> None:
    """Serve a gallery as a web page, with JSON beneath it.

    Example: vsebench serve galleries/vse --port 8080
    """
    try:
        import python_multipart  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise ConfigError(
            f"'vsebench serve' needs {error.name}: pip install 'vsebench[serve]'. 'vsebench search' works without it."
        ) from None
    import torch

    from vsebench.core.plugins import load_plugins
    from vsebench.retrieval.searcher import Searcher
    from vsebench.retrieval.server.app import make_app
    from vsebench.retrieval.server.limits import Limits
    from vsebench.retrieval.server.protocol import bounded
    from vsebench.sweeps.worker import choose_device

    with closing(_listen(host, port)) as listening:
        count = workers or _cores()
        torch.set_num_threads(max(1, _cores() // count))  # the workers share the cores
        load_plugins(plugin or ())
        searcher = Searcher.load(gallery, device=choose_device(device, 0), trust=trust)
        limits = Limits(workers=count, queue=queue, max_upload=in_bytes(max_upload))
        local = _is_local(host)
        app = make_app(searcher, limits, hosts={"localhost", "127.0.0.1", "::1", host} if local else None)
        _allow_many_connections()
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            http=bounded(limits),
            ws="none",
            h11_max_incomplete_event_size=HEADER_BYTES,
        )
        bound = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        say(f"{len(searcher):,} {searcher.gallery.manifest.modality}s on http://{shown}:{bound}/ (Ctrl+C ends)")
        if not local:
            print("note: everybody who can reach this machine can search, and see the pictures.", flush=True)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """Bind before anything is loaded: a taken port is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"cannot listen on {host}, port {port} ({error.strerror or error}). Give another --port; 0 is any free one."
        ) from None
    return listening


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _allow_many_connections() -> None:
    """Raise the limit of open files: a thousand clients need as many, and many systems allow 1,024 by default."""
    resource: Any
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
