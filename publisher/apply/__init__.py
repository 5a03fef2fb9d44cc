"""A plan carried out: blobs uploaded, intents written down, batches sent, answers compared."""

from publisher.apply.applier import Applier, Keep
from publisher.apply.blobs import Blobs, lost_blob
from publisher.apply.outcome import Outcome, key_of, uri_of
from publisher.apply.threads import threads

__all__ = ["Applier", "Blobs", "Keep", "Outcome", "key_of", "lost_blob", "threads", "uri_of"]
