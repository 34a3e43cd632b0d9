"""The commands by topic; a module imports what a command needs only when it is called."""
