"""Our verdicts beside those of the validators of npm; every difference is explained or fails.

Peers, and which of our profiles each is held to:

* `pds`: `com.atproto.repo.createRecord` of the reference PDS, from the body to the block, with its
  own lexicons; and `lex strict`: @atproto/lex over the strict @atproto/lex-json, for any lexicon.
  Both to `publish`, which promises what a PDS takes.
* `lex` (the same, not strict: what Bluesky's AppView runs), `lexicon` (@atproto/lexicon) and
  `atcute` (@atcute/lexicons over plain JSON, strict about blobs). All to `spec`, since none of
  them knows what a PDS refuses.
* String formats have no profile: an error is an error to every peer.
* Lexicon documents: `lex-document`, `lexicon` and `atcute` (@atcute/lexicon-doc) to
  `lexicon.check`, which sees one document as they do.

A difference is excused by taking what is disputed out of the input and nothing else: if both sides
then accept, that was the whole difference. So an excuse for a datetime can't hide a length. Each is
named as its row in docs/validation.md, says which side takes such inputs, and excuses nothing that
goes the other way.
"""
