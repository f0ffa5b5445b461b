package durable

import (
	"os"

	"golang.org/x/sys/windows"
)

// rename replaces new and returns only when the change is on the disk: there is no directory to sync
// afterwards. It fails with a sharing violation while somebody has new open; the caller's error.
func rename(old, new string) error {
	from, err := windows.UTF16PtrFromString(old)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
	}
	to, err := windows.UTF16PtrFromString(new)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
	}
	const flags = windows.MOVEFILE_REPLACE_EXISTING | windows.MOVEFILE_WRITE_THROUGH
	if err := windows.MoveFileEx(from, to, flags); err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
	}
	return nil
}

// SyncDir does nothing: a directory can not be flushed on Windows without administrator rights.
func SyncDir(string) error { return nil }
