// Package monitor follows a public log and remembers it durably, so that what the log's keeper, its mirrors
// and its witnesses do can be held against what they did before.
//
// Its world: the keeper of the log holds its key and can sign two heads; witnesses should make that useless;
// a monitor finds out that it was tried. Each place that holds the log's files is looked at by itself, since
// a fork is shown to some and not to others. A monitor is trusted by nobody and needs no key. The worst a
// place can do to it is to serve nothing, which is told as "could not tell" and never as "all is well".
//
// Alarms are told once, and again when what they say changes; when the cause is gone, that is told too.
// Whoever is told may fail (a mail server is down): then nothing counts as told, and the next look tells it.
//
// The state is a directory:
//
//	state.json   what was seen and told: replaced by one rename, at the end of a look
//	entries      every entry of the log, each after its length in two bytes (as in a bundle of C2SP
//	             tlog-tiles), appended before state.json says how many bytes count
//	evidence/    what alarms stand on, such as two signed heads; never removed by us
//	lock         held during a look
//
// A crash at any point leaves the state of the last finished look; the next one does the rest again.
package monitor
