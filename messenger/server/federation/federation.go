// Package federation lets the users of two servers write to each other (8).
//
// Its world: our own server; its peers, each a server of somebody else that our operator has named, with the address it is reached at and
// the hash of its public key; and everybody else on the network, whom the listener for peers turns away before they can send a request.
//
// # Addresses
//
// A person on another server is +14155550100@name, where name is what our operator calls that server. Clients of 2016 keep the two apart, as
// number and relay; both forms mean the same. Which peer speaks is known by the key it shows in TLS and by nothing it says: the relay of an
// envelope is stamped here, from the connection it came by. So a peer can speak for users of its own only, and the name that is shown is
// always one that our operator chose.
//
// # Keys
//
// A server has one Ed25519 key for its peers. There is no authority, and nothing expires: each side pins SHA-256 of the other's
// SubjectPublicKeyInfo, and the certificate TLS wants is made of the key at every start. Two pins may stand for a peer while it changes keys.
// Who has the key can speak for all users of its server to all its peers, and no more: what they write is encrypted from end to end.
//
// # What is kept, and when it is answered
//
// Nothing is kept here between two servers. A message to another server is answered when that one has answered that every device has it or
// the queue has it (design 9); if it cannot be reached the sender gets 503 with Retry-After and still has the message. When the answer is
// lost on the way the sender repeats, and the message is shown once all the same: the same ciphertext gets the same GUID at the other
// server, and one that was encrypted again the same source and timestamp, which is a message's id (6.4).
//
// # The wire
//
// HTTP/1.1 in TLS 1.3, JSON as in package api. Paths under /v1 and /v2 are the specification's, those under /v3 ours; openapi.json here has all.
// The specification's lists of all users (user_count, user_tokens) do not exist: one asks for one person at a time.
//
// Numbers in comments are sections of the wire specification.
package federation
