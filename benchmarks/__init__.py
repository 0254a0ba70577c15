"""The benchmark campaign: what is measured, against whom, and how; docs/performance.md tells."""
