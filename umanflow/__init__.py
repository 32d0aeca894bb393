"""The application: configuration, twin, pipeline, reports, command line."""
