"""Who organizes a challenge, as it is sent and answered."""

from enum import StrEnum


class Role(StrEnum):
    """What a person may do in one challenge, beside admins, who may do everything in every one."""

    ORGANIZER = "organizer"  # sees all of it, and decides
    OBSERVER = "observer"  # sees all of it, and changes nothing
