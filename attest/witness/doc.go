// Package witness cosigns the heads of logs (C2SP tlog-witness), and gathers such cosignatures for a log.
//
// # World
//
// A witness holds one or two keys (Ed25519 and ML-DSA-44) and one fact about each log it knows: the
// largest head it ever cosigned. It cosigns another head only with a proof that the log it knows is the
// beginning of that one. It sees no entries and judges none. Whoever trusts a quorum of witnesses sees
// the same log as everybody else who does.
//
// Who may change what: whoever holds the directory can make a witness forget, so that it cosigns a fork;
// whoever holds the key can cosign anything. The worst one witness can do is that; a policy asks for several.
//
// # The directory
//
//	lock                            held while the witness runs
//	<sha256 of the origin>/
//	    head                        the largest checkpoint cosigned, with the log's signature
//	    fork-<size>-<root, hex>     evidence: two checkpoints of the log that cannot both be true
//	    unproven-<size>-<root, hex> ours, and a head that came with a wrong proof: at most 16
//	    older-<size>-<root, hex>    ours, and a smaller head: the log went back, or somebody sent an old one: at most 16
//
// A head is on the disk before its cosignature leaves the house: a crash in between costs nothing, and
// one after it changes nothing.
//
// # Order of checks
//
// As in C2SP tlog-witness: form (400), origin known (404), the log's signature (403), old size not above the new
// one (400), old size the one we know (409 with ours), same size and other root (409: a fork), proof (422).
package witness
