"""Settings: what is wrong refused in words, and a resolved config that says the same again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tsforecast.config import (
    DEFAULT_MODELS,
    RunConfig,
    build_models,
    model_settings,
    resolved,
    run_config,
    selected,
    set_value,
)
from tsforecast.errors import ConfigError
from tsforecast.folds import Plan
from tsforecast.models import MODELS
from tsforecast.models.naive import Naive, SeasonalNaive
from tsforecast.yaml_files import dump_yaml, load_yaml

# ---- keys and values


@pytest.mark.parametrize(
    ("given_settings", "words"),
    [
        ({"horzon": 24}, "unknown key 'horzon'; did you mean 'horizon'?"),
        ({"model": "naive"}, "unknown key 'model'; did you mean 'models'?"),
        ({1: 2}, "unknown key '1'"),
        ({"horizon": "soon"}, "horizon='soon': input should be a valid integer"),
        ({"horizon": 2.5}, "horizon=2.5: input should be a valid integer"),
        ({"horizon": True}, "horizon=True: expected a finite number"),
        ({"missing": "interpolate"}, "missing='interpolate': input should be 'error', 'nan', 'ffill' or 'drop'"),
        ({"quantiles": ["nan", 0.5]}, "quantiles.0='nan': input should be a finite number"),
        ({"calendar": "hour"}, "calendar='hour': input should be a valid list"),
        ({"horizon": "a", "gap": "b"}, "(and gap)"),
        ({"data": None}, "data=None"),
        ({"margin": 0}, "margin=0: input should be greater than 0"),
        ({"margin": "nan"}, "margin='nan'"),
        ({"placebo": -1}, "placebo=-1: input should be greater than or equal to 0"),
        ({"placebo": True}, "placebo=True: expected a finite number"),
        ({"require": "lstm better than naive"}, "input should be a valid list"),
        ({"audit": "maybe"}, "audit='maybe'"),
        ({"benchmrk": "naive"}, "did you mean 'benchmark'?"),
        ({"models": 5}, "models: 5 is no list of models"),
        ({"models": [{"lstm": {}}]}, "without a dash"),
        ({"models": {"lstm": 5}}, "models.lstm=5: expected settings"),
        ({"models": "lstmm"}, "unknown model 'lstmm'; did you mean 'lstm'?"),
        ({"models": "arimax"}, "unknown model 'arimax'; did you mean 'arima'?"),
        ({"models": "prophet"}, "unknown model 'prophet'; known: naive,"),
        ({"models": ["naive", "Naive"]}, "'naive' is named twice"),
        ({"models": "naive,naive"}, "'naive' is named twice"),
        ({"models": {"naive": None, "NAIVE": None}}, "'naive' is named twice"),
    ],
)
def test_a_wrong_key_or_value_is_refused_with_the_nearest_valid_one(given_settings: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run_config({"data": "oil", **given_settings}, "c.yaml")
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "own", "words"),
    [
        ("lstm", {"hiden_size": 8}, "unknown setting 'lstm.hiden_size'; did you mean 'hidden_size'?"),
        ("lstm", {"training": {"max_step": 8}}, "unknown setting 'lstm.training.max_step'; did you mean 'max_steps'?"),
        ("lstm", {"training": 5}, "lstm.training=5: expected keys such as max_steps: 1000"),
        ("lstm", {"hidden_size": "wide"}, "lstm: hidden_size='wide': input should be a valid integer"),
        ("lstm", {"hidden_size": True}, "lstm: hidden_size=True: expected a finite number"),
        ("lstm", {"hidden_size": 0}, "lstm.hidden_size=0: must be between 1 and"),
        ("lstm", {"residual": "lst"}, "lstm: residual='lst': input should be 'auto'"),
        ("lstm", {"training": {"learning_rate": "inf"}}, "training.learning_rate=inf: expected a finite number"),
        ("lstm", {"training": {"device": "gpu9"}}, None),  # only the machine can tell, when it is asked for
        ("mine", {"model": "lstmm"}, "unknown model 'lstmm'; did you mean 'lstm'?"),
        ("seasonal_naive", {"season_length": 0}, "seasonal_naive.season_length=0: must be at least 1"),
        ("naive", {"quantiles": [0.1, 0.9]}, "0.5 must be among them"),
    ],
)
def test_a_models_settings_are_the_fields_of_its_recipe(name: str, own: dict[str, Any], words: str | None) -> None:
    if words is None:
        assert build_models({name: own})[name].training.device == own["training"]["device"]  # type: ignore[attr-defined]
        return
    with pytest.raises(ConfigError) as caught:
        build_models({name: own})
    assert words in str(caught.value)


def test_models_are_named_in_any_of_four_ways() -> None:
    wanted = {"lstm": {}, "seasonal_naive": {}}
    assert model_settings("lstm, SeasonalNaive") == wanted
    assert model_settings(["LSTM", "seasonal-naive"]) == wanted
    assert model_settings({"lstm": None, "seasonal_naive": {}}) == wanted
    assert model_settings({"a": "naive", "b": {"model": "naive"}}) == {"a": {"model": "naive"}, "b": {"model": "naive"}}
    assert tuple(model_settings(None)) == DEFAULT_MODELS and set(DEFAULT_MODELS) <= set(MODELS)


def test_every_model_can_be_built_by_its_name_alone() -> None:
    recipes = build_models({name: {} for name in MODELS if name != "arima"}, seed=3)
    assert {name: recipe.name for name, recipe in recipes.items()} == {name: name for name in recipes}
    assert recipes["lstm"].seed == 3  # type: ignore[attr-defined]


# ---- defaults < config < flags < --set


def test_models_named_beside_a_file_keep_its_settings_for_them() -> None:
    written = {"ridge": {"input_size": 7}, "big": {"model": "lstm", "hidden_size": 256}, "naive": None}
    assert selected("ridge, gru, big", written) == {
        "ridge": {"input_size": 7},
        "gru": {},
        "big": {"model": "lstm", "hidden_size": 256},
    }
    assert selected("Seasonal-Naive", ["lstm"]) == {"seasonal_naive": {}}
    with pytest.raises(ConfigError, match="models: 'ridge' is named twice"):
        selected("ridge,ridge", written)
    with pytest.raises(ConfigError, match="unknown model 'bigg'"):
        selected("bigg", written)


def test_set_changes_one_setting_and_leaves_its_neighbours() -> None:
    start = {"models": {"lstm": {"hidden_size": 8, "training": {"max_steps": 10}}, "naive": None}}
    after = set_value(start, "lstm.training.batch_size", 32)
    assert after["models"]["lstm"] == {"hidden_size": 8, "training": {"max_steps": 10, "batch_size": 32}}
    assert after["models"]["naive"] == {} and start["models"]["lstm"]["training"] == {"max_steps": 10}
    assert set_value({}, "LSTM.hidden_size", 4)["models"]["lstm"] == {"hidden_size": 4}
    assert list(set_value({}, "lstm.hidden_size", 4)["models"]) == list(DEFAULT_MODELS)
    assert set_value({"models": {"big": {"model": "lstm"}}}, "big.dropout", 0)["models"]["big"]["dropout"] == 0


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("horzon", "unknown key 'horzon'; did you mean 'horizon'?"),
        ("lstm", "for a setting of that model write lstm.NAME=VALUE"),
        ("", "unknown key ''"),
        (".", "unknown key '.'"),
        (".x", "unknown model ''"),
        ("gru.hidden_size", "the run has no model 'gru'"),
        ("training.max_steps", "unknown model 'training'"),
        ("lstm.hidden_size.x", "'hidden_size' has no settings of its own; its value is 8"),
    ],
)
def test_a_wrong_key_after_set_is_refused(key: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        set_value({"models": {"lstm": {"hidden_size": 8}}}, key, 1)
    assert words in str(caught.value)


def test_numbers_are_taken_for_names_where_a_name_is_meant() -> None:
    config = run_config({"data": "oil", "target": 2020, "na_values": [-999], "freq": 1, "refit": 3, "seed": "7"})
    assert (config.target, config.na_values, config.freq, config.refit, config.seed) == ("2020", ["-999"], 1, 3, 7)
    assert run_config({"data": "oil", "refit": True}).refit is True


def read(path: Path, content: str) -> dict[str, Any]:
    path.write_text(content, encoding="utf-8")
    return load_yaml(path)


def test_the_resolved_config_gives_the_same_recipes_and_plan_and_still_yields_to_a_flag(tmp_path: Path) -> None:
    given_settings = {
        "data": ["oil"],
        "models": {"lstm": {"training": {"max_steps": 5}}, "big": {"model": "lstm", "seed": 9}, "seasonal_naive": None},
        "seed": 4,
        "quantiles": [0.1, 0.5, 0.9],
        "audit": True,
        "placebo": 3,
        "margin": 1.5,
        "benchmark": "big",
        "require": ["lstm not worse than seasonal_naive"],
    }
    config = run_config(given_settings)
    plan = Plan(horizon=5, n_windows=3, step_size=5)
    written = read(tmp_path / "c.yaml", dump_yaml(resolved(config, config.recipes, plan)))
    again = run_config(written)
    assert again.recipes == config.recipes and again.plan == plan
    trust = ("audit", "placebo", "margin", "benchmark", "require")
    assert {key: getattr(again, key) for key in trust} == {key: given_settings[key] for key in trust}
    assert read(tmp_path / "c.yaml", dump_yaml(resolved(again, again.recipes, plan))) == written
    flagged = run_config(written | {"seed": 5, "device": "cpu"}).recipes
    assert [flagged[name].seed for name in ("lstm", "big")] == [5, 9]  # type: ignore[attr-defined]
    assert flagged["lstm"].training.device == "cpu"  # type: ignore[attr-defined]


def test_the_resolved_config_finds_its_file_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d.csv").touch()
    monkeypatch.chdir(tmp_path)
    recipes = {"naive": Naive(), "s": SeasonalNaive(season_length=7)}
    found = resolved(run_config({"data": "d.csv"}), recipes, Plan())  # type: ignore[arg-type]
    assert found["data"] == str(tmp_path / "d.csv")
    assert found["models"] == {"naive": {}, "s": {"model": "seasonal_naive", "season_length": 7}}
    assert resolved(run_config({"data": "oil"}), recipes, Plan())["data"] == "oil"  # type: ignore[arg-type]


def test_every_example_config_is_valid() -> None:
    configs = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
    assert {path.stem for path in configs} >= {"m4_hourly", "prices", "sensors"}
    for path in configs:
        config = run_config(load_yaml(path), str(path))
        assert isinstance(config, RunConfig) and "lstm" in config.recipes
