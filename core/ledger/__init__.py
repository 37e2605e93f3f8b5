"""The ledger: which campaigns and jobs there are, who holds them and what became of them. What it says is true."""

from core.database import Database
from core.errors import FactoryError
from core.ledger.assets import Assets
from core.ledger.audit import Audit
from core.ledger.bias import Bias
from core.ledger.calls import Calls
from core.ledger.campaigns import Campaigns
from core.ledger.canaries import Canaries
from core.ledger.copies import Copies
from core.ledger.feedback import Intake
from core.ledger.figures import Figures
from core.ledger.gallery import Gallery
from core.ledger.jobs import Jobs
from core.ledger.keys import Keys
from core.ledger.leases import Leases
from core.ledger.opinions import Opinions
from core.ledger.pairs import Pairs
from core.ledger.progress import Progress
from core.ledger.promotions import Promotions
from core.ledger.ratings import Ratings
from core.ledger.replacements import Replacements
from core.ledger.retention import Retention
from core.ledger.runs import Runs
from core.ledger.schedules import Schedules
from core.ledger.scores import Scores
from core.ledger.sessions import Sessions
from core.ledger.styles import Styles
from core.ledger.tenants import Tenants
from core.ledger.trainings import Trainings
from core.ledger.versions import Versions
from core.ledger.webhooks import Webhooks
from core.settings import Settings


class Ledger:
    """All of the ledger, over one database. Opening an empty one makes its tables; older ones are refused."""

    def __init__(self, settings: Settings) -> None:
        self.database = Database(settings.resolved_ledger_url)
        try:
            self.database.settle()
        except FactoryError:
            self.database.close()
            raise
        self.campaigns = Campaigns(self.database)
        self.jobs = Jobs(self.database)
        self.styles = Styles(self.database, settings.bandit_rules)
        self.leases = Leases(self.database, settings.lease_seconds, settings.max_attempts, self.styles)
        self.assets = Assets(self.database)
        self.gallery = Gallery(self.database)
        self.pairs = Pairs(self.database)
        self.progress = Progress(self.database)
        self.audit = Audit(self.database)
        self.intake = Intake(self.database)
        self.ratings = Ratings(self.database)
        self.opinions = Opinions(self.database)
        self.trainings = Trainings(self.database, settings.lease_seconds)
        self.scores = Scores(self.database)
        self.bias = Bias(self.database)
        self.replacements = Replacements(self.database)
        self.tenants = Tenants(self.database)
        self.keys = Keys(self.database)
        self.sessions = Sessions(self.database)
        self.calls = Calls(self.database)
        self.webhooks = Webhooks(self.database)
        self.schedules = Schedules(self.database)
        self.runs = Runs(self.database)
        self.versions = Versions(self.database)
        self.promotions = Promotions(self.database)
        self.canaries = Canaries(self.database)
        self.figures = Figures(self.database)
        self.copies = Copies(self.database)
        self.retention = Retention(self.database)

    def close(self) -> None:
        """Close every connection."""
        self.database.close()
