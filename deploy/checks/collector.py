"""What the doctor asks about traces: are they wanted, are their libraries here, does their collector listen."""

from core.settings import Settings
from core.traces import are_installed
from deploy.checks.servers import REACH_SECONDS, place_of
from deploy.findings import Finding, fail, ok, warn
from deploy.ports import answers

INSTALL = "`pip install 'content-factory[traces]'`, or leave FACTORY_TRACES_ENDPOINT empty"


def traces(settings: Settings) -> Finding:
    """Look whether what is wanted can be sent; nothing is imported or sent by that."""
    endpoint = settings.traces_endpoint
    if not endpoint:
        return ok("traces", "nobody asks for them: FACTORY_TRACES_ENDPOINT is empty")
    if not are_installed():
        return fail("traces", "their libraries are not installed: no worker and no API starts", INSTALL)
    host, port = place_of(endpoint)
    if not answers(host, port, REACH_SECONDS):
        mend = "start the collector, or mend FACTORY_TRACES_ENDPOINT; work goes on without it"
        return warn("traces", f"nobody listens at {host}:{port}: spans are dropped", mend)
    return ok("traces", f"sent to {endpoint}")
