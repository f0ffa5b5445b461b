package home

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/countersign-project/countersign/release/genuine"
)

// Verify checks an installed program file against what was noted when it was installed.
func (h Home) Verify(version string, want File) error {
	f, err := os.Open(h.Executable(version))
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(f, want.Length+1))
	if err != nil {
		return err
	}
	if n != want.Length {
		return fmt.Errorf("its file is not %d bytes long, as when it was installed", want.Length)
	}
	if got := genuine.Digest(sum.Sum(nil)); got != want.SHA256 {
		return fmt.Errorf("its file was changed after it was installed: sha256 %s, want %s", got, want.SHA256)
	}
	return nil
}
