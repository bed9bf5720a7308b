"""A voiding statement hides its target in both orders of arrival, where its provider may (xAPI 1.0.3 Data 2.3.2)."""
import pytest

from lrs.errors import Forbidden
from lrs.statements.record import Query


def effect(store, void):
    return store.get(void.id).void_effective


@pytest.mark.parametrize("order", ["target first", "void first", "one batch", "one batch, void first"])
def test_the_target_is_hidden_and_found_as_voided(statements_store, make, equal, order):
    one = make(terms=(5,))
    void = make(terms=(6,), target=one.id, void=True)
    batches = {"target first": [[one], [void]], "void first": [[void], [one]], "one batch": [[one, void]],
               "one batch, void first": [[void, one]]}[order]
    for batch in batches:
        statements_store.add(batch, equal)
    assert statements_store.get(one.id) is None
    assert statements_store.get(one.id, voided=True).voided
    assert [r.id for r in statements_store.page(Query()).records] == [void.id]
    # the voiding statement refers to it, and so still matches its filters
    assert [r.id for r in statements_store.page(Query((5,))).records] == [void.id]
    assert effect(statements_store, void)
    assert statements_store.get(void.id, voided=True) is None


def test_another_provider_may_not_void(statements_store, make, equal):
    one, bystander = make(provider="acme"), make(provider="other")
    statements_store.add([one], equal)
    with pytest.raises(Forbidden):
        statements_store.add([bystander, make(target=one.id, void=True, provider="other")], equal)
    assert statements_store.get(one.id)
    assert statements_store.get(bystander.id) is None


def test_a_scope_to_void_any_is_enough_in_both_orders(statements_store, make, equal):
    for first in (0, 1):
        one = make(provider="acme")
        void = make(target=one.id, void=True, provider="other", may_void_any=True)
        for new in (one, void) if first else (void, one):
            statements_store.add([new], equal)
        assert statements_store.get(one.id, voided=True)
        assert effect(statements_store, void)


def test_a_void_of_another_provider_that_came_first_has_no_effect(statements_store, make, equal):
    one = make(provider="acme")
    void = make(target=one.id, void=True, provider="other")
    statements_store.add([void], equal)
    assert effect(statements_store, void)
    statements_store.add([one], equal)
    assert statements_store.get(one.id)
    assert not effect(statements_store, void)


@pytest.mark.parametrize("late", [False, True], ids=["in order", "the voided void last"])
def test_a_voiding_statement_cannot_be_voided(statements_store, make, equal, late):
    one = make()
    void = make(target=one.id, void=True)
    second = make(target=void.id, void=True)
    for new in (one, second, void) if late else (one, void, second):
        statements_store.add([new], equal)
    assert statements_store.get(one.id, voided=True)
    assert statements_store.get(void.id)
    assert effect(statements_store, void)
    assert not effect(statements_store, second)


def test_a_void_repeated_and_a_second_void_change_nothing_more(statements_store, make, equal):
    one = make()
    void, second = make(target=one.id, void=True), make(target=one.id, void=True)
    statements_store.add([one, void], equal)
    assert statements_store.add([void], equal)[0].repeated
    statements_store.add([second], equal)
    assert [r.id for r in statements_store.page(Query(ascending=True)).records] == [void.id, second.id]


def test_a_statement_that_voids_itself_stays(statements_store, make, equal):
    name = make().id
    statements_store.add([make(name, target=name, void=True)], equal)
    assert not statements_store.get(name).void_effective
