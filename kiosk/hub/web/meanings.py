"""What a finding means and what to do about it, for whoever reads it first; docs/hub-findings.md says more."""

from __future__ import annotations

from kiosk.hub.ingest.known import CODES as INGEST
from kiosk.hub.posting.codes import CODES as POSTING
from kiosk.hub.posting.codes import POSTED, QUARANTINED

#: What the front refuses; its severities are in `hub.front.refusals`.
FRONT = {
    "unknown_key": "somebody came with a key that nobody enrolled",
    "revoked_key": "somebody came with a key that was shut out",
    "pending_key": "a kiosk that waits for its approval tried to send its journal",
    "claimed_identity": "a kiosk called itself by another name than its key is registered for",
    "wrong_realm": "a kiosk came for another realm than it is registered for",
    "wrong_version": "a peer speaks no version of the protocol that this hub speaks",
    "malformed_message": "bytes came that are no message",
    "too_large": "a message was larger than any may be",
    "endless_message": "a peer sent a message of more parts than any has",
    "replayed": "a message came again that belongs to a session that is over",
    "unstable_line": "a kiosk connects again and again",
    "strange_connection": "a connection began like no kiosk's does",
    "slow_peer": "a peer takes its answers so slowly that some were dropped",
    "too_many_peers": "more peers are connected than listen.most_peers allows",
    "many_connections": "one kiosk keeps more connections than it needs",
    "no_worker": "the worker of a kiosk does not answer",
    "unknown_command": "a kiosk answered a command that nobody asked of it",
    "transport_key_refused": "a kiosk's next key did not prove itself",
    "enrolment_refused": "somebody asked to be taken in without a code that proves it",
    "enrolment_malformed": "bytes came to the enrolment's port that are no request",
    "not_bound": "an address of hub.toml cannot be listened on",
}

_CLONE = "Find out which machine is the city's. Revoke the kiosk, enrol the right one anew, and keep the other's card."
_STRANGER = "Once is noise. If it goes on, look at the firewall and at who was given the hub's address."
_SOFTWARE = "Bring kiosk and hub to versions that fit; nothing is lost meanwhile, the kiosk keeps its facts."
_LOST = "Look at the kiosk's disk and its last backup; compare its newest slips with this hub before anything is reset."
_ADVICE = {
    ("ingest", "fork"): f"Do not restart the kiosk. Both truths are kept. {_CLONE}",
    ("ingest", "cloned"): _CLONE,
    ("ingest", "epoch_ended"): _CLONE,
    ("ingest", "ahead_differs"): f"Both are kept. {_CLONE}",
    ("ingest", "epoch_cuts_facts"): "Hold the slips of the facts that were cut against the new epoch.",
    ("books", "epoch_cuts_facts"): "Hold the slips of the facts that were cut against the new epoch.",
    ("ingest", "kiosk_rolled_back"): _LOST,
    ("ingest", "history_missing"): _LOST,
    ("ingest", "hub_rolled_back"): "Expected after a restore: the kiosks send what is missing. Wait, then verify.",
    ("ingest", "boot_fell"): "Expected after kiosk-sync's database was made anew; else look for a second machine.",
    ("ingest", "version"): _SOFTWARE,
    ("ingest", "internal"): "Keep the finding and the hub's log for whoever maintains the software.",
    ("ingest", "apart_full"): "Decide about what is kept apart for this kiosk; until then more of it is only counted.",
    ("front", "unknown_key"): _STRANGER,
    ("front", "malformed_message"): _STRANGER,
    ("front", "strange_connection"): _STRANGER,
    ("front", "endless_message"): _STRANGER,
    ("front", "enrolment_refused"): f"Wrong, used or old codes look the same. {_STRANGER}",
    ("front", "enrolment_malformed"): _STRANGER,
    ("front", "revoked_key"): "Find the machine that still holds this key, and take it off the network.",
    ("front", "pending_key"): "Compare the six words with the technician and approve it, or revoke it.",
    ("front", "claimed_identity"): "Look at the kiosk's configuration; if it is right, another machine has its keys.",
    ("front", "replayed"): "Somebody records and repeats traffic, or two machines hold one key. " + _CLONE,
    ("front", "wrong_version"): _SOFTWARE,
    ("front", "unstable_line"): "Look at the kiosk's network.",
    ("front", "slow_peer"): "Look at the kiosk's network.",
    ("front", "too_many_peers"): "Raise listen.most_peers if the kiosks are the city's; else see who connects.",
    ("front", "many_connections"): "Look at the kiosk and its network; its oldest connections were cut.",
    ("front", "no_worker"): "Look at `kiosk hub status`; the hub starts a worker that ended anew by itself.",
    ("front", "transport_key_refused"): "Rotate the kiosk's key again; if that fails, enrol it anew.",
    ("front", "not_bound"): "See which other program holds the address, or change it in hub.toml.",
    ("books", "fact_too_new"): "Update the hub, then `kiosk hub rebuild`: the fact is posted then.",
    ("books", "kind_unknown"): "Update the hub, then `kiosk hub rebuild`: the fact is posted then.",
    ("books", "other_realm"): "Look at the kiosk's realm; nothing of another realm is ever posted.",
    ("books", "paid_twice"): "Nothing is wrong with the books. The case says what is owed back: decide about it.",
    ("books", "box_differs"): "Count again if the box is still there; hold its Z slips against its notes.",
    ("books", "people_conflict"): "Take those people out of the kiosk's own list, or publish the list as it should be.",
    ("books", "people_refused"): "Mend the list that the detail names, and publish it again.",
    ("books", "pack_refused"): "Mend what the detail names, count the pack's version up, and publish it again.",
    ("books", "books_uncompared"): "Run `kiosk hub verify` again when the projector has caught up.",
    ("books", "book_differs"): "Run `kiosk hub rebuild`; if it stays, keep both for whoever maintains the software.",
}
_QUARANTINE = "Its bytes are kept and chained. Run `kiosk journal verify` at the kiosk; mend the cause, then rebuild."
_BOOKS = "It stands as it was receipted. An auditor holds the fact against its receipt and says what came of it here."
_EVIDENCE = "Run `kiosk hub verify`. If it stays, restore the last good backup: the kiosks send what it lacks."
_INGEST = "Nothing of it was posted. Run `kiosk journal verify` at the kiosk before anything is changed there."
_FRONT = "Nothing of it was taken. Look at the kiosk's configuration and who was at it."


def meaning(source: str, code: str) -> tuple[str, str]:
    """Return what a code of a source means and what to do; both "" where no table has it.

    >>> meaning("books", "no_such_code")
    ('', '')
    """
    table = {"ingest": {name: words for name, (_, words) in INGEST.items()}, "front": FRONT, "books": POSTING}[source]
    words = table.get(code, "")
    if not words:
        return "", ""
    general = {"ingest": _INGEST, "front": _FRONT, "books": _EVIDENCE}[source]
    if source == "books" and code in QUARANTINED:
        general = _QUARANTINE
    elif source == "books" and code in POSTED and not code.startswith(("facts_", "segment_")):
        general = _BOOKS
    return f"{words[:1].upper()}{words[1:]}.", _ADVICE.get((source, code), general)
