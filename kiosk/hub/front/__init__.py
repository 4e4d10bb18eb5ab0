"""The hub's face: the ROUTER, the registry of keys, enrolment, and the routing to workers and librarian."""
