package store

// syncDir has nothing to do: NTFS logs a rename.
func syncDir(string) error { return nil }
