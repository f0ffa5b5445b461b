package mirror

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/countersign-project/countersign/tuf/durable"
)

const storedFormat = "countersign-stored-1"

// stored remembers which files were found to be right, so that a sync with nothing new does not read a
// hundred gigabytes. A file whose size or time differs from what is noted here is hashed again. The note
// is a saving and no proof: it lies in the same directory, and `mirror check` does not look at it.
type stored struct {
	Format string           `json:"format"`
	Files  map[string]stamp `json:"files"` // by repository path
}

type stamp struct {
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // nanoseconds since 1970
	SHA256   string `json:"sha256"`
}

// readStored treats a damaged or missing note as empty: everything is then hashed once more.
func readStored(path string) stored {
	s := stored{Format: storedFormat, Files: map[string]stamp{}}
	b, err := os.ReadFile(path)
	if err != nil {
		return s
	}
	var got stored
	if json.Unmarshal(b, &got) != nil || got.Format != storedFormat || got.Files == nil {
		return s
	}
	return got
}

func (d *directory) writeStored() error {
	b, err := json.MarshalIndent(d.stored, "", " ")
	if err != nil {
		return err
	}
	return durable.WriteFile(d.state("stored.json"), append(b, '\n'), 0o644)
}

// has reports whether the file is there with the right bytes. Bytes that differ are not an error: the
// caller replaces them.
func (d *directory) has(f file, recheck bool) (bool, error) {
	info, err := os.Lstat(d.path(f.path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() != f.Length {
		return false, err
	}
	now := stamp{info.Size(), info.ModTime().UnixNano(), hex256(f.SHA256)}
	if !recheck && d.stored.Files[f.path] == now {
		return true, nil
	}
	sum, err := hashFile(d.path(f.path))
	if err != nil || sum != f.SHA256 {
		delete(d.stored.Files, f.path)
		return false, err
	}
	d.stored.Files[f.path] = now
	return true, nil
}

// note remembers a file that was just stored.
func (d *directory) note(f file) error {
	info, err := os.Lstat(d.path(f.path))
	if err != nil {
		return err
	}
	d.stored.Files[f.path] = stamp{info.Size(), info.ModTime().UnixNano(), hex256(f.SHA256)}
	return nil
}

func hashFile(path string) (sum [32]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	return [32]byte(h.Sum(nil)), nil
}
