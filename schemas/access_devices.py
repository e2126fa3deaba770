"""Records of access-devices: which links of screens were opened, and by which device. They hold hashes, and no secret."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.base import Time

__all__ = ["DeviceRecord", "EndedDevice", "RedeemedTicket"]

_Hash = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)
    ticket: _Hash = Field(description="SHA-256 of the ticket in the link, as in the access file")
    at: Time = Field(description="when, by the clock of the server")


class RedeemedTicket(_Model):
    """A device has opened a link. The first record of a ticket in the partition is valid; devices of later records are not admitted."""

    kind: Literal["redeemed"] = "redeemed"
    device: _Hash = Field(description="SHA-256 of the secret in the device's cookie")


class EndedDevice(_Model):
    """The device of a ticket is no longer admitted, whatever the access file permits."""

    kind: Literal["ended"] = "ended"


DeviceRecord = Annotated[RedeemedTicket | EndedDevice, Field(discriminator="kind")]
"""Any record of the topic."""
