// Package record gathers what a repository shows: its releases, and who said what about each of them. It
// is what the public pages (release/site) print and what a monitor (release/monitor) watches.
//
// Everything in a Record was verified from the anchor on by the code that also every device runs (tuf/trust,
// release/evidence), and judged by release/genuine; nothing here decides anything. What does not hold, or
// is withheld, is in the record with the reason.
package record
