package tiles

import (
	"fmt"
	"iter"
	"strings"
)

// Width is the number of hashes in a whole tile, and of entries in a whole bundle.
const Width = 256

// File is one file of a log: a tile of hashes, or a bundle of entries.
type File struct {
	Entries bool
	Level   int    // of hashes: 0 and up; of entries 0
	Index   uint64 // from 0
	Width   int    // 1 to 256
}

// Path is where the file lies in the log's directory.
func (f File) Path() string {
	level := fmt.Sprint(f.Level)
	if f.Entries {
		level = "entries"
	}
	name := fmt.Sprintf("%03d", f.Index%1000)
	for n := f.Index / 1000; n > 0; n /= 1000 {
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	path := "tile/" + level + "/" + name
	if f.Width < Width {
		path += fmt.Sprintf(".p/%d", f.Width)
	}
	return path
}

// whole is the same file when the log has grown beyond it.
func (f File) whole() File { f.Width = Width; return f }

// maxFile is the largest that the file may be, in bytes.
func (f File) maxFile() int64 {
	if f.Entries {
		return int64(f.Width) * (2 + MaxEntry)
	}
	return int64(f.Width) * 32
}

// levels is the number of levels of tiles that a log of this size has.
func levels(size uint64) int {
	n := 0
	for ; size > 0; size >>= 8 {
		n++
	}
	return n
}

// edge lists the partial tiles of hashes of a log of this size, from the top.
func edge(size uint64) []File {
	var out []File
	for level := levels(size) - 1; level >= 0; level-- {
		at := size >> (8 * level)
		if at%Width > 0 {
			out = append(out, File{Level: level, Index: at / Width, Width: int(at % Width)})
		}
	}
	return out
}

// Partials lists the files of a log of this size that are not whole: they are replaced as it grows.
func Partials(size uint64) []File {
	out := edge(size)
	if size%Width > 0 {
		out = append(out, File{Entries: true, Index: size / Width, Width: int(size % Width)})
	}
	return out
}

// Files lists the files of a log of this size that a log of the smaller size old does not have: entries first,
// then tiles from the lowest level up.
func Files(old, size uint64) iter.Seq[File] {
	return func(yield func(File) bool) {
		for level := -1; level < levels(size); level++ {
			if !filesOf(level, old, size, yield) {
				return
			}
		}
	}
}

// FilesFromTop lists the same files from the highest level down, entries last: each is verified by those before
// it, so whoever stores them in this order fetches none twice.
func FilesFromTop(old, size uint64) iter.Seq[File] {
	return func(yield func(File) bool) {
		for level := levels(size) - 1; level >= -1; level-- {
			if !filesOf(level, old, size, yield) {
				return
			}
		}
	}
}

// filesOf lists the files of one level, of entries for -1, and reports whether to go on.
func filesOf(level int, old, size uint64, yield func(File) bool) bool {
	f := File{Entries: level < 0, Level: max(level, 0)}
	from, to := old>>(8*f.Level), size>>(8*f.Level)
	f.Width = Width
	for f.Index = from / Width; f.Index < to/Width; f.Index++ {
		if !yield(f) {
			return false
		}
	}
	f.Width = int(to % Width)
	return f.Width == 0 || from == to || yield(f)
}

// IsPath reports whether a name is that of a file of a log's directory.
func IsPath(name string) bool {
	parts := strings.Split(name, "/")
	if name == Checkpoint {
		return true
	}
	if len(parts) < 3 || len(parts) > 12 || parts[0] != "tile" || parts[1] != "entries" && !digits(parts[1], 1, 1) {
		return false
	}
	parts = parts[2:]
	last := parts[len(parts)-1]
	if len(parts) > 1 && strings.HasSuffix(parts[len(parts)-2], ".p") {
		if !digits(last, 1, 3) || last[0] == '0' || len(last) == 3 && last > "255" {
			return false
		}
		parts = parts[:len(parts)-1]
		last = strings.TrimSuffix(parts[len(parts)-1], ".p")
	}
	for _, p := range parts[:len(parts)-1] {
		if len(p) != 4 || p[0] != 'x' || !digits(p[1:], 3, 3) {
			return false
		}
	}
	return digits(last, 3, 3) && (len(parts) == 1 || parts[0] != "x000")
}

// ForEver reports whether a file of a log's directory never changes: tiles and bundles that are whole. The others
// are the head, and partial files, which are cleared away once longer ones took their place.
func ForEver(name string) bool { return IsPath(name) && name != Checkpoint && !IsPartial(name) }

// IsPartial reports whether a name is that of a file that is replaced by a longer one as the log grows.
func IsPartial(name string) bool { return IsPath(name) && strings.Contains(name, ".p/") }

func digits(s string, min, max int) bool {
	if len(s) < min || len(s) > max {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
