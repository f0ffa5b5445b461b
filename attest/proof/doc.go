// Package proof judges whether entries are in the public log under a head that enough witnesses saw.
// It is the client's side of the log: pure functions of bytes, without network, disk, randomness or
// clock. attest/log writes the log, attest/witness cosigns it.
//
// # The parties
//
// The log is an append-only list of entries, kept by the publisher as plain files (C2SP tlog-tiles).
// Its head, the checkpoint, names the number of entries and the root of a Merkle tree over them, and
// is signed by the log's key. Whoever holds that key alone can show one victim another list.
//
// Witnesses are people and machines that cosign a head only if it extends every head of that log they
// cosigned before. So two readers who each ask for a quorum of witnesses see the same list, unless
// witnesses in both quorums lie. The worst one witness can do alone is to be silent, or to cosign a
// fork on the record.
//
// The log policy says whose log it is, who the witnesses are and which of them are a quorum. It is
// compiled into the programs, since whoever could change it could lead one victim to a log of its own.
//
// # Entries
//
// An entry is one line of ASCII that ends with a newline and has single spaces. Hashes are SHA-256 in
// lower-case hex:
//
//	countersign release <channel> <version> <of release.json>
//	countersign metadata <role> <version> <of the file>
//	countersign statement <of the signing key's PKIX DER> <of the DSSE payload>
//
// A channel or role is 1 to 64 of a-z, 0-9 and "-" and begins with no "-". A release's version is 1 to 64
// of 0-9, A-Z, a-z, "." and "-" and begins with a digit. A metadata version is a decimal from 1 up without
// leading zeroes. The leaf hash of an entry is SHA-256(0x00 || entry), newline included (RFC 6962
// section 2.1).
//
// # The log policy
//
// The file log.policy is lines of text in the shape of C2SP tlog-policy, read more strictly:
//
//	# who runs the log
//	log log.example/countersign+5d0e21a8+AXh... https://log.example/
//
//	# Ana Sousa (Tejo Labs, PT): two keys, one person
//	witness ana-1    ana.example/w+8b1c22f0+BKq... https://witness.ana.example/
//	witness ana-2    ana.example/w+93e1d7b5+Bn3...
//	group   ana any  ana-1 ana-2
//	witness bo       bo.example/w+1f00a6c9+BAb...
//	witness chen     chen.example/w+c3a95e01+BPz...
//
//	group   europe any ana bo
//	group   world  all europe chen
//	quorum  world
//
// Words are parted by spaces and tabs, also at the ends of a line; empty lines and lines that begin with
// "#" say nothing. Lines are printable ASCII, comments printable UTF-8. Every line ends with a newline.
//
//	log KEY [URL]              exactly one. The key's name is the log's origin; its algorithm is 1 (Ed25519)
//	witness NAME KEY [URL]     up to 64. The algorithm is 4 (Ed25519 cosignature) or 6 (ML-DSA-44)
//	group NAME K MEMBER...     up to 64. K members must be satisfied: "any" is 1, "all" is the number of members
//	quorum NAME                exactly one, the last line: a witness or a group
//
// KEY is a verifier key (C2SP signed-note): name, "+", eight hex digits of key ID, "+", base64 of one byte
// of algorithm and the public key. A URL is http or https with a host. It is optional, since who
// verifies offline needs none. A NAME is 1 to 64 of letters, digits and . _ / : @ ~ - and begins with
// a letter or digit; "none", "all" and "any" are no names.
//
// Refused, with the number of the line:
//   - an unknown word; a second log; anything after the quorum line; no log, no quorum, "quorum none"
//   - K below 1 or above the number of members
//   - a name given twice, or twice but for upper and lower case
//   - a public key given twice, under whatever name, key ID or algorithm, the log's own included
//   - a member that no line above defines: so there are no cycles
//   - a member that is named twice, in one group or in two or by the quorum: so nobody counts twice
//   - a witness or group that counts nowhere, since a reader would think it does
//   - an Ed25519 key of small order, for which anybody can sign
//
// The canonical form (Encode) has no comments, single spaces, log, witnesses, groups each after its
// members, quorum; K always as a number.
//
// # Checkpoints
//
// A checkpoint (C2SP tlog-checkpoint) is three lines, an empty line, and signature lines:
//
//	log.example/countersign
//	4711
//	<base64 of the root>
//
//	— log.example/countersign <base64 of key ID and signature>
//	— ana.example/w <base64 of key ID, eight bytes of time and signature>
//
// Base64 is standard, padded, with no bits set beyond the end. Refused: more than three lines of text,
// since an ML-DSA-44 cosignature covers the origin, the size and the root only; two signatures by one key;
// a wrong signature by a key of the policy; a cosignature whose time is 0 or after the year 9999; another
// origin; no signature by the log. Signatures by keys that the policy does not know say nothing. What a
// cosignature signs is in C2SP tlog-cosignature.
//
// # The proof file
//
// One text shows several entries under one head:
//
//	countersign-proof-1
//	leaf 17 <base64 of the leaf hash>
//	leaf 4702 <base64 of the leaf hash>
//	<base64 of a hash>
//	<base64 of a hash>
//	...
//
//	<checkpoint, verbatim to the end of the file>
//
// Leaves come first, 1 to 256 of them, by ascending index, which counts from 0; no index and no leaf hash
// is there twice. Then come the hashes of those parts of the tree that hold none of the leaves, from left
// to right, each once. Which parts these are follows from the indices and the checkpoint's size n:
//
//	hash(lo, hi), the hash of the entries from lo to hi-1, starting with hash(0, n):
//	    none of the leaves has lo <= index < hi:  the next unused hash of the file
//	    hi - lo = 1:                              the leaf hash
//	    otherwise:                                SHA-256(0x01 || hash(lo, m) || hash(m, hi)), where m - lo is
//	                                              the largest power of two below hi - lo (RFC 6962 section 2.1)
//
// The file is sound if hash(0, n) is the root of the checkpoint and every hash was used. It is canonical:
// a sound file has one spelling for its leaves and checkpoint. An entry is shown to be in the log if its
// leaf hash is one of the leaves, the file is sound, and the policy accepts the checkpoint. At most
// 512 KiB are read.
//
// TLogProof prints a leaf alone in the standard format for one entry (C2SP tlog-proof).
package proof
