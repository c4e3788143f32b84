"""Settings of where the page is served and who may frame it."""

import re
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from mqtt_dashboard.config_base import Settings, split_list

_PATH = re.compile(r"\A(/[A-Za-z0-9._~-]+)+\Z")
_ANCESTOR = re.compile(r"\A('self'|https?://(\*\.)?[A-Za-z0-9.-]+(:(\d{1,5}|\*))?)\Z")


class PageSettings(Settings):
    """The page behind a reverse proxy or inside another page."""

    base_path: str = Field(
        "",
        alias="DASHBOARD_BASE_PATH",
        description="Path the proxy hands on, for example /mqtt; empty when it strips the path.",
    )
    frame_ancestors: Annotated[list[str], NoDecode] = Field(
        [],
        alias="DASHBOARD_FRAME_ANCESTORS",
        description="Origins that may show the page in a frame; commas between. None by default.",
    )

    _split = field_validator("frame_ancestors", mode="before")(split_list)

    @field_validator("base_path")
    @classmethod
    def _check_path(cls, value: str) -> str:
        path = value.rstrip("/")
        if path and not _PATH.match(path):
            raise ValueError("must look like /mqtt or /tools/mqtt")
        return path

    @field_validator("frame_ancestors")
    @classmethod
    def _check_ancestors(cls, value: list[str]) -> list[str]:
        for one in value:
            if not _ANCESTOR.match(one):
                raise ValueError(f"{one!r} is no origin; write https://home.example or 'self'")
        return value
