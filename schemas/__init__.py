"""The contract: campaigns, briefs, jobs, assets and channels, as every process sees them."""
