"""A finding: something in a journal that is not as it must be, as a value."""

from __future__ import annotations

import msgspec

#: Code of every finding with what it means, for the command line and the documentation.
CODES = {
    "empty": "there is no fact at all",
    "page_damaged": "SQLite finds a page of the file that is not sound",
    "guard_missing": "a trigger that keeps the table append-only is gone or rewritten",
    "row_unreadable": "the bytes of a row are not a fact",
    "row_misplaced": "a row's key or kind is not what its hashed bytes say",
    "chain_broken": "a hash is not SHA-256(previous hash, row)",
    "gap": "a sequence number or an epoch is missing",
    "signature_bad": "a signature is not by the key of its epoch over this hash",
    "tail_unsigned": "the last fact is not the signed end of a commit",
    "genesis_misplaced": "an epoch does not begin with Genesis or EpochStarted, or one stands elsewhere",
    "epoch_unlinked": "EpochStarted does not name the end of the epoch before",
    "key_unpublished": "the key of an epoch is not among the published keys",
    "identity_changed": "the kiosk is not the first fact's",
    "realm_changed": "the realm is not the first fact's: training or demonstration passed off as live, or the reverse",
    "witness_differs": "a head kept outside (receipt, Z slip, hub) is not in this journal: a tail was cut or rewritten",
    "clock_fell": "the monotonic clock fell within one boot",
    "wall_clock_fell": "the wall clock fell by two seconds or more within one boot without a ClockJumped between",
    "business_date_fell": "a business date lies before the last one (a warning where the wall clock fell with it)",
    "entry_unbalanced": "an entry does not balance, or posts nothing to an account",
    "entry_refused": "the ledger's rules refuse an entry",
    "entry_differs": "an entry does not move the value that its fact tells",
    "note_credited_twice": "one note was credited, suspended or disputed more than once",
    "note_credited_after_return": "a note that had gone back was credited or disputed, or one that was taken went back",
    "note_without_intent": "a note was credited without a committed intent to stack it",
    "note_value_changed": "a note was credited with another value than was intended",
    "settlement_differs": "a settlement's tender is not its session's credits, or not what it applies, owes and holds",
    "held_overdrawn": "more was used, or counted as tender, than was held for an invoice",
    "settlement_missing": "a session closed while notes credited in it were not settled",
    "receipt_number_gap": "receipt numbers of an epoch are not 1, 2, 3 …",
    "receipt_number_twice": "a receipt number of an epoch was given twice",
    "receipt_differs": "a receipt does not say what its settlement, dispute or suspense fact says",
    "receipt_missing": "a settlement with money has no receipt",
    "reversal_unknown": "a reversal names no earlier fact with an entry",
    "reversal_differs": "a reversal does not undo its original exactly",
    "reversed_twice": "a fact was reversed more than once",
    "balance_differs": "a rebuilt balance is not the one that was claimed",
    "slip_kind_gap": "the numbers of one kind of slip in an epoch are not 1, 2, 3 …",
    "presented_differs": "a slip left a presenter's mouth that was never printed, or left it twice",
    "copy_differs": "an original was printed twice, or copies of a slip are not numbered 1, 2, 3 …",
    "slip_tells_sums": "a slip of an exchange, a report, a closing or a test tells a sum: counts are blind",
    "actor_unknown": "an actor is written as no person, device or part of the kiosk is",
    "actor_absent": "a person acted, or signed as the second, without having signed in",
    "actor_unentitled": "a person acted without the role that the act needs",
    "actor_differs": "the person whom a fact names is not the one who acted",
    "hub_unasked": "a hub's name stands on something that none of its commands asked for",
    "command_twice": "a hub's command was carried out twice, or ended in a way that no command ends",
    "same_person": "one person gave both signatures where two people must",
    "not_commissioned": "a live journal took money before it was put into service (a warning in an older one)",
    "date_closed": "a fact of a closed business date is not marked as late",
    "late_differs": "a late fact does not name the first open date, or the Z closing that closed its own",
    "z_number_gap": "Z numbers are not 1, 2, 3 …",
    "z_misplaced": "a Z closing does not name the fact right before it, with its hash",
    "z_differs": "a Z closing does not sum up the facts of its period",
    "z_dates_differ": "the dates that a Z closing closes do not go on from the last one, or do not fit its cause",
    "z_in_two_boxes": "the notes of one Z closing lie in another box session, or in more than one",
    "grand_total_differs": "a grand total is not the one before plus what the period took",
    "clock_before_closing": "the wall clock was turned back to before a Z closing that had been made",
    "box_session_differs": "a fact is stamped with another box session than the present one",
    "box_session_unexplained": "the number of a box session does not follow from an exchange or a removal",
    "box_not_closed": "a box session ended without a Z closing of it in the same commit",
    "exchange_unauthorised": "a box was exchanged, or moved as in an exchange, and no authorisation stood",
    "exchange_differs": "an exchange ended with other boxes, seal or people than were authorised",
    "removal_unalarmed": "a box was taken out without authority and no alarm was raised",
    "note_during_exchange": "a note was credited while an exchange of the box stood open",
    "seal_differs": "a box arrived at the count with another number or seal, or with its seal broken",
    "count_misplaced": "a count of a box that has not left or not arrived, or after its final attempt or its end",
    "count_attempt_gap": "attempts at a count are not 1, 2, 3 …, or another than the final one was compared",
    "count_differs": "a count does not compare its own notes with what the box session holds",
    "count_unsigned": "a count's difference above the limit has no second signature",
    "payout_twice": "a payout was intended, let go or ended more than once",
    "payout_unintended": "a payout without its intent, of another hopper, or without its settlement in the same commit",
    "payout_unstarted": "coins left a hopper that had not been let go",
    "payout_differs": "what a payout paid, left and doubts are not the coins intended, or above the overpayment",
    "hopper_overdrawn": "a hopper was asked for, or paid, more coins than people had put in",
    "hopper_differs": "a hopper was filled or counted as if it held other coins than the facts tell",
    "duties_untold": "one person held duties that belong apart, and the count does not record it",
}


class Finding(msgspec.Struct, frozen=True):
    """One finding.  `severity` is ``error`` where money or evidence is in doubt, else ``warning``."""

    code: str
    severity: str
    #: Place of the fact; 0 where the finding concerns the whole file.
    epoch: int
    seq: int
    detail: str

    def __str__(self) -> str:
        place = f"fact {self.epoch}/{self.seq}" if self.seq else "journal"
        return f"{self.severity}: {self.code} at {place}: {self.detail}"
