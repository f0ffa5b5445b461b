//go:build unix

package launch

import "syscall"

// replace becomes another program: same process id, same files, new code. It returns only when it can
// not.
func replace(path string, argv, environ []string) error { return syscall.Exec(path, argv, environ) }
