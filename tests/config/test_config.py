"""Settings are read from the environment and lrs.toml; what is unknown or bad is refused with a sentence that helps."""
import pytest

from lrs.config import BadSetting, load


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
