"""The commands, by what they are about; a module imports what its commands need only when one is called."""
