"""What is abnormal: residuals, likelihood scans over pipes and growth, the ledger of known leaks."""
