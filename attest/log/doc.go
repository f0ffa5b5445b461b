// Package log is the public log's writer: it puts entries in order, once each, and publishes heads that a
// quorum of witnesses cosigned. It is the only door to tessera, which keeps the tree; attest/tiles reads.
//
// # World
//
// The publisher holds the log's key and two directories:
//
//	Dir      the sequencer's own (tessera's POSIX layout): all entries ever acknowledged
//	Public   checkpoint, tile/…: the log as the world sees it, copied by mirrors (C2SP tlog-tiles)
//
// Public never shows more than its checkpoint, and its checkpoint always has the cosignatures that the
// policy asks for: without them nothing there changes. Everything in Public can be made again from Dir.
//
// # The order of writes
//
// Append: entries and tiles in Dir, then the tree's size; only then is an entry acknowledged. A crash before
// that leaves files that nobody counts; the same entries take the same places when they come again.
//
// Publish: cosignatures first, which is the network; then tiles in Public, entries first; then its checkpoint;
// then partial tiles are cleared away that neither this head nor the one before needs. A crash anywhere
// leaves the old head complete, or the new one. Witnesses may then know a head that nobody published; the
// next one extends it, since Dir still holds all of it.
//
// # What could fork it
//
// Dir restored from a backup that is older than the published head. So the published checkpoint is compared
// first, at opening and before each new head: a tree that does not extend it stops everything with
// *ForkError, and the witnesses would refuse it too. Whoever holds the key can fork the log for readers
// who ask no witnesses; that is why all ask.
package log
