"""The commands, one module per topic. A command imports the modules that it needs only when it is called."""
