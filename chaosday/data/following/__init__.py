"""Is the sink of a stream what its source was, while both are at work? Read up to a mark that travels with the rows.

>>> from chaosday.data.following import Follower, Following
>>> with Follower("postgresql://a/shop#orders", "postgresql://b/shop#orders", Following()) as follower:
...     follower.read().words()  # doctest: +SKIP
"""

from __future__ import annotations

from chaosday.data.following.follower import Follower, Following
from chaosday.data.following.reading import Reading

__all__ = ["Follower", "Following", "Reading"]
