"""The way of one payment as a pure state machine: states, one transition table, effects.  No clock, device or store."""
