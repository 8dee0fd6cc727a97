"""What tests of sending begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.receivers.servers import Receiver, receiver


@pytest.fixture
def there() -> Iterator[Receiver]:
    """A receiver at work."""
    with receiver() as found:
        yield found
