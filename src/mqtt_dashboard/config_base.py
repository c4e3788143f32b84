"""What all groups of settings share."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """A group of settings, read from the environment by alias."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", populate_by_name=True, validate_default=True
    )


def split_list(value: object) -> object:
    """Return the parts of a text with commas between; anything else unchanged."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value
