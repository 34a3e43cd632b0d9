"""The commands, one module per topic; what a command needs is imported only when the command is called."""
