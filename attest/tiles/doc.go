// Package tiles reads a log from its plain files (C2SP tlog-tiles) and believes none of them: every byte
// it returns leads, hash by hash, to the root of a head that the caller already trusts.
//
// # The files
//
//	checkpoint                  the newest head, signed and cosigned
//	tile/L/N                    256 hashes of level 8*L of the tree, the N-th such tile of that level
//	tile/L/N.p/W                the first W of them, 1 to 255, where the log does not reach further
//	tile/entries/N              256 entries, each with its length before it in two bytes, high byte first
//	tile/entries/N.p/W          the first W of them
//
// N is written in groups of three digits, all but the last with an x before it: x001/x234/067.
//
// # Who brings them
//
// A directory, a web server, a mirror: whoever holds the files can withhold them, and nothing else. A
// file that does not fit is refused, and where there are several sources the next one is asked.
//
// At the right edge of a tree of n entries is at most one partial tile of each level. Together their hashes
// lead to the root; so they are checked together. Each other tile is whole, and one hash of a tile above
// leads to it; so it is checked alone. Entries are checked against the tile of level 0.
package tiles
