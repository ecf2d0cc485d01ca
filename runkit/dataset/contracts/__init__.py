"""File contracts: one per file, registered by the name of its schema (`runkit.dataset.contract`)."""
