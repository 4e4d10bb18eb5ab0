"""Six words that two people read to each other: a fingerprint of an enrolment that a voice can carry.

The list holds 256 words of four to nine letters that differ in at least two letters from one another, so six of them
are 48 bits.  They are taken from a slow digest (2**17 rounds of HMAC-SHA-256, about 17 bits more): whoever wants other
keys with the same words has some 2**65 rounds of work, within the day that a one-time code lives, and must know the
keys that he copies before the kiosk has sent them.  The list and the digest never change; a new list gets a new domain.
"""

from __future__ import annotations

import hashlib

#: How many words a fingerprint has, and how slow it is.
COUNT, ROUNDS = 6, 1 << 17
_DOMAIN = b"kiosk-words-v1"

_LISTED = (
    "acorn actor adult agent alarm album amber angle apple april apron arrow atlas attic autumn award bacon badge "
    "bagel baker bamboo banjo barrel basil beach beard beetle biscuit bishop blanket bottle branch brick bridge "
    "bronze bucket butter cabin cactus camel candle canoe carpet castle celery cement chalk cherry chimney circus "
    "clover cobalt cocoa comet copper corner cotton cradle crayon cricket crown cuckoo curtain cyclone daisy dancer "
    "denim desert diamond dinner doctor dolphin donkey dragon drawer drum eagle easel echo elbow elephant emerald "
    "engine envelope falcon feather fence ferry fiddle flame flute forest fossil fountain frost galaxy garlic gazelle "
    "ginger giraffe glacier goblet gorilla granite gravel guitar hammer harbor hazel helmet heron hickory hobby honey "
    "hotel igloo indigo insect island ivory jacket jaguar jelly jigsaw jockey jungle kayak kennel kettle kidney "
    "kitchen koala ladder lagoon lantern lemon lettuce lilac lizard lobster lunch magnet mango maple marble meadow "
    "melon mermaid mirror mitten mosaic muffin mustard napkin needle nephew nickel noodle novel nutmeg oasis ocean "
    "olive onion opera orchid otter oven oyster palace panda parrot peanut pebble pelican pepper piano pigeon pillow "
    "pirate planet plum poppy potato puddle pumpkin puzzle pyramid quail quartz queen quilt rabbit radish raven "
    "rhubarb ribbon river robin rocket rooster ruby saddle salmon sandal satchel scarf school shadow shovel silver "
    "sketch slipper spider sponge statue stone sugar summer sunset swan table tailor teapot temple thimble thunder "
    "ticket tiger timber toast tomato tower tractor trumpet tulip tunnel turtle tuxedo umbrella uncle velvet village "
    "violin vulture waffle wagon walnut walrus whistle window winter yellow yogurt zebra zipper"
)
WORDS = tuple(_LISTED.split())


def words_of(kiosk: str, transport_key: str, journal_key: str) -> str:
    """Return the six words of a kiosk's id and its two public keys, with a hyphen between each two.

    >>> words_of("K07", "a" * 40, "00" * 32).count("-")
    5
    """
    told = f"{kiosk}\0{transport_key}\0{journal_key}".encode()
    digest = hashlib.pbkdf2_hmac("sha256", told, _DOMAIN, ROUNDS, COUNT)
    return "-".join(WORDS[byte] for byte in digest)


def same_words(told: str, words: str) -> bool:
    """Tell whether somebody read these words, however they parted and wrote them."""
    return told.lower().replace("-", " ").split() == words.split("-")
