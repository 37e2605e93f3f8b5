"""Who may do what: tenants own campaigns, keys act for a tenant in a role."""

from dataclasses import dataclass
from enum import StrEnum

# Whose campaigns are that were submitted from the command line, or before there were tenants.
DEFAULT_TENANT = "default"
# A name of a tenant is written as that of a campaign.
NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"


class Role(StrEnum):
    """What a key may do; each role may do all that those before it may."""

    VIEWER = "viewer"
    RATER = "rater"
    PRODUCER = "producer"
    ADMIN = "admin"

    def may(self, least: "Role") -> bool:
        """Tell whether this role is enough where that one is the least."""
        order = list(Role)
        return order.index(self) >= order.index(least)


@dataclass(frozen=True)
class Limits:
    """How much a tenant may ask for; None is no limit."""

    jobs_a_day: int | None = None
    open_jobs: int | None = None
