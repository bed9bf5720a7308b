"""An id that follows from a name is the UUID of version 5 that anybody computes."""
from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from lrs import named_uuids


@given(st.uuids(), st.text(st.characters(exclude_categories=["Cs"])))
def test_it_is_what_the_standard_library_computes(namespace: uuid.UUID, name: str) -> None:
    assert named_uuids.digits(namespace.bytes, name) == uuid.uuid5(namespace, name).hex
    assert named_uuids.text(namespace.bytes, name) == str(uuid.uuid5(namespace, name))
