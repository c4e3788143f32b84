"""The command line `mqtt-dashboard`; each subcommand lives in a module of its own."""
