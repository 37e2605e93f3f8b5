"""Says in every file that a model made it, and signs that: notes, certificates, C2PA manifests."""
