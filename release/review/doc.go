// Package review computes what there is to read in a release: the change list between two trees, the
// diff of each item, what was read of it. It judges nothing and signs nothing.
//
// # World
//
// A reviewer has the source of a release and of a base (a release that somebody reviewed already, or
// nothing), both as git trees whose hashes the releases name, and the modules of both, as zip files whose
// hashes go.sum names. All of it was written by strangers: file names, contents and trees may be made to
// deceive. So trees are listed and compared here, entry by entry; nothing is checked out; git runs with a
// clean environment; and every byte that is shown passes through Visible, which leaves nothing a terminal
// or a browser could obey.
//
// # The change list
//
// It says which items changed, and is a pure function of the two trees and of the modules, so that
// everybody who compares the same things gets the same bytes. A review names it by its sha256. It is
// text, one line each, in this order:
//
//	countersign changes 1
//	base <tree>                     40 hex digits; the empty tree when the whole source is to be read
//	head <tree>
//	:<mode> <mode> <blob> <blob> A<TAB><path>            added        \
//	:<mode> <mode> <blob> <blob> D<TAB><path>            removed       | as "git diff-tree -r" prints
//	:<mode> <mode> <blob> <blob> M<TAB><path>            changed       | them, sorted by path
//	:<mode> <mode> <blob> <blob> T<TAB><path>            other kind   /
//	:<mode> <mode> <blob> <blob> R<TAB><path><TAB><path> moved, same bytes: the only file added and the only
//	                                one removed with that blob, both plain files; at the place of the new path
//	module A <path> - - <version> <tree>                 added
//	module D <path> <version> <tree> - -                 removed
//	module M <path> <version> <tree> <version> <tree>    other version, or other content
//	…                               each followed by its own lines as above
//
// Modes and blobs that are not there are zeros. Paths are written as git does with core.quotePath: in
// double quotes, with backslash escapes, when they hold anything but printable ASCII. Modules are those
// which go.mod requires and the release's module tree holds as a zip, sorted by path; the tree of a module
// is the git tree of the files in its zip, all with mode 100644, so "git add" and "git write-tree" in the
// unpacked directory give it.
//
// Whoever wants to check the part of the source with git alone (for modules, the same for each pair of
// trees) runs this with base and head as $1 and $2 in a repository that holds both; a test does so too:
//
//	printf 'countersign changes 1\nbase %s\nhead %s\n' "$1" "$2"
//	git -c core.quotePath=true diff-tree -r --no-renames --no-abbrev "$1" "$2" | LC_ALL=C awk -F '\t' '
//	  { split($1, f, " "); line[NR] = $1; path[NR] = $2 }
//	  f[5] == "A" && f[2] ~ /^100/ { a[f[4]]++ }
//	  f[5] == "D" && f[1] ~ /^:100/ { d[f[3]]++; old[f[3]] = NR }
//	  END { for (i = 1; i <= NR; i++) { split(line[i], f, " ")
//	    blob = f[5] == "A" && f[2] ~ /^100/ ? f[4] : f[5] == "D" && f[1] ~ /^:100/ ? f[3] : ""
//	    if (blob == "" || a[blob] != 1 || d[blob] != 1) print line[i] "\t" path[i]
//	    else if (f[5] == "A") { split(line[old[blob]], o, " ")
//	      print o[1] " " f[2] " " blob " " blob " R\t" path[old[blob]] "\t" path[i] } } }'
//
// # Items
//
// A file that changed is one item, named by its path (the new one, when moved), quoted as above. A module
// is one item, named "module <path>/"; no path of a file ends in a slash. Items consist of pages: a file
// has one; a module has one that says what became of it, and one for each of its files. An item is read
// when all its pages are.
package review
