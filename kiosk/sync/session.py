"""The sender's side of a connection as a state machine: pure, no socket, no clock."""
