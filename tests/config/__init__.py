"""What a configuration may say, what it then means, and what is said about one that is wrong."""

from collections.abc import Callable

import pytest

from queuekit.config import Configuration
from queuekit.errors import ConfigurationError

Load = Callable[..., Configuration]


def problems_of(call: Callable[..., object], *args: object, **options: object) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        call(*args, **options)
    return list(caught.value.problems)
