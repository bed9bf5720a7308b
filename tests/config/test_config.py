"""Settings are read from the environment and lrs.toml; what is unknown or bad is refused with a sentence that helps."""
import os

import pytest

from lrs.config import BadSetting, file_of, load


def test_the_environment_wins_over_the_file(tmp_path):
    file = tmp_path / "lrs.toml"
    file.write_text('port = 9001\nhost = "127.0.0.2"\n')
    settings = load({"LRS_PORT": "9002"}, file)
    assert (settings.port, settings.host) == (9002, "127.0.0.2")
    assert load({}).port == 8080


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        load({}).port = 1


@pytest.mark.parametrize(("environ", "told"), [
    ({"LRS_PROT": "1"}, "did you mean LRS_PORT"),
    ({"LRS_PORT": "many"}, "LRS_PORT"), ({"LRS_PORT": "70000"}, "LRS_PORT"), ({"LRS_BODY_MAX": "-1"}, "LRS_BODY_MAX"),
    ({"LRS_BEHIND_PROXY": "perhaps"}, "LRS_BEHIND_PROXY"), ({"LRS_PUBLIC_URL": "lrs.example"}, "LRS_PUBLIC_URL"),
    ({"LRS_TRUSTED_PROXIES": "everyone"}, "LRS_TRUSTED_PROXIES"), ({"LRS_LOG_LEVEL": "loud"}, "LRS_LOG_LEVEL")])
def test_a_bad_setting_is_named(environ, told):
    with pytest.raises(BadSetting, match=told):
        load(environ)


@pytest.mark.parametrize("text", ["port = ", "colour = 1", "port = \"x\""])
def test_a_bad_file_is_named(tmp_path, text):
    file = tmp_path / "lrs.toml"
    file.write_text(text)
    with pytest.raises(BadSetting, match=r"lrs\.toml"):
        load({}, file)


@pytest.mark.parametrize(("environ", "must"), [
    ({"LRS_PUBLIC_URL": "http://[::1"}, "an address such as"), ({"LRS_PUBLIC_URL": "http://a b"}, "an address such as"),
    ({"LRS_PUBLIC_URL": "http://x:abc"}, "an address such as"), ({"LRS_OTEL_ENDPOINT": "http://x:99999"}, "an address such as"),
    ({"LRS_CORS_ORIGINS": "http://[::1"}, "origins such as"), ({"LRS_CORS_ORIGINS": "https://x:abc"}, "origins such as"),
    ({"LRS_HOST": ""}, "an address of this machine"), ({"LRS_HOST": "no such host"}, "an address of this machine"),
    ({"LRS_BODY_SECONDS": "9" * 23}, "a whole number from 1 to 1000000000 "),
    ({"LRS_BODY_MAX": "9" * 23}, "a whole number from 1 to 1000000000000"),
    ({"LRS_PORT": "0"}, "a port from 1 to 65535"), ({"LRS_REQUEST_THREADS": "1.5"}, "a whole number from 1 to")])
def test_a_bad_value_is_told_with_what_it_must_be(environ, must):
    (name, _), = environ.items()
    with pytest.raises(BadSetting, match=f"{name} is .*, but must be {must}"):
        load(environ)


def test_numbers_and_addresses_are_taken_as_people_write_them():
    settings = load({"LRS_BODY_MAX": " 20_000_000 ", "LRS_PUBLIC_URL": "https://lrs.example.org:8443/base/", "LRS_HOST": "::1",
                     "LRS_CORS_ORIGINS": "https://[::1]:8443, *"})
    assert (settings.limits.body_max, settings.public_url, settings.host) == (20_000_000, "https://lrs.example.org:8443/base", "::1")
    assert settings.cors_origins == ("https://[::1]:8443", "*")


@pytest.fixture
def closed(tmp_path, monkeypatch):
    """A folder that this user may not look into; root may look into all, so that it is the system call that is told so."""
    folder, stat = tmp_path / "closed", os.stat
    monkeypatch.setattr(os, "stat", lambda path, *given, **more: _refuse(path, folder) or stat(path, *given, **more))
    return folder


def _refuse(path, folder):
    if str(path).startswith(str(folder)):
        raise PermissionError(13, "Permission denied", str(path))


def test_a_folder_that_may_not_be_looked_into_has_no_file_of_settings(closed):
    assert load({}, closed / "lrs.toml").port == 8080
    with pytest.raises(BadSetting, match="or not for this user"):
        file_of({"LRS_CONFIG": str(closed / "lrs.toml")})


def test_variables_of_the_tests_are_no_settings_and_no_fault():
    assert load({"LRS_TEST_PARTS": "/parts", "LRS_TEST_MONGO_URL": "mongodb://h/"}) == load({})
    with pytest.raises(BadSetting, match="LRS_TESTS"):
        load({"LRS_TESTS": "1"})
