// Package api is the vocabulary of the server's HTTP interface: the JSON that clients and servers exchange, field by field, under
// the names the peers of 2016 use (/v1 and /v2) and ours (/v3). It has no behaviour beyond reading JSON within limits.
//
// Everything read here was written by a stranger. Decode bounds the size, the depth and the lengths of lists; what the fields mean, and
// whether keys and signatures are good, is for the handlers. Unknown fields are ignored, as all peers do, and a missing field is the
// zero value. Numbers in comments are sections of the wire specification.
package api
