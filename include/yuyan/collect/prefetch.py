"""Prefetch: run an iterator in a thread, a bounded number and size of items before its consumer."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_END = object()
_FAILED = -1
"""Stands for the size where an exception takes an item's place."""
MOST = 8 << 20
"""Bytes that may wait for the consumer beside the item under way: a large item waits alone."""


def prefetched(items: Iterable[T], depth: int = 2, size: Callable[[T], int] = lambda _: 0) -> Iterator[T]:
    """The same items in the same order, up to `depth` of them made before they are asked for, and none while those that
    wait take MOST bytes by `size`.

    An exception of the iterator is raised where its item would have come. A consumer that stops early waits for the
    item under way, no longer.
    """
    source, ready, changed = iter(items), deque(), threading.Condition()
    is_left = False

    def has_room() -> bool:
        return len(ready) < depth and sum(held for _, held in ready) < MOST

    def work() -> None:
        is_over = False
        while not is_over:
            with changed:
                changed.wait_for(lambda: is_left or has_room())
                if is_left:
                    return
            try:
                item = next(source, _END)
                is_over, held = item is _END, 0 if item is _END else size(item)
            except BaseException as error:
                item, is_over, held = error, True, _FAILED
            with changed:
                ready.append((item, held))
                changed.notify_all()
            del item  # it is the consumer's

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: ready)
                item, held = ready.popleft()
                changed.notify_all()
            if held == _FAILED:
                raise item
            if item is _END:
                return
            yield item
            del item
    finally:
        with changed:
            is_left = True
            changed.notify_all()
        thread.join()
