"""Chains and names of transforms, and what is refused."""

from __future__ import annotations

import dataclasses
import math

import pytest
from transform_cases import EVERY, holes, lognormal, same_bits, windows

from tsforecast import transforms
from tsforecast.errors import ConfigError, DataError
from tsforecast.transforms import (
    TRANSFORMS,
    Chain,
    Log,
    LogReturn,
    MeanScale,
    Robust,
    SeasonalDifference,
    Standard,
    Transform,
    parse_transform,
)


def test_a_chain_is_its_steps_one_after_the_other_and_back_in_reverse() -> None:
    context, future = holes(lognormal(3, 40), 0.1), lognormal(3, 5, seed=4)
    log = Log().fit(context)
    seasonal = SeasonalDifference(7).fit(log.apply(context))
    standard = Standard().fit(seasonal.apply(log.apply(context)))
    chain = Chain(Log(), SeasonalDifference(7), Standard()).fit(context)
    scaled = standard.apply_future(seasonal.apply_future(log.apply_future(future)))
    assert same_bits(chain.apply(context), standard.apply(seasonal.apply(log.apply(context))))
    assert same_bits(chain.apply_future(future), scaled)
    assert same_bits(chain.invert(scaled), log.invert(seasonal.invert(standard.invert(scaled))))
    assert not same_bits(chain.invert(scaled), standard.invert(seasonal.invert(log.invert(scaled)))), "order matters"


def test_a_chain_of_nothing_is_the_identity() -> None:
    x = lognormal(2, 10)
    assert Chain().name == "identity"
    assert same_bits(Chain().fit(x).apply(x), x)


@pytest.mark.parametrize("recipe", [Log(), LogReturn(), Chain(MeanScale(), Log())], ids=repr)
def test_a_logarithm_of_zero_or_less_is_refused_with_count_and_smallest_value(recipe: Transform) -> None:
    context = windows([1.0, 0.0, -2.5, math.nan])
    with pytest.raises(DataError, match=r"values above 0: 2 of 3 values are not, the smallest is -\d.*standard"):
        recipe.fit(context)
    with pytest.raises(DataError, match=r"1 of 2 values are not, the smallest is 0;"):
        recipe.fit(windows([1.0, 2.0])).apply_future(windows([1.0, 0.0]))


def test_a_logarithm_of_what_has_both_signs_is_refused_before_any_data_are_seen() -> None:
    with pytest.raises(ConfigError, match=r"'standard\+log': 'log' needs values above 0.*put 'log' first"):
        Chain(Standard(), Log())
    with pytest.raises(ConfigError, match=r"'difference\+mean_scale\+log_return'.*but 'difference' gives"):
        parse_transform("difference+mean_scale+log_return", 1)


def test_every_name_is_the_name_of_its_recipe_and_reads_back() -> None:
    for name, kind in TRANSFORMS.items():
        recipe = parse_transform(name, season_length=24)
        assert type(recipe) is kind and recipe.name == name
    for recipe in EVERY:
        assert parse_transform(recipe.name, 7) == recipe
        assert hash(parse_transform(recipe.name, 7)) == hash(recipe)
        assert eval(repr(recipe), dict(vars(transforms))) == recipe  # noqa: S307 - a repr is the call that makes it


def test_recipes_are_values_that_cannot_be_changed() -> None:
    assert Standard() == Standard() != Robust()
    assert SeasonalDifference(7) != SeasonalDifference(24) == parse_transform("seasonal_difference", 24)
    assert parse_transform(" Log + standard ", 1) == Chain(Log(), Standard())
    with pytest.raises(dataclasses.FrozenInstanceError):
        SeasonalDifference(7).season_length = 8  # type: ignore[misc]


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"transform 'log\+standart': there is no transform 'standart'; did you mean"):
        parse_transform("log+standart", 1)
    with pytest.raises(ConfigError, match="there is no transform ''; known: identity, standard"):
        parse_transform("", 1)
    with pytest.raises(ConfigError, match=r"seasonal_difference\.season_length=0: must be at least 1"):
        parse_transform("seasonal_difference", 0)
