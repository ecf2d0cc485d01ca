"""Options of a card: what is not in the files, such as a licence."""

from __future__ import annotations

from pydantic import Field

from runkit.config import Config


class Card(Config):
    """Croissant and RO-Crate descriptions of files, written beside them."""

    file: list[str] = Field(min_length=1, description="files of the generators, all in one folder")
    license: str = Field(
        pattern=r"^[A-Za-z0-9.+-]+$",
        examples=["CC-BY-4.0", "CC0-1.0"],
        description="the data's licence, as SPDX names it",
    )
    name: str = Field("", description="name of the data set; none: that of its first file")
    description: str = Field("", description="what it is, in a sentence or two; none: from the files")
    creator: list[str] = Field([], description="names of those who made it")
    citation: list[str] = Field([], description="what to cite beside the code: DOIs or references")
    url: str = Field("", description="where it can be had; none: not yet known")

    @property
    def license_url(self) -> str:
        """Where the licence is explained."""
        return f"https://spdx.org/licenses/{self.license}"
