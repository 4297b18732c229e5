"""`gen404 settings` and the README: every setting is shown once, with default and meaning, and no
secret's value is."""

import re
from pathlib import Path

import pytest

from gen404_assets.assets.adapters import adapter_resources
from gen404_assets.commands.local_network import _without_secrets
from gen404_assets.commands.settings import (
    all_settings,
    secret_names,
    settings_table,
    settings_text,
)
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.settings import Rules
from gen404_assets.live.subjects import SUBJECTS
from resources.chain.opening import ChainSettings
from resources.object_store import StoreSettings
from resources.settings import BadSetting, Settings, read_settings

ROOT = Path(__file__).parents[2]
STORE = {
    "R2_ENDPOINT": "https://s3.example.org/",
    "R2_ACCESS_KEY_ID": "key-id",
    "R2_SECRET_ACCESS_KEY": "hunter2",
    "CDN_URL": "https://cdn.example.org",
}


def test_the_readme_holds_the_table_of_all_settings() -> None:
    assert settings_table() in (ROOT / "README.md").read_text()


def test_every_setting_says_what_it_means() -> None:
    settings = list(all_settings({}))
    assert len(settings) > 60
    assert len({setting.name for setting in settings}) == len(settings)
    assert [setting.name for setting in settings if len(setting.meaning) < 10] == []


def test_every_variable_that_the_code_reads_is_a_setting() -> None:
    known = {setting.name for setting in all_settings({})}
    pattern = re.compile(
        r"""(?:environ(?:ment)?(?:\.get\(|\[)|\bsetting\([\w.]+,)\s*["']([A-Z][A-Z0-9_]+)["']"""
    )
    foreign = re.compile("GIT_|PYTHON|XDG_|PATH$|HOME$|DAGSTER_|NOTIFY_SOCKET$")
    read_names = {
        name
        for package in ("gen404_assets", "resources", "sensors")
        for path in (ROOT / package).rglob("*.py")
        for name in pattern.findall(path.read_text())
        if not foreign.match(name)
    }
    assert read_names <= known


def test_g23_no_secret_is_shown() -> None:
    text = settings_text(STORE)
    assert "hunter2" not in text
    assert "R2_SECRET_ACCESS_KEY = (set)" in text
    assert "R2_ENDPOINT = https://s3.example.org/" in text


LEAK = "https://user:hunter2@x.example/pages?key=hunter2#hunter2"


def test_g23_no_url_is_shown_that_may_hold_a_key() -> None:
    names = [setting.name for setting in all_settings({})]
    told = settings_text(dict.fromkeys(names, LEAK))
    assert "hunter2" not in told
    assert told.count(" = (set)") == len(names)
    for name in names:
        for text in (f"wss://a.example, {LEAK}", "user:hunter2@x.example"):
            assert "hunter2" not in settings_text({name: text})
    assert "hunter2" not in str(adapter_resources(dict.fromkeys(names, LEAK)))


@pytest.mark.parametrize("name", ["COMPETITION_REPO", "SUBTENSOR_NETWORK", "REPORT_URL"])
def test_g23_an_address_that_may_hold_a_key_in_its_path_is_not_shown(name: str) -> None:
    environment = {name: "https://x.example/a-key"}
    assert f"{name} = (set)" in settings_text(environment)
    assert "a-key" not in str(adapter_resources(environment))


def test_every_model_of_settings_is_listed() -> None:
    listed = {subject.model for subject in SUBJECTS}
    assert set(Settings.__subclasses__()) >= listed - {Rules, PodRules}
    ours = ("gen404_assets.", "resources.")
    assert [model for model in Settings.__subclasses__() if model.__module__.startswith(ours)] == [
        model for model in Settings.__subclasses__() if model in listed
    ]


def test_g23_the_local_networks_miners_are_told_no_secret() -> None:
    known = dict.fromkeys(secret_names(), "canary") | {"GEN404_HOME": "/h", "NETUID": "17"}
    assert _without_secrets(known) == {"GEN404_HOME": "/h", "NETUID": "17"}
    assert {"GITHUB_TOKEN", "R2_SECRET_ACCESS_KEY", "DATABASE_URL"} <= secret_names()


def test_g23_a_secret_that_cannot_be_used_is_not_repeated() -> None:
    with pytest.raises(BadSetting) as caught:
        read_settings(StoreSettings, STORE | {"R2_SECRET_ACCESS_KEY": "hunter 2"})
    assert "R2_SECRET_ACCESS_KEY must be plain characters" in str(caught.value)
    assert "hunter" not in str(caught.value)
    assert "hunter2" not in repr(read_settings(StoreSettings, STORE))


@pytest.mark.parametrize(
    ("model", "change", "expected"),
    [
        (StoreSettings, {"R2_ENDPOINT": ""}, "R2_ENDPOINT must be set: URL of the S3 API"),
        (StoreSettings, {"CDN_URL": "ftp://x"}, "CDN_URL must be an http(s) URL"),
        (StoreSettings, {"CDN_URL": "https://user:pass@x"}, "without credentials"),
        (StoreSettings, {"R2_BUCKET": "A"}, "R2_BUCKET must be 3 to 63 small letters"),
        (ChainSettings, {"NETUID": "70000"}, "NETUID must be from 0 to 65535, not '70000'"),
        (ChainSettings, {"NETUID": "1.5"}, "NETUID must be a whole number, not '1.5'"),
    ],
)
def test_a_bad_setting_is_named_with_what_is_expected(
    model: type[Settings], change: dict[str, str], expected: str
) -> None:
    with pytest.raises(BadSetting) as caught:
        read_settings(model, STORE | change)
    assert expected in str(caught.value)


@pytest.mark.parametrize("blank", ["", " ", "\t"])
def test_an_empty_variable_takes_the_default(blank: str) -> None:
    assert read_settings(ChainSettings, {"NETUID": blank, "SUBTENSOR_NETWORK": blank}).netuid == 17
